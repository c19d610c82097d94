"""Compactor: when a store begins a new epoch, and in which thread. compaction.py has how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from ...errors import HourwheelError, StoreError
from ..state.state import State
from .background import LOG, Background
from .compaction import Compaction, claim_work
from .format.journal import NoRoom
from .newest import Newest
from .system.failure import OUT_OF_ROOM, store_error
from .system.system import System, close_file

R = TypeVar("R")

_NEVER: Final = 1 << 62


class Front(Protocol):
    """What a compaction needs of the keeper whose callers go on meanwhile."""

    def writing(self, change: Callable[[State], R], /) -> R:
        """See Keeper.writing."""

    def failed(self, error: OSError, /) -> StoreError:
        """See Keeper.failed."""

    def doubt(self) -> None:
        """See Keeper.doubt."""


class Compactor:
    """Begins new epochs while callers go on in the old one."""

    def __init__(self, front: Front, newest: Newest, background: Background) -> None:
        self._front = front
        self._newest = newest
        self._background = background
        self._found_full: tuple[int, int] | None = None
        """Epoch and length of the journal, in bytes, when there was no more room the last time."""

    def soon(self) -> None:
        """Compact in the background. Where no thread can be started, try again when the journal has grown more."""
        epoch = self._newest.epoch
        epoch.most = _NEVER
        if not self._background.do(self._run_in_background):
            epoch.put_off()

    def make_room(self, error: NoRoom) -> None:
        """The journal could not be made longer: compact, as a new one may be shorter. Once for each length."""
        epoch = self._newest.epoch
        found = epoch.number, epoch.journal.end
        if error.errno in OUT_OF_ROOM and found != self._found_full:
            self._found_full = found
            self.soon()

    def _run_in_background(self) -> None:
        done = False
        try:
            done = self.run(self._background.pause)
        except HourwheelError as error:
            LOG.warning("compaction of %s failed, to be tried again later: %s", self._newest.place.path, error)
        finally:
            if not done:
                self._newest.epoch.put_off()

    def run(self, pause: Callable[[], None] = lambda: None) -> bool:
        """Begin a new epoch while others go on in the old one; False if another process or thread is doing it.

        ``pause`` is called between two pieces of the work.

        Raises:
            StoreError: it could not be written; the store goes on in the old epoch.
        """
        self._front.writing(change_nothing)  # it may begin a new epoch itself, and needs the work unclaimed for that
        held = _Held(self._newest.system)
        try:
            try:
                return self._run(held, pause)
            except OSError as error:
                if isinstance(error, HourwheelError):
                    raise
                raise self._error(error) from error
            finally:  # twice, as an exception from outside may strike in the first
                held.let_go()
        finally:
            held.let_go()

    def _run(self, held: _Held, pause: Callable[[], None]) -> bool:
        newest = self._newest
        fd = held.fd = claim_work(newest.place, newest.system)
        if fd is None:
            return False
        work = held.work = self._front.writing(lambda _: newest.compaction(newest.epoch, fd))
        for _ in work.prepare():
            pause()
        if not self._front.writing(lambda _: self._finish(work)):
            return False
        held.let_go()
        work.clean_up()
        return True

    def _finish(self, work: Compaction) -> bool:
        try:
            if not work.catch_up(self._newest.epoch):
                return False
            newer = work.finish()
        except OSError as error:
            raise self._unfinished(work, error) from error
        self._newest.switch(newer)
        return True

    def _unfinished(self, work: Compaction, error: OSError) -> StoreError:
        """The error when a new epoch could not be begun; how far that came decides whether the old one can go on."""
        if work.stage == "renamed" or (work.stage == "sealing" and not isinstance(error, NoRoom)):
            return self._front.failed(error)
        if work.stage == "sealed":
            self._front.doubt()
        return self._error(error)

    def _error(self, error: OSError) -> StoreError:
        return store_error(error, f"{self._newest.place.path}: compaction failed")


def change_nothing(_: State) -> None:
    """A change that changes nothing. Making it catches up, and checks that the files are still the store's."""


class _Held:
    """What an attempt holds: the locked file, then the compaction that owns it."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.fd: int | None = None
        self.work: Compaction | None = None

    def let_go(self) -> None:
        """Release it. Twice is fine."""
        if self.work is not None:
            self.work.abandon()
        elif self.fd is not None:
            fd, self.fd = self.fd, None
            close_file(self._system, fd)
