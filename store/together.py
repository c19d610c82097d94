"""Together: group commit. Threads that write at the same time share one write and one sync of the disk.

A thread that is alone writes and syncs for itself. As soon as others come while it does, a committer thread takes over
until nobody has come for a moment:

    lot A   write | sync ............ |           | answer
    lot B             (gathers)       |   write   |  sync ............ |
                                                  A's callers come back and gather as lot C

While the disk is busy the interpreter is free, and that is when the callers of the lot before come again and gather.
They are answered only after the next lot has been written, so that the committer need not share the interpreter with
them for that.

Tried and slower, with eight threads: each thread writes for itself and only the sync is shared (it gives the
interpreter away in each system call, and waits for it longer than for the disk); two committers, so that two syncs are
under way (smaller lots, more switching); to wait until all who lately came have come again (the disk idles).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")
W = TypeVar("W")

_IDLE_S: Final = 0.002


class _Ticket(Generic[T]):
    __slots__ = ("answered", "error", "item")

    def __init__(self, item: T) -> None:
        self.item = item
        self.error: BaseException | None = None
        self.answered = threading.Lock()
        self.answered.acquire()


class Together(Generic[T, W]):
    """Calls ``sync(write(items))`` with the items of one or more callers; an error is that of all whose lot it was."""

    def __init__(self, write: Callable[[Sequence[T]], W], sync: Callable[[W], None]) -> None:
        self._write = write
        self._sync = sync
        self._waiting: deque[_Ticket[T]] = deque()
        self._busy = threading.Lock()
        """Held by the thread that is alone, or by the committer."""
        self._come = threading.Semaphore(0)
        self._idle = False

    def do(self, item: T) -> None:
        """Return when ``item`` has been written and synced.

        Raises:
            whatever ``write`` or ``sync`` raised.
        """
        if self._busy.acquire(blocking=False):
            try:
                self._sync(self._write([item]))
            finally:
                self._busy.release()
                if self._waiting:
                    self._hand_over()
            return
        ticket = _Ticket(item)
        self._waiting.append(ticket)
        if self._idle:
            self._idle = False
            self._come.release()
        elif not self._busy.locked():
            self._hand_over()  # whoever was at it went without having seen us
        ticket.answered.acquire()
        if ticket.error is not None:
            raise ticket.error

    def _hand_over(self) -> None:
        """Have those who wait served by a committer, unless somebody is at it again."""
        if self._waiting and self._busy.acquire(blocking=False):
            threading.Thread(target=self._commit, name="hourwheel-committer", daemon=True).start()

    def _commit(self) -> None:
        done: list[_Ticket[T]] = []
        while True:
            lot = [self._waiting.popleft() for _ in range(len(self._waiting))]
            written = self._written(lot)
            for ticket in done:
                ticket.answered.release()
            done = lot
            if written is not None:
                self._synced(lot, written[0])
            elif not lot and not self._more_come():
                break
        self._busy.release()
        self._hand_over()

    def _written(self, lot: list[_Ticket[T]]) -> tuple[W] | None:
        """Write a lot; None if there is nothing to sync."""
        if not lot:
            return None
        try:
            return (self._write([ticket.item for ticket in lot]),)
        except BaseException as error:
            _fail(lot, error)
            return None

    def _synced(self, lot: list[_Ticket[T]], written: W) -> None:
        try:
            self._sync(written)
        except BaseException as error:
            _fail(lot, error)

    def _more_come(self) -> bool:
        self._idle = True
        came = bool(self._waiting) or self._come.acquire(timeout=_IDLE_S)
        self._idle = False
        return came or bool(self._waiting)


def _fail(lot: list[_Ticket[T]], error: BaseException) -> None:
    for ticket in lot:
        ticket.error = error
