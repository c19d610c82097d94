"""Compactor: when a store begins a new epoch, and in which thread. compaction.py has how."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...errors import HourwheelError, StoreBusy, StoreError
from ..state.state import State
from .background import LOG
from .compaction import Compaction, claim_work
from .epoch import Epoch
from .format.journal import NoRoom
from .system.failure import OUT_OF_ROOM, store_error
from .system.system import System, close_file

if TYPE_CHECKING:
    from .keeper import Keeper

_LEAST_JOURNAL: Final = 32 << 20  # at 8 MiB one who adds without a pause paid a third of the rate to compactions
_SHARE: Final = 0.2
_NEVER: Final = 1 << 62


class Compactor:
    """Begins new epochs for a Keeper."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.at = _NEVER
        """How long the journal may become, in bytes."""
        self._found_full: tuple[int, int] | None = None
        """Epoch and length of the journal, bytes, for which there was no more room the last time."""

    def plan(self, behind: int = 0) -> None:
        """Compact when the journal has grown long, by as much again if the last attempt failed at ``behind``."""
        self.at = behind + max(_LEAST_JOURNAL, int(_SHARE * self._keeper._epoch.snapshot.header.length))

    def soon(self) -> None:
        """Compact aside; where no thread can be had, look again when the journal has grown by as much."""
        self.at = _NEVER
        if not self._keeper._aside.do(self._run_aside):
            self.plan(behind=self._keeper._epoch.journal.end)

    def make_room(self, error: NoRoom) -> None:
        """The journal could not be made longer; a new one may be shorter. Once for each length, for it may not be."""
        epoch = self._keeper._epoch
        found = epoch.number, epoch.journal.end
        if error.errno in OUT_OF_ROOM and found != self._found_full:
            self._found_full = found
            self.soon()

    def run_now(self, epoch: Epoch) -> None:
        """Begin a new epoch after ``epoch`` at once; the lock is held, inside the gate."""
        keeper = self._keeper
        fd = claim_work(keeper._place, keeper._system)
        if fd is None:
            raise StoreBusy(f"{keeper.path}: somebody else is beginning a new epoch; try again")
        work = self._of(epoch, fd)
        try:
            for _ in work.prepare():
                pass
            keeper._switch(work.finish())
        except BaseException:
            work.abandon()
            raise
        work.clean_up()

    def _of(self, epoch: Epoch, fd: int) -> Compaction:
        keeper = self._keeper
        return Compaction(keeper._place, keeper._system, fd, epoch, keeper._clock.now_ms(), keeper.failed_ttl_ms)

    def _run_aside(self) -> None:
        done = False
        try:
            done = self.run(self._keeper._aside.pause)
        except HourwheelError as error:
            LOG.warning("compaction of %s failed, to be tried again later: %s", self._keeper.path, error)
        finally:
            if not done:
                self.plan(behind=self._keeper._epoch.journal.end)  # the old epoch stands

    def run(self, pause: Callable[[], None] = lambda: None) -> bool:
        """Begin a new epoch while others go on in the old one; False if somebody else is at it.

        Args:
            pause: called between two pieces of the work.

        Raises:
            StoreError: it could not be written; the store goes on in the old epoch.
        """
        keeper = self._keeper
        keeper._changing(_nothing)  # which may begin a new epoch itself, and then must find the work unclaimed
        held = _Held(keeper._system)
        try:
            try:
                return self._run(held, pause)
            except OSError as error:
                if isinstance(error, HourwheelError):
                    raise
                raise store_error(error, f"{keeper.path}: compaction failed") from error
            finally:  # twice, for an exception from outside may strike in the first
                held.let_go()
        finally:
            held.let_go()

    def _run(self, held: _Held, pause: Callable[[], None]) -> bool:
        keeper = self._keeper
        held.fd = claim_work(keeper._place, keeper._system)
        if held.fd is None:
            return False
        work = held.work = self._begin(held.fd)
        for _ in work.prepare():
            pause()
        if not self._finish(work):
            return False
        held.let_go()
        work.clean_up()
        return True

    def _begin(self, fd: int) -> Compaction:
        keeper = self._keeper
        return keeper._changing(lambda _: self._of(keeper._epoch, fd))

    def _finish(self, work: Compaction) -> bool:
        def finish(_: State) -> bool:
            try:
                if not work.catch_up(self._keeper._epoch):
                    return False
                newer = work.finish()
            except OSError as error:
                raise self._unfinished(work, error) from error
            self._keeper._switch(newer)
            return True

        return self._keeper._changing(finish)

    def _unfinished(self, work: Compaction, error: OSError) -> StoreError:
        """A new epoch could not be begun: whether the old one can go on depends on how far it had come."""
        keeper = self._keeper
        if work.stage == "renamed" or (work.stage == "sealing" and not isinstance(error, NoRoom)):
            return keeper._failed(error)
        if work.stage == "sealed":
            keeper._trouble = keeper._reread
        return store_error(error, f"{keeper.path}: compaction failed")


def _nothing(_: State) -> None:
    """The change that changes nothing: the files are those that they were, or this raises."""


class _Held:
    """The locked file of an attempt, and the attempt, until one of them is let go."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.fd: int | None = None
        self.work: Compaction | None = None

    def let_go(self) -> None:
        """A second time changes nothing."""
        if self.work is not None:
            self.work.abandon()
        elif self.fd is not None:
            fd, self.fd = self.fd, None
            close_file(self._system, fd)
