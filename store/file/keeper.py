"""Keeper: holds the newest epoch of a JSON store open, for all threads, beside other processes.

Whoever takes the lock applies what others have appended, and goes over to an epoch that another process has begun.

*Exceptions from outside* (Ctrl-C, a signal's handler) may strike at any line. Everything is done inside a Gate, which
none can leave held. While what is in memory is being changed it is ``_unsure``, and stays so if the change is broken
off: then the next verb reads anew what is on the disk, where the change stands whole or not at all.

*Poison.* After a failed write or sync nobody knows what is on the disk, and asking again may be answered with a lie
(the kernel reports a failed write-back once). Nothing more is acknowledged from that journal: the next verb reads back
what is there and writes it, whole and synced, into a new epoch. ``_trouble`` is what the next verb has to do first.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from ...clock import Clock
from ...errors import HourwheelError, SoftTimeLimitExceeded, StoreBusy, StoreClosed, StoreError, StoreReentered
from ...safety.gate import LEAST_PATIENCE_S, Gate
from ..doorbell import Doorbell
from ..keeping import FAILED_TTL_MS
from ..state.state import State
from .ahead import catch_up, open_first, open_next
from .background import Aside
from .closing import fold
from .compactor import Compactor
from .epoch import Epoch
from .format.journal import NoRoom
from .identity import Identity
from .system.failure import opening_error, store_error
from .system.lock import LifeSigns
from .system.place import Place
from .system.system import System
from .system.within import within

R = TypeVar("R")

POLL_S: Final = 0.03
_INTERVAL_S: Final = 0.5


class Keeper:
    """The newest epoch at a place, and all that keeps it so."""

    failed_ttl_ms: int = FAILED_TTL_MS
    """How long failed and expired jobs are kept, in milliseconds, unless their result_ttl is longer."""

    def __init__(self, place: Place, system: System, clock: Clock, *, durability: str, lock_timeout_s: float) -> None:
        self.path: Final = place.path
        self.durability: Final = durability
        self._place = place
        self._system = within(place.directory, system)
        self._outer = system
        self._clock = clock
        self._lock_timeout_s = lock_timeout_s
        self._wants_sync = durability == "sync"
        self._wants_help = durability == "interval"
        self._closed = False
        self._trouble: Callable[[], None] | None
        self._aside: Aside
        self._compactor: Compactor
        self._signs: LifeSigns
        self._start_afresh()

    # ---- opening and closing -----------------------------------------------------------------------------

    def _begin(self) -> None:
        """Open everything; also in a forked child, which must take over nothing but the path."""
        self._identity = Identity(self._place, self._system, self._outer)
        self._lock = self._identity.hold(timeout_s=self._lock_timeout_s).know_handlers()
        self._gate.on_leave = self._lock.release
        try:
            try:
                self._open_epoch()
            finally:
                self._lock.release()
        except BaseException as error:
            self._lock.close()
            self._system.let_go()
            if isinstance(error, OSError) and not isinstance(error, HourwheelError):
                raise opening_error(error, f"{self.path} cannot be opened") from error
            raise
        self._compactor.plan()
        self._trouble = None
        self._unsure = False
        if self.durability == "interval":
            self._aside.every(_INTERVAL_S, self._sync_quietly)

    def _open_epoch(self) -> None:
        epoch = self._epoch = open_first(self._place, self._system, self._lock)
        try:
            self._identity.note(epoch)
            if (self._lock.made and epoch.journal.seq > 0) or epoch.doubtful:  # who holds a removed lock must notice
                self._compactor.run_now(epoch)
            self._identity.confirm(self._epoch)
        except BaseException:
            self._epoch.close()
            raise
        self._signs.bury_idle(self._place, self._epoch.state.running.values())

    def _start_afresh(self) -> None:
        """Make whatever a thread of a parent process may have held at the moment of a fork; opens nothing."""
        patience_s = max(LEAST_PATIENCE_S, self._lock_timeout_s)
        self._gate = Gate(self.path, patience_s=patience_s)
        self._unsure = False
        """What is in memory may be half changed: an exception from outside struck while it was being changed."""
        self._trouble = self._begin
        self._bell = Doorbell()
        self._signs = LifeSigns(self._system)
        self._aside = Aside()
        self._compactor = Compactor(self)

    def close(self) -> None:
        """Sync what is not synced, and close. Twice is fine."""
        if self._closed:
            return
        self._aside.stop()
        self._gate.run(self._close)
        self._bell.ring()

    def _close(self) -> None:
        if self._closed:
            return
        trouble = self._trouble
        try:
            if self.durability == "interval" and trouble == self._renew:
                self._renew()  # what was acknowledged is not on the disk yet
            elif self.durability != "os" and trouble in (None, self._reread):
                self._epoch.journal.sync()
            if trouble is None and not self._unsure:
                now_ms = self._clock.now_ms()
                fold(self._place, self._system, self._lock, self._identity, self._epoch, now_ms, self.failed_ttl_ms)
        except HourwheelError:
            raise
        except OSError as error:
            self._seal_doubtful(self._epoch)
            raise store_error(error, f"{self.path}: the last changes may not be on the disk") from error
        finally:
            self._trouble = self._raise_closed
            self._epoch.close()
            busy = {self._place.owner(name) for name in self._epoch.state.running.values()}
            self._signs.close(remove=True, keep=busy)
            self._lock.close()
            self._system.let_go()
            self._closed = True

    def _raise_closed(self) -> None:
        raise StoreClosed(f"the store {self.path} is closed")

    def _forget_parent(self) -> None:
        """In a forked child: close what is shared with the parent, unlock nothing, and open anew at the first verb."""
        if not self._closed:
            self._signs.close(remove=False)
            self._lock.close()
            self._epoch.close()
            self._system.let_go()
        trouble = self._trouble
        self._start_afresh()
        if self._closed:  # a thread may have been closing the store
            self._trouble = trouble

    # ---- what every verb passes ----------------------------------------------------------------------------

    def _changing(self, change: Callable[[State], R]) -> R:
        """See StateVerbs._changing."""
        result, epoch, end = self._gate.run(self._change, change)
        if self._wants_sync:  # also if this verb has changed nothing: what it saw of others may not be on the disk yet
            self._sync((epoch, end))
        elif self._wants_help:
            self._help_aside()
        return result

    def _help_aside(self) -> None:
        """For "interval": sync in this thread what the thread aside should have synced, if there can be none."""
        if (sync := self._aside.overdue()) is not None:
            sync()

    def _change(self, change: Callable[[State], R]) -> tuple[R, Epoch, int]:
        self._mend()
        self._lock.acquire()
        self._unsure = True
        try:
            self._identity.check(self._lock)
            epoch = self._catch_up()
            result = change(epoch.state)
        except Exception as error:
            self._broken_off(error)
            raise
        self._unsure = False
        return result, epoch, epoch.journal.end

    def _reading(self, look: Callable[[State], R], *, one: bool = False) -> R:
        """See StateVerbs._reading."""
        try:
            return self._gate.run(self._look, look)
        except StoreReentered:  # a signal's handler, which must not wait for the thread that it has interrupted
            if self._trouble is not None or not one:
                raise
            return look(self._epoch.state)

    def _look(self, look: Callable[[State], R]) -> R:
        self._mend()
        try:
            if self._identity.may_have_changed(self._epoch):
                self._lock.acquire()
                self._unsure = True
                self._identity.check(self._lock)
                self._catch_up()
                self._unsure = False
                self._lock.release()
            return look(self._epoch.state)
        except Exception as error:
            self._broken_off(error)
            raise

    def _mend(self) -> None:
        """What has to be done before anything else."""
        if self._trouble is not None:
            self._trouble()
        if self._unsure:
            self._reread()

    def _catch_up(self) -> Epoch:
        """The newest epoch, with all that others have written. The lock is held."""
        epoch = self._epoch
        try:
            if epoch.journal.has_more():
                catch_up(epoch, self._lock)
            while epoch.sealed is not None:
                epoch = self._follow_seal(epoch)
            self._identity.confirm(epoch)
        except HourwheelError:
            raise
        except OSError as error:
            raise self._failed(error) from error
        return epoch

    def _follow_seal(self, epoch: Epoch) -> Epoch:
        newer = self._identity.known(open_next(self._place, self._system, self._lock, epoch.number))
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
        """Write what is read of a doubtful epoch into a new one. The lock is held, inside the gate."""
        try:
            self._compactor.run_now(doubtful)
        finally:
            doubtful.close()
        return self._epoch

    def _switch(self, newer: Epoch) -> None:
        older, self._epoch = self._epoch, newer
        self._identity.note(newer)
        older.close()
        self._compactor.plan()

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
        self._gate.run(lambda: self._seal_doubtful(epoch) if epoch is self._epoch else None)

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
                self._changing(_nothing)
                epoch = self._epoch
                self._sync((epoch, epoch.journal.end))

    def _failed(self, error: OSError) -> StoreError:
        """What to tell the caller of a failed call; unless nothing was written, the journal is poisoned."""
        if isinstance(error, NoRoom):
            self._unsure = False
            self._compactor.make_room(error)
            return store_error(error, f"{self.path}: nothing was written")
        self._epoch.journal.broken = True
        self._trouble = self._renew
        return store_error(error, f"{self.path}: whether this change is on the disk is not known")

    def _broken_off(self, error: Exception) -> None:
        """A verb has failed. What is in memory is whole if the error is one that we raise before we change anything.

        Raises:
            StoreError: in the place of an OSError.
        """
        if isinstance(error, HourwheelError) and not isinstance(error, SoftTimeLimitExceeded):
            self._unsure = False
            return
        self._unsure = True
        if isinstance(error, OSError):
            raise opening_error(error, f"{self.path} cannot be read") from error

    def _reread(self) -> None:
        """Forget what is in memory and open the newest epoch. Inside the gate."""
        self._lock.acquire()
        try:
            self._identity.check(self._lock)
            found = self._identity.reopen()
            if found.doubtful:
                self._redo(found)
            else:
                self._go_over_to(found)
            self._trouble = None
            self._unsure = False
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
        """After a failure: read back what is there, and write it into a new epoch. Inside the gate."""
        self._lock.acquire()
        try:
            self._identity.check(self._lock)
            self._redo(self._identity.reopen())
        except HourwheelError:
            raise
        except OSError as error:
            raise store_error(error, f"{self.path}: no new epoch can be written") from error
        finally:
            self._lock.release()
        self._trouble = None
        self._unsure = False

    def compact(self) -> None:
        """Begin a new epoch now; other callers need not wait for it.

        Raises:
            StoreBusy: another process or thread has been at it for lock_timeout_s.
            StoreError: it could not be written; the store goes on in the old epoch.
        """
        waited = 0.0
        while not self._compactor.run():
            if waited >= self._lock_timeout_s:
                raise StoreBusy(f"{self.path}: somebody else has been compacting for {self._lock_timeout_s} s")
            self._bell.wait(POLL_S)
            waited += POLL_S


def _nothing(_: State) -> None:
    """The change that changes nothing: whoever makes it has caught up."""
