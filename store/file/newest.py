"""Newest: the newest epoch of a JSON store, held open beside other processes.

A process that takes the writers' lock first applies what others have appended, and goes over to an epoch that another
process has begun. The last process to close a small store leaves one whole file, which a person can read, copy or move:

- Each process holds a shared lock on the journal (``Journal.share``). If it gets that lock alone as it closes, no other
  process has this epoch open. To be wrong about it does no harm: the other finds the seal, and begins the next epoch.
- The journal is folded into a snapshot that says it is whole (``Header.whole``), by a compaction like any other, so a
  crash leaves the old epoch or the new one. Then the new journal, which is empty, is removed.
- The next process begins another epoch before it does anything else, so what the snapshot says stays true.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from ...clock import Clock
from ...errors import HourwheelError, StoreBusy
from .ahead import catch_up, open_first, open_next
from .background import LOG
from .compaction import Compaction, claim_work
from .epoch import Epoch
from .identity import Identity
from .system.failure import store_error
from .system.lock import FileLock, LifeSigns
from .system.place import Place
from .system.system import System
from .system.within import within

SMALL: Final = 2 << 20
"""Bytes of snapshot and journal; a larger store is not folded, so that closing it takes no longer than a moment."""


class Newest:
    """The newest epoch, the writers' lock, and the life signs of the owners in this process. Not safe for threads."""

    signs: LifeSigns
    identity: Identity
    lock: FileLock
    epoch: Epoch

    def __init__(
        self, place: Place, system: System, clock: Clock, *, lock_timeout_s: float, failed_ttl_ms: int
    ) -> None:
        self.place: Final = place
        self.system: Final = within(place.directory, system)
        self.clock: Final = clock
        self.lock_timeout_s: Final = lock_timeout_s
        self._outer = system
        self._failed_ttl_ms = failed_ttl_ms

    # ---- opening and closing -----------------------------------------------------------------------------

    def open(self) -> None:
        """Open everything, and release the lock. A forked child does the same; it keeps nothing but the path."""
        self.signs = LifeSigns(self.system)
        self.identity = Identity(self.place, self.system, self._outer)
        self.lock = self.identity.hold(timeout_s=self.lock_timeout_s).know_handlers()
        try:
            try:
                self._open_epoch()
            finally:
                self.lock.release()
        except BaseException as error:
            self.lock.close()
            self.system.let_go()
            if isinstance(error, OSError) and not isinstance(error, HourwheelError):
                raise store_error(error, f"{self.place.path} cannot be opened") from error
            raise

    def _open_epoch(self) -> None:
        epoch = self.epoch = open_first(self.place, self.system, self.lock)
        try:
            self.identity.note(epoch)
            if (self.lock.made and epoch.journal.seq > 0) or epoch.doubtful:  # a holder of a removed lock must notice
                self.begin_next(epoch)
            self.identity.confirm(self.epoch)
        except BaseException:
            self.epoch.close()
            raise
        self.signs.bury_idle(self.place, self.epoch.state.running.values())

    def close(self, *, forked: bool = False) -> None:
        """Close the files, and remove the life signs of owners without running jobs, except in a forked child."""
        self.epoch.close()
        busy = {self.place.owner(name) for name in self.epoch.state.running.values()}
        self.signs.close(remove=not forked, keep=busy)
        self.lock.close()
        self.system.let_go()

    def fold(self) -> None:
        """Leave one whole file, if the store is small and no other process has it open. It may fail without harm."""
        epoch = self.epoch
        if epoch.snapshot.header.length + epoch.journal.end > SMALL or not self.lock.try_now():
            return
        try:
            self.identity.check(self.lock)
            if not epoch.journal.has_more() and epoch.sealed is None:
                self.identity.confirm(epoch)
                if epoch.journal.alone():
                    self.begin_next(epoch, whole=True)
                    self.system.unlink(self.epoch.journal.path)
        except (HourwheelError, OSError) as error:
            LOG.info("%s was closed with its journal beside it: %s", self.place.path, error)
        finally:
            self.lock.release()

    # ---- following other processes: the lock is held -----------------------------------------------------

    def catch_up(self) -> Epoch:
        """The newest epoch, with everything that others have written."""
        epoch = self.epoch
        if epoch.journal.has_more():
            catch_up(epoch, self.lock)
        while epoch.sealed is not None:
            epoch = self._follow_seal(epoch)
        self.identity.confirm(epoch)
        return epoch

    def _follow_seal(self, epoch: Epoch) -> Epoch:
        newer = open_next(self.place, self.system, self.lock, epoch.number, self.identity.refuse_other)
        if newer.doubtful:
            return self._redo(newer)
        if newer.number == epoch.number:
            newer.close()
            epoch.follow()
            if epoch.sealed is not None:  # no other process has lifted the seal meanwhile
                epoch.unseal()
            return epoch
        self.switch(newer)
        return newer

    def _redo(self, doubtful: Epoch) -> Epoch:
        """Write what is read of a doubtful epoch into a new one."""
        try:
            self.begin_next(doubtful)
        finally:
            doubtful.close()
        return self.epoch

    def switch(self, newer: Epoch) -> None:
        """Go over to a newer epoch, and close the older one."""
        older, self.epoch = self.epoch, newer
        self.identity.note(newer)
        older.close()

    # ---- beginning epochs: the lock is held --------------------------------------------------------------

    def begin_next(self, epoch: Epoch, *, whole: bool = False) -> None:
        """Begin the epoch after ``epoch`` at once, and go over to it; StoreBusy if another process is doing that."""
        fd = claim_work(self.place, self.system)
        if fd is None:
            raise StoreBusy(f"{self.place.path}: another process is beginning a new epoch; try again")
        work = self.compaction(epoch, fd, whole=whole)
        try:
            for _ in work.prepare():
                pass
            self.switch(work.finish())
        except BaseException:
            work.abandon()
            raise
        work.clean_up()

    def compaction(self, epoch: Epoch, fd: int, *, whole: bool = False) -> Compaction:
        """An attempt to begin the epoch after ``epoch``; ``fd`` is from claim_work()."""
        now_ms = self.clock.now_ms()
        return Compaction(self.place, self.system, fd, epoch, now_ms, self._failed_ttl_ms, whole=whole)

    # ---- after a failure ---------------------------------------------------------------------------------

    def reopen(self, *, renew: bool = False, sync: bool = False) -> None:
        """Forget what is in memory, and read again what is on the disk. Takes the lock, and releases it.

        Args:
            renew: write what is read into a new epoch, since it may not be on the disk.
            sync: sync it; other threads may wait for the sync of what they wrote to it.
        """
        self.lock.acquire()
        try:
            self.identity.check(self.lock)
            found = self.identity.reopen()
            if renew or found.doubtful:
                self._redo(found)
            else:
                self._go_on_in(found, sync)
        except HourwheelError:
            raise
        except OSError as error:
            if renew:
                raise store_error(error, f"{self.place.path}: no new epoch can be written") from error
            raise store_error(error, f"{self.place.path} cannot be read") from error
        finally:
            self.lock.release()

    def _go_on_in(self, found: Epoch, sync: bool) -> None:
        try:
            if found.sealed is not None:
                found.unseal()
            if sync:
                found.journal.sync()
        except BaseException:
            found.close()
            raise
        self.switch(found)

    def seal_doubtful(self) -> None:
        """After a failed sync: have every process that reads this journal write what it reads into a new epoch.

        The kernel does not tell a process that opens the journal later of the failure, and what it reads looks right.
        If this fails, no process is warned, but this one still begins a new epoch.
        """
        epoch = self.epoch
        with suppress(OSError, HourwheelError):
            self.lock.acquire()
            try:
                epoch.follow()
                epoch.seal(epoch.number + 1, doubtful=True)
            finally:
                self.lock.release()
