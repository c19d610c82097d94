"""Heart: gives the signs of life of an owner, without which the store takes it for dead.

Each claim is a sign of life. In between, a thread gives them, so that the owner is not taken for dead while its ticker
is busy or only waits for running jobs to end. If no thread can be started, the ticker gives them. If the kernel watches
owners (Store.lease_ms is None), there is nothing to do.

An owner that could not give one for two thirds of its lease starts no jobs: others may be about to claim them. Jobs
that it had claimed but not started when its lease lapsed it does not start at all.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ..clock import Clock
from ..contract import Beginning, Store
from ..errors import StoreError
from ..safety.calm import CalmLogger

_LOG: Final = CalmLogger("hourwheel.worker")
_NEVER: Final = -math.inf


class Heart:
    """The signs of life of one owner."""

    def __init__(self, store: Store, clock: Clock, owner: str) -> None:
        self._store = store
        self._clock = clock
        self._owner = owner
        self._lease_s: Final = None if store.lease_ms is None else store.lease_ms / 1000
        self._last = _NEVER
        """When the last sign of life that the store accepted was sent (monotonic)."""
        self._answered = _NEVER
        """When the last one that the store answered was sent (monotonic), even if it was too late."""
        self._newest = 0
        """The newest token that the owner may hold."""
        self._doubtful = 0
        """Claims up to this token may have been given to others."""
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        """Ends ``_thread``, and no later one."""

    def claimed(self, sent: float, newest: int) -> None:
        """Record that a claim, sent at ``sent`` (monotonic), was answered. ``newest`` is the newest token."""
        if self._lease_s is not None:
            if self._clock.monotonic() - self._last > self._lease_s:  # it may have lapsed before the claim arrived
                self._doubtful = self._newest
            self._last = self._answered = max(self._last, sent)
        self._newest = newest

    def marks(self) -> Callable[[str, int], None] | None:
        """Return what to call with the owner and the token of a claim before its job starts; None for nothing.

        It raises StoreError if the job must not start.
        """
        begin = self._store.begin if isinstance(self._store, Beginning) else None
        if self._lease_s is None:
            return begin

        def mark(owner: str, token: int) -> None:
            self._refuse_doubtful(token)
            if begin is not None:
                begin(owner, token)

        return mark

    def _refuse_doubtful(self, token: int) -> None:
        assert self._lease_s is not None
        if token <= self._doubtful:
            raise StoreError("its lease lapsed before it started, so another worker may have it")
        silent_s = self._clock.monotonic() - self._last
        if silent_s > self._lease_s * 2 / 3:
            raise StoreError(f"this worker could give the store no sign of life for {silent_s:.3g} s")

    # ---- beating -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start to give signs of life."""
        if self._lease_s is None or self._thread is not None:
            return
        self._over = threading.Event()
        args = (self._lease_s / 3, self._over)
        thread = threading.Thread(target=self._live, args=args, name="hourwheel-heart", daemon=True)
        with suppress(RuntimeError):  # no more threads can be started: the ticker does it
            thread.start()
            self._thread = thread

    def stop(self) -> None:
        """Give no more signs of life: nothing runs, and nothing is to be claimed."""
        self._over.set()
        self._thread = None

    def _live(self, pause_s: float, over: threading.Event) -> None:
        while not over.wait(pause_s):
            try:
                self.beat()
            except Exception as error:
                _LOG.error("The store could not be given a sign of life: %s: %s", type(error).__name__, error)

    def beat(self) -> None:
        """Give a sign of life.

        Raises:
            StoreError: the store failed.
        """
        sent, newest = self._clock.monotonic(), self._newest
        alive = self._store.beat(self._owner, self._clock.now_ms())
        self._answered = sent
        if alive:
            self._last = max(self._last, sent)
        else:
            self._doubtful = max(self._doubtful, newest)
            _LOG.warning("The store has taken this worker for dead; jobs that it had claimed may be started by others")

    def beat_if_due(self) -> None:
        """Give a sign of life if one is due and there is no thread that does it.

        Raises:
            StoreError: the store failed.
        """
        if self._left_s() <= 0:
            self.beat()

    def nap_s(self, sleep_s: float) -> float:
        """Return ``sleep_s``, or less if a sign of life is due before and there is no thread that gives it."""
        return min(sleep_s, max(0.0, self._left_s()))

    def _left_s(self) -> float:
        if self._lease_s is None or self._thread is not None:
            return math.inf
        return self._answered + self._lease_s / 3 - self._clock.monotonic()
