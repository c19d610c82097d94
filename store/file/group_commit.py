"""Group commit: threads that write at the same time share one write and one sync of the disk.

A thread that is alone writes and syncs for itself. If other threads arrive meanwhile, a committer thread takes over
until no more arrive for a moment:

    lot A   write | sync ............ |           | answer
    lot B             (gathers)       |   write   |  sync ............ |
                                                  A's callers come back and gather as lot C

While the disk is busy the interpreter is free for the callers of the previous lot, which come back and gather. They are
answered only after the next lot has been written, so that the committer does not compete with them for the interpreter.

No caller depends on the committer: if no committer takes its ticket for a while, the caller takes it back and writes
alone, as it does where no thread can be started. No exception from outside reaches the committer, which is a thread of
ours. When one strikes a caller, the ticket is with the committer or was never handed in.

Tried and slower, with eight threads: each thread writes for itself and only the sync is shared (it gives up the
interpreter in each system call, and waits longer for that than for the disk); two committers and two syncs at a time
(smaller lots, more switching); waiting until all recent callers have come back (the disk idles).
"""

from __future__ import annotations

import _thread
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from ...errors import StoreUncertain
from ...safety.gate import Gate, Occupied
from ...safety.latch import Latch

T = TypeVar("T")
W = TypeVar("W")

_IDLE_S: Final = 0.002
_REST_S: Final = 10.0
"""How long a committer without work is kept: starting a thread takes longer than waking one."""
_LOOK_S: Final = 0.1


class _Ticket(Generic[T]):
    __slots__ = ("answer", "answered", "error", "item")

    def __init__(self, item: T) -> None:
        self.item = item
        self.error: BaseException | None = None
        self.answered = False
        self.answer = threading.Lock()
        self.answer.acquire()

    def give(self, error: BaseException | None = None) -> None:
        if not self.answered:
            self.error, self.answered = error, True
            self.answer.release()


class GroupCommit(Generic[T, W]):
    """Calls ``sync(write(items))`` with the items of one or more callers; an error is that of all whose lot it was."""

    def __init__(self, write: Callable[[Sequence[T]], W], sync: Callable[[W], None]) -> None:
        self._write = write
        self._sync = sync
        self._waiting: deque[_Ticket[T]] = deque()
        self.gate = Gate("group commit")
        """Passed by the thread that is alone, or by the committer."""
        self._come = Latch()
        self._idle = False
        self._committers: dict[int, object] = {}

    def do(self, item: T) -> None:
        """Return when ``item`` has been written and synced.

        Raises:
            StoreReentered: called by a signal's handler that has interrupted this thread in here.
            any error of ``write`` or ``sync``.
        """
        try:
            self.gate.run(self._alone, item, wait=False)
        except Occupied:
            self._in_company(item)
        finally:
            if self._waiting:
                self._wake_committer()

    def _alone(self, item: T) -> None:
        self._sync(self._write([item]))

    def _in_company(self, item: T) -> None:
        ticket = _Ticket(item)
        self._waiting.append(ticket)
        self._wake_committer()
        while not ticket.answer.acquire(timeout=_LOOK_S if self._committers else 0.0):
            if self._taken_back(ticket):
                self.gate.run(self._alone, item)
                return
        if ticket.error is not None:
            raise ticket.error

    def _taken_back(self, ticket: _Ticket[T]) -> bool:
        """Whether the ticket is the caller's again: no committer has taken it, and none will."""
        if self._committers and not self.gate.is_free():
            return False  # it will come to it
        try:
            self._waiting.remove(ticket)
        except (ValueError, IndexError):  # a committer has it; or others came and went: then in a moment
            return False
        self._committers.clear()  # it sleeps through, or an exception struck as it was to be started
        return True

    # ---- the committer -----------------------------------------------------------------------------------

    def _wake_committer(self) -> None:
        """Have the committer write what waits; without one, callers write for themselves."""
        if self._idle or self._committers:
            self._come.notify()
            return
        me = object()
        if self._committers.setdefault(0, me) is me:
            try:
                _thread.start_new_thread(self._live, ())
            except RuntimeError:  # there are too many threads
                self._committers.clear()

    def _live(self) -> None:
        try:
            while self._waiting or self._come.wait(_REST_S):
                self.gate.run(self._commit)
        finally:
            self._committers.clear()
            if self._waiting:
                self._wake_committer()

    def _commit(self) -> None:
        done: list[_Ticket[T]] = []
        lot: list[_Ticket[T]] = []
        try:
            while True:
                lot = [self._waiting.popleft() for _ in range(len(self._waiting))]
                written = self._written(lot)
                _answer(done)
                done = lot
                if written is not None:
                    self._synced(lot, written[0])
                elif not lot and not self._more_come():
                    return
        finally:
            for ticket in (*done, *lot):
                ticket.give(
                    StoreUncertain("the thread that wrote this change was ended: whether it is stored is not known")
                )

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
        came = bool(self._waiting) or self._come.wait(_IDLE_S)
        self._idle = False
        return came or bool(self._waiting)


def _answer(lot: list[_Ticket[T]]) -> None:
    for ticket in lot:
        ticket.give(ticket.error)


def _fail(lot: list[_Ticket[T]], error: BaseException) -> None:
    for ticket in lot:
        ticket.error = error
