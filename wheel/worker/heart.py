"""Heart: the signs of life of an owner, for a store that takes it for dead without them.

Each claim is one. In between a thread of its own gives them, so that a busy ticker, or one that only waits for running
jobs to end, is not taken for dead; where no thread can be had, the ticker does it. Where the kernel watches owners
(Store.lease_ms is None) there is nothing to do.

An owner that could not give one for two thirds of its lease begins no jobs: others may be about to take them. What it
had claimed and not begun before a lease lapsed it does not begin at all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ..clock import Clock
from ..contract import Beginning, Store
from ..errors import StoreError
from ..safety.calm import CalmLogger

_LOG: Final = CalmLogger("hourwheel.worker")
_NEVER: Final = float("-inf")


class Heart:
    """Of one owner."""

    def __init__(self, store: Store, clock: Clock, owner: str, *, name: str = "hourwheel") -> None:
        self._store = store
        self._clock = clock
        self._owner = owner
        self._name = name
        self._lease_s: Final = None if store.lease_ms is None else store.lease_ms / 1000
        self._last = _NEVER
        """When the last sign of life was sent that the store has taken (monotonic)."""
        self._answered = _NEVER
        """When the last one was sent that the store has answered, though it be that it comes too late (monotonic)."""
        self._newest = 0
        """The newest token that the owner may hold."""
        self._doubtful = 0
        """Claims up to this token may have been given to others."""
        self._thread: threading.Thread | None = None
        self._over = threading.Event()

    def claimed(self, sent: float, newest: int) -> None:
        """A claim, sent at this instant (monotonic), was answered; tokens up to ``newest`` have been given."""
        if self._lease_s is not None:
            if self._clock.monotonic() - self._last > self._lease_s:  # it may have lapsed before the claim arrived
                self._doubtful = self._newest
            self._last = self._answered = max(self._last, sent)
        self._newest = newest

    def marks(self) -> Callable[[str, int], None] | None:
        """What is to be called with the owner and the token of a claim before its job begins; None for nothing.

        It raises StoreError if the job must not begin.
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
            raise StoreError("its lease lapsed before it began, so that another worker may have it")
        silent_s = self._clock.monotonic() - self._last
        if silent_s > self._lease_s * 2 / 3:
            raise StoreError(f"the store has not been told for {silent_s:.3g} s that this worker lives")

    # ---- beating -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to give signs of life."""
        if self._lease_s is None or self._thread is not None:
            return
        self._over.clear()
        thread = threading.Thread(target=self._live, args=(self._lease_s / 3,), name=f"{self._name}-heart", daemon=True)
        with suppress(RuntimeError):  # no more threads: the ticker does it
            thread.start()
            self._thread = thread

    def stop(self) -> None:
        """Give no more of them; nothing is claimed any more, and nothing runs."""
        self._over.set()
        self._thread = None

    def _live(self, pause_s: float) -> None:
        while not self._over.wait(pause_s):
            try:
                self.beat()
            except Exception as error:
                _LOG.error("No sign of life could be given to the store: %s: %s", type(error).__name__, error)

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
            _LOG.warning("The store has taken this worker for dead; the jobs that it had claimed may start elsewhere")

    def beat_if_due(self) -> None:
        """The same, if there is no thread that does it and the last one is some time ago.

        Raises:
            StoreError: the store failed.
        """
        if self._lease_s is not None and self._thread is None and self._left_s(self._lease_s) <= 0:
            self.beat()

    def nap_s(self, sleep_s: float) -> float:
        """So long, or until a sign of life is due, if there is no thread that gives it."""
        if self._lease_s is None or self._thread is not None:
            return sleep_s
        return min(sleep_s, max(0.0, self._left_s(self._lease_s)))

    def _left_s(self, lease_s: float) -> float:
        return 0.0 if self._answered == _NEVER else self._answered + lease_s / 3 - self._clock.monotonic()
