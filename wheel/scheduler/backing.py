"""Backing: the store behind a scheduler, which is given one, or opens one when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..clock import Clock
from ..contract import Store
from ..errors import SchedulerError, StoreReentered
from ..settings.conf import DEFAULT, Conf
from ..settings.table import UNSET, Unset
from ..worker.looking import reads_only
from ..worker.pool import inside


class Backing:
    """A store, and where it comes from.

    Args:
        conf: says which store to open.
        clock: passed to a store that is opened.
        store: one to use instead, until the settings name another.
        opened: called with each store that is opened here.
    """

    def __init__(
        self, conf: Conf, clock: Clock, store: Store | None = None, opened: Callable[[Store], None] = lambda _: None
    ) -> None:
        self.store = store
        """The store, if it is open."""
        self._conf = conf
        self._clock = clock
        self._on_open = opened
        self._url: str | Unset | None = UNSET if store is None else None
        self.begin()

    def begin(self) -> None:
        """What each process needs of its own: a forked child begins anew."""
        self._lock = threading.RLock()
        self._opening = False

    @property
    def url(self) -> str | None:
        """The path or URL of the store to open; None for a Store that was given."""
        if isinstance(self._url, Unset):
            store = self._conf.store
            self._url = store if isinstance(store, str) else None
        return self._url

    def open(self) -> Store:
        """The store, opened now if it was not yet."""
        if self.store is None:
            with self._lock:
                if self.store is None:
                    if self._opening:  # a signal has interrupted this thread here, and its handler wants the store
                        raise StoreReentered("the store is just being opened")
                    self._opening = True
                    try:
                        store = self._opened()
                        self._on_open(store)
                        self.store = store
                    finally:
                        self._opening = False
        return self.store

    def _opened(self) -> Store:
        inside.refuse_store()
        if self.url is None:
            given: Store = self._conf.store
            return given
        from ..store import open_store  # the one place where wheel knows of store

        options: dict[str, Any] = {} if self._conf.durability is None else {"durability": self._conf.durability}
        if self._conf.source("failed_ttl") != DEFAULT:
            options["failed_ttl"] = self._conf.failed_ttl
        if reads_only():
            options["read_only"] = True
        return open_store(self.url, clock=self._clock, **options)

    def release(self) -> Store | None:
        """Forget a store that was opened here, so that the caller can close it; None if there is none."""
        with self._lock:
            if self.store is None or self.url is None:
                return None
            store, self.store = self.store, None
            return store

    def change(self, *, running: bool) -> None:
        """The settings name another store: open that one next.

        Raises:
            SchedulerError: the store is open, or the scheduler runs.
        """
        if self.store is not None and (running or isinstance(self._url, str)):
            raise SchedulerError(
                "the store is open: say which before it is first needed, or close() the scheduler first"
            )
        self.store, self._url = None, UNSET
