"""Keeper: holds the newest epoch of a JSON store open, for all threads, beside other processes.

Whoever takes the lock applies what others have appended, and goes over to an epoch that another process has begun.

*Poison.* After a failed write or sync nobody knows what is on the disk, and asking again may be answered with a lie
(the kernel reports a failed write-back once). Nothing more is acknowledged from that journal: the next verb reads back
what is there and writes it, whole and synced, into a new epoch. ``_trouble`` is what the next verb has to do first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from ..clock import Clock
from ..errors import HourwheelError, StoreBusy, StoreClosed, StoreError
from .ahead import catch_up, open_first, open_next
from .aside import LOG, Aside
from .compaction import Compaction, claim_work
from .doorbell import Doorbell
from .epoch import Epoch
from .failure import opening_error, store_error
from .journal import NoRoom
from .lock import FileLock, LifeSigns
from .place import Place
from .state import State
from .system import System, close_file

POLL_S: Final = 0.03
_INTERVAL_S: Final = 0.5
_LEAST_JOURNAL: Final = 32 << 20  # at 8 MiB one who adds without a pause paid a third of the rate to compactions
_SHARE: Final = 0.2


class Keeper:
    """The newest epoch at a place, and all that keeps it so."""

    def __init__(self, place: Place, system: System, clock: Clock, *, durability: str, lock_timeout_s: float) -> None:
        self.path: Final = place.path
        self.durability: Final = durability
        self._place = place
        self._system = system
        self._clock = clock
        self._lock_timeout_s = lock_timeout_s
        self._wants_sync = durability == "sync"
        self._closed = False
        self._trouble: Callable[[], None] | None
        self._start_afresh()

    # ---- opening and closing -----------------------------------------------------------------------------

    def _begin(self) -> None:
        """Open everything; also in a forked child, which must take over nothing but the path."""
        self._lock = FileLock(self._place.lock, self._system, timeout_s=self._lock_timeout_s)
        try:
            try:
                self._open_epoch()
            finally:
                self._lock.release()
        except BaseException as error:
            self._lock.close()
            if isinstance(error, OSError) and not isinstance(error, HourwheelError):
                raise opening_error(error, f"{self.path} cannot be opened") from error
            raise
        self._plan_compaction()
        self._trouble = None
        if self.durability == "interval":
            self._aside.every(_INTERVAL_S, self._sync_quietly)

    def _open_epoch(self) -> None:
        epoch = self._epoch = open_first(self._place, self._system, self._lock)
        try:
            if (self._lock.made and epoch.journal.seq > 0) or epoch.doubtful:  # who holds a removed lock must notice
                self._compact_now(epoch)
        except BaseException:
            epoch.close()
            raise
        self._signs.bury_idle(self._place, self._epoch.state.running.values())

    def _start_afresh(self) -> None:
        """Make whatever a thread of a parent process may have held at the moment of a fork; opens nothing."""
        self._mutex = threading.Lock()
        self._trouble = self._begin
        self._bell = Doorbell()
        self._signs = LifeSigns(self._system)
        self._aside = Aside()

    def close(self) -> None:
        """Sync what is not synced, and close. Twice is fine."""
        if self._closed:
            return
        self._aside.stop()
        with self._mutex:
            if self._closed:
                return
            trouble, self._closed = self._trouble, True
            try:
                if self.durability == "interval" and trouble == self._renew:
                    self._renew()  # what was acknowledged is not on the disk yet
                elif self.durability != "os" and trouble in (None, self._reread):
                    self._epoch.journal.sync()
            except HourwheelError:
                raise
            except OSError as error:
                self._seal_doubtful(self._epoch)
                raise store_error(error, f"{self.path}: the last changes may not be on the disk") from error
            finally:
                self._trouble = self._raise_closed
                self._epoch.close()
                self._signs.close(remove=True)
                self._lock.close()
        self._bell.ring()

    def _raise_closed(self) -> None:
        raise StoreClosed(f"the store {self.path} is closed")

    def _forget_parent(self) -> None:
        """In a forked child: close what is shared with the parent, unlock nothing, and open anew at the first verb."""
        self._mutex = threading.Lock()  # a thread may have been closing the store
        if self._closed:
            return
        self._signs.close(remove=False)
        self._lock.close()
        self._epoch.close()
        self._start_afresh()

    @contextmanager
    def _changing(self) -> Iterator[State]:
        with self._mutex:
            if self._trouble is not None:
                self._trouble()
            self._lock.acquire()
            try:
                self._lock.check()
                epoch = self._catch_up()
                yield epoch.state
            except BaseException as error:
                self._broken_off(error)
                raise
            finally:
                self._lock.release()
            end = epoch.journal.end
        if self._wants_sync:  # also if this verb has changed nothing: what it saw of others may not be on the disk yet
            self._sync((epoch, end))

    def _catch_up(self) -> Epoch:
        """The newest epoch, with all that others have written. The lock is held."""
        epoch = self._epoch
        try:
            if epoch.journal.has_more():
                catch_up(epoch, self._lock)
            while epoch.sealed is not None:
                epoch = self._follow_seal(epoch)
        except HourwheelError:
            raise
        except OSError as error:
            raise self._failed(error) from error
        return epoch

    def _follow_seal(self, epoch: Epoch) -> Epoch:
        newer = open_next(self._place, self._system, self._lock, epoch.number)
        if newer.store_id != epoch.store_id:
            newer.close()
            raise StoreError(f"{self.path} has been replaced by another store; open it anew")
        if newer.doubtful:
            return self._redo(newer)
        if newer.number == epoch.number:
            newer.close()
            epoch.follow()
            if epoch.sealed is not None:  # nobody has lifted the seal meanwhile
                epoch.unseal()
            return epoch
        self._switch(newer)
        return newer

    def _redo(self, doubtful: Epoch) -> Epoch:
        """Write what is read of a doubtful epoch into a new one. The lock and the mutex are held."""
        try:
            self._compact_now(doubtful)
        finally:
            doubtful.close()
        return self._epoch

    def _switch(self, newer: Epoch) -> None:
        older, self._epoch = self._epoch, newer
        older.close()
        self._plan_compaction()

    # ---- durability --------------------------------------------------------------------------------------

    def _sync(self, upto: tuple[Epoch, int]) -> None:
        """Return when everything up to an offset in the journal of an epoch is on the disk."""
        epoch, end = upto
        journal = epoch.journal
        if journal.synced >= end:
            return  # another thread's sync was ours as well
        try:
            if epoch is self._epoch or journal.broken:
                journal.sync(end)  # else a newer epoch was begun, and that was synced as a whole
        except OSError as error:
            if epoch is self._epoch:
                failed = self._failed(error)
                self._warn_others(epoch)
                raise failed from error
            raise store_error(error, f"{self.path}: whether this change is on the disk is not known") from error

    def _warn_others(self, epoch: Epoch) -> None:
        """After a failed sync: have whoever reads this journal write what he reads into a new epoch.

        Whoever opens it later is not told of the failure by the kernel, and what he reads looks right.
        """
        with self._mutex:
            if epoch is self._epoch:
                self._seal_doubtful(epoch)

    def _seal_doubtful(self, epoch: Epoch) -> None:
        try:
            self._lock.acquire()
            try:
                epoch.follow()
                epoch.seal(epoch.number + 1, doubtful=True)
            finally:
                self._lock.release()
        except (OSError, HourwheelError):
            return  # then nobody is warned; this process still begins a new epoch itself

    def _sync_quietly(self) -> None:
        """For "interval": sync, also what others wrote, who may be dead; mend a failure, for which nobody may call."""
        epoch = self._epoch
        with suppress(HourwheelError):
            if self._trouble is None:
                self._sync((epoch, epoch.journal.end))
        with suppress(HourwheelError, OSError):  # closed, or still failing: in half a second again
            if self._trouble is not None or epoch.journal.has_more():
                with self._changing():
                    epoch = self._epoch
                self._sync((epoch, epoch.journal.end))

    def _failed(self, error: OSError) -> StoreError:
        """What to tell the caller of a failed call; unless nothing was written, the journal is poisoned."""
        if isinstance(error, NoRoom):
            return store_error(error, f"{self.path}: nothing was written")
        self._epoch.journal.broken = True
        self._trouble = self._renew
        return store_error(error, f"{self.path}: whether this change is on the disk is not known")

    def _broken_off(self, error: BaseException) -> None:
        """Work on the state may be half done (by Ctrl-C, say), unless the error is ours: the next verb reads anew."""
        if isinstance(error, HourwheelError):
            return
        if self._trouble is None:
            self._trouble = self._reread
        if isinstance(error, OSError):
            raise opening_error(error, f"{self.path} cannot be read") from error

    def _reread(self) -> None:
        """Forget what is in memory and open the newest epoch. The mutex is held."""
        self._lock.acquire()
        try:
            self._lock.check()
            found = Epoch.open(self._place, self._system)
            if found.doubtful:
                self._redo(found)
            else:
                self._go_over_to(found)
            self._trouble = None
        except HourwheelError:
            raise
        except OSError as error:
            raise opening_error(error, f"{self.path} cannot be read") from error
        finally:
            self._lock.release()

    def _go_over_to(self, found: Epoch) -> None:
        try:
            if found.sealed is not None:
                found.unseal()
            if self._wants_sync:
                found.journal.sync()  # other threads may wait for the sync of what they wrote to it
        except BaseException:
            found.close()
            raise
        self._switch(found)

    def _renew(self) -> None:
        """After a failure: read back what is there, and write it into a new epoch. The mutex is held."""
        self._lock.acquire()
        try:
            self._lock.check()
            self._redo(Epoch.open(self._place, self._system))
        except HourwheelError:
            raise
        except OSError as error:
            raise store_error(error, f"{self.path}: no new epoch can be written") from error
        finally:
            self._lock.release()
        self._trouble = None

    # ---- compaction --------------------------------------------------------------------------------------

    def _plan_compaction(self, behind: int = 0) -> None:
        """Compact when the journal has grown long, by as much again if the last attempt failed at ``behind``."""
        self._compact_at = behind + max(_LEAST_JOURNAL, int(_SHARE * self._epoch.snapshot.header.length))

    def _compact_soon(self) -> None:
        self._compact_at = 1 << 62
        self._aside.do(self._compact_aside)

    def _compact_now(self, epoch: Epoch) -> None:
        """Begin a new epoch after ``epoch`` at once; the lock and the mutex are held."""
        fd = claim_work(self._place, self._system)
        if fd is None:
            raise StoreBusy(f"{self.path}: somebody else is beginning a new epoch; try again")
        work = Compaction(self._place, self._system, fd, epoch, self._clock.now_ms())
        try:
            for _ in work.prepare():
                pass
            self._switch(work.finish())
        except BaseException:
            work.abandon()
            raise
        work.clean_up()

    def compact(self) -> None:
        """Begin a new epoch now; other callers need not wait for it.

        Raises:
            StoreBusy: another process or thread has been at it for lock_timeout_s.
            StoreError: it could not be written; the store goes on in the old epoch.
        """
        waited = 0.0
        while not self._compact(lambda: None):
            if waited >= self._lock_timeout_s:
                raise StoreBusy(f"{self.path}: somebody else has been compacting for {self._lock_timeout_s} s")
            self._bell.wait(POLL_S)
            waited += POLL_S

    def _compact_aside(self) -> None:
        done = False
        try:
            done = self._compact(self._aside.pause)
        except HourwheelError as error:
            LOG.warning("compaction of %s failed, to be tried again later: %s", self.path, error)
        finally:
            if not done:
                self._plan_compaction(behind=self._epoch.journal.end)  # the old epoch stands

    def _compact(self, pause: Callable[[], None]) -> bool:
        with self._mutex:
            if self._trouble is not None:
                self._trouble()  # which may begin a new epoch itself, and then must find the work unclaimed
        work: Compaction | None = None
        try:
            fd = claim_work(self._place, self._system)
            if fd is None:
                return False
            work = self._begin_compaction(fd)
            for _ in work.prepare():
                pause()
            done = self._finish(work)
        except HourwheelError:
            raise
        except OSError as error:
            raise store_error(error, f"{self.path}: compaction failed") from error
        finally:
            if work is not None:
                work.abandon()
        if done:
            work.clean_up()
        return done

    def _begin_compaction(self, fd: int) -> Compaction:
        try:
            with self._changing():
                return Compaction(self._place, self._system, fd, self._epoch, self._clock.now_ms())
        except BaseException:
            close_file(self._system, fd)
            raise

    def _finish(self, work: Compaction) -> bool:
        with self._changing():
            try:
                if not work.catch_up(self._epoch):
                    return False
                newer = work.finish()
            except OSError as error:
                raise self._unfinished(work, error) from error
            self._switch(newer)
            return True

    def _unfinished(self, work: Compaction, error: OSError) -> StoreError:
        """A new epoch could not be begun: whether the old one can go on depends on how far it had come."""
        if work.stage == "renamed" or (work.stage == "sealing" and not isinstance(error, NoRoom)):
            return self._failed(error)
        if work.stage == "sealed":
            self._trouble = self._reread
        return store_error(error, f"{self.path}: compaction failed")
