"""Keeper: passes the changes of all threads of a process to the newest epoch of a JSON store, one at a time.

*Exceptions from outside* (Ctrl-C, a signal's handler) may strike at any line. Everything is done inside a Gate, which
none can leave held. While what is in memory is being changed it is ``_unsure``, and stays so if the change is broken
off: then the next verb reads again what is on the disk, which has the whole change or nothing of it.

*Poison.* After a failed write or sync nobody knows what is on the disk, and asking again may be answered with a lie
(the kernel reports a failed write-back once). Nothing more is acknowledged from that journal: the next verb reads back
what is there and writes it, whole and synced, into a new epoch. ``_trouble`` is what the next verb has to do first.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from ...errors import HourwheelError, SoftTimeLimitExceeded, StoreBusy, StoreClosed, StoreError, StoreReentered
from ...job import Job
from ...safety.gate import LEAST_PATIENCE_S, Gate
from ..state.records import Record
from ..state.state import State
from .background import Background
from .compactor import Compactor, change_nothing
from .epoch import Epoch
from .format.journal import NoRoom
from .group_commit import GroupCommit
from .newest import Newest
from .system.begun import Mark
from .system.failure import store_error, uncertain
from .system.lock import drop_inherited, name_of_open_file
from .system.place import network_type
from .system.watch import POLL_S, Watch

R = TypeVar("R")
Item = tuple[Job, bytes]
"""A job to add, and its text."""
Upto = tuple[Epoch, int]
"""An offset in the journal of an epoch."""

_INTERVAL_S: Final = 0.5


class Keeper:
    """Lets all verbs read, write and add; each of them sees what every process has written."""

    def __init__(self, newest: Newest, *, durability: str) -> None:
        self.path: Final = newest.place.path
        self.newest: Final = newest
        self._durability = durability
        self._wants_sync = durability == "sync"
        self._wants_help = durability == "interval"
        self._deaf = network_type(newest.place.directory) is not None
        self._closed = False
        self._trouble: Callable[[], None] | None
        self._start_afresh()
        _NAMES.add(name_of_open_file(self.path))
        self._begin()
        _OPEN.add(self)

    # ---- opening and closing -----------------------------------------------------------------------------

    def _start_afresh(self) -> None:
        """Make anew everything that a thread of the parent may have held at the moment of a fork; open nothing."""
        self._gate = Gate(self.path, patience_s=max(LEAST_PATIENCE_S, self.newest.lock_timeout_s))
        self._unsure = False
        """The state in memory may be half changed: an exception from outside struck in the middle of a change."""
        self._trouble = self._begin
        self.watch = Watch(deaf=self._deaf)
        self._marks: dict[str, Mark] = {}
        self._background = Background()
        self._compactor = Compactor(self, self.newest, self._background)
        self._group_commit = GroupCommit[Item, Upto](lambda lot: self._gate.run(self._append_lot, lot), self._sync)

    def _begin(self) -> None:
        self.newest.open()
        self._gate.on_leave = self.newest.lock.release
        self._trouble = None
        self._unsure = False
        if self._wants_help:
            self._background.every(_INTERVAL_S, self._sync_quietly)

    def close(self) -> None:
        """Sync what is not synced, and close. Twice is fine."""
        if not self._closed:
            self._background.stop()
            self._gate.run(self._close)
            self.watch.close()
        _OPEN.discard(self)

    def _close(self) -> None:
        if self._closed:
            return
        newest, trouble = self.newest, self._trouble
        try:
            if self._wants_help and trouble == self._renew:
                self._renew()  # what was acknowledged is not on the disk yet
            elif self._durability != "os" and trouble in (None, self._reread):
                newest.epoch.journal.sync()
            if trouble is None and not self._unsure:
                newest.fold()
        except HourwheelError:
            raise
        except OSError as error:
            newest.seal_doubtful()
            raise uncertain(error, f"{self.path}: the last changes may not be on the disk") from error
        finally:
            self._trouble = self._raise_closed
            newest.close()
            self._closed = True

    def _raise_closed(self) -> None:
        raise StoreClosed(f"the store {self.path} is closed")

    def forget_parent(self) -> None:
        """In a forked child: close what is shared with the parent, unlock nothing, and open again at the first verb."""
        if not self._closed:
            self.newest.close(forked=True)
        trouble = self._trouble
        self._start_afresh()
        if self._closed:  # a thread may have been closing the store
            self._trouble = trouble

    # ---- adding ------------------------------------------------------------------------------------------

    def add(self, item: Item) -> None:
        """Add one fresh job, given with its text. This is the short way for delay()."""
        try:
            if self._wants_sync:
                self._group_commit.do(item)
            else:
                self._gate.run(self._append_lot, [item])
                if self._wants_help:
                    self._help_sync()
        except StoreReentered:  # in a signal handler: the interrupted thread will do it
            for gate in (self._group_commit.gate, self._gate):
                if gate.is_mine():
                    gate.defer(lambda: self.add(item))
                    return
            raise  # it has interrupted the opening of this store

    def _append_lot(self, lot: Sequence[Item]) -> Upto:
        """Write jobs to add, each a change of its own; returns up to where the journal must be synced."""
        if self._trouble is not None or self._unsure:
            self._mend()
        newest = self.newest
        newest.lock.acquire()
        self._unsure = True
        try:
            epoch = newest.epoch
            journal = epoch.journal
            if journal.has_more() or epoch.sealed is not None or newest.identity.stirred():
                epoch = self._catch_up()
                journal = epoch.journal
            try:
                epoch.add(lot)
            except OSError as error:
                raise self.failed(error) from error
            if journal.end > epoch.most:
                self._compactor.soon()
            self._unsure = False
        except Exception as error:
            self._broken_off(error)
            raise
        return epoch, journal.end

    # ---- changing and reading ----------------------------------------------------------------------------

    def writing(self, change: Callable[[State], R]) -> R:
        """See StateVerbs._changing."""
        result, epoch, end = self._gate.run(self._change, change)
        if self._wants_sync:  # even if it has changed nothing: what it saw of others may not be on the disk yet
            self._sync((epoch, end))
        elif self._wants_help:
            self._help_sync()
        return result

    def _change(self, change: Callable[[State], R]) -> tuple[R, Epoch, int]:
        self._mend()
        self.newest.lock.acquire()
        self._unsure = True
        try:
            epoch = self._catch_up()
            result = change(epoch.state)
        except Exception as error:
            self._broken_off(error)
            raise
        self._unsure = False
        return result, epoch, epoch.journal.end

    def commit(self, new: Sequence[Job], records: Sequence[Record]) -> None:
        """See StateVerbs._commit."""
        epoch = self.newest.epoch
        try:
            epoch.commit(new, records)
        except OSError as error:
            raise self.failed(error) from error
        if epoch.journal.end > epoch.most:
            self._compactor.soon()

    def reading(self, look: Callable[[State], R], *, one: bool = False) -> R:
        """See StateVerbs._reading."""
        try:
            return self._gate.run(self._look, look)
        except StoreReentered:  # a signal handler must not wait for the thread that it has interrupted
            if self._trouble is not None or not one:
                raise
            return look(self.newest.epoch.state)

    def _look(self, look: Callable[[State], R]) -> R:
        self._mend()
        newest = self.newest
        try:
            if newest.identity.may_have_changed(newest.epoch):
                newest.lock.acquire()
                self._unsure = True
                self._catch_up()
                self._unsure = False
                newest.lock.release()
            return look(newest.epoch.state)
        except Exception as error:
            self._broken_off(error)
            raise

    def wait(self, timeout_s: float) -> bool:
        """See Wakeup.wait."""
        return self.watch.wait(timeout_s, lambda: self.newest.epoch.journal, self.has_news)

    def has_news(self) -> bool:
        """Whether others have written, or something must be repaired."""
        try:
            return self._trouble is not None or self.newest.epoch.journal.has_more()
        except OSError:  # replaced by a newer epoch just now, or unreadable: the next verb will tell
            return True

    def begun(self, owner: str, token: int) -> None:
        """See Beginning.begin."""
        mark = self._marks.get(owner)
        if mark is None or mark.ended:
            self.reading(change_nothing)  # in a forked child this opens everything again, also the directory
            newest = self.newest
            sign = newest.place.owner(owner)
            newest.signs.show(sign)
            mark = self._marks[owner] = newest.signs.mark(sign, newest.clock.now_ms())
        if token:
            mark.begun(token)

    def _mend(self) -> None:
        """Do what a verb must do before anything else."""
        if self._trouble is not None:
            self._trouble()
        if self._unsure:
            self._reread()

    def _catch_up(self) -> Epoch:
        """The newest epoch, with all that others have written. The lock is held."""
        newest = self.newest
        if not newest.identity.may_have_changed(newest.epoch):
            return newest.epoch
        newest.identity.check(newest.lock)
        try:
            return newest.catch_up()
        except HourwheelError:
            raise
        except OSError as error:
            raise self.failed(error) from error

    # ---- durability --------------------------------------------------------------------------------------

    def _sync(self, upto: Upto) -> None:
        """Return when everything up to an offset in the journal of an epoch is on the disk."""
        epoch, end = upto
        journal = epoch.journal
        if journal.synced >= end:
            return  # another thread's sync was ours as well
        try:
            if epoch is self.newest.epoch or journal.broken:
                journal.sync(end)  # else a newer epoch was begun, and that was synced as a whole
        except OSError as error:
            if epoch is self.newest.epoch:
                failed = self.failed(error)
                self._gate.run(lambda: self.newest.seal_doubtful() if epoch is self.newest.epoch else None)
                raise failed from error
            raise uncertain(error, f"{self.path}: whether this change is on the disk is not known") from error

    def _help_sync(self) -> None:
        """For "interval": sync in this thread, if the background thread should have done so but cannot be started."""
        if (sync := self._background.overdue()) is not None:
            sync()

    def _sync_quietly(self) -> None:
        """For "interval": sync, also what other processes wrote before they died, and repair what has failed."""
        epoch = self.newest.epoch
        with suppress(HourwheelError):
            if self._trouble is None:
                self._sync((epoch, epoch.journal.end))
        with suppress(HourwheelError, OSError):  # closed, or still failing: in half a second again
            if self._trouble is not None or epoch.journal.has_more():
                self.writing(change_nothing)
                epoch = self.newest.epoch
                self._sync((epoch, epoch.journal.end))

    # ---- failures ----------------------------------------------------------------------------------------

    def failed(self, error: OSError) -> StoreError:
        """The error for a failed system call. Unless nothing was written, the journal is poisoned."""
        if isinstance(error, NoRoom):
            self._unsure = False
            self._compactor.make_room(error)
            return store_error(error, f"{self.path}: nothing was written")
        self.newest.epoch.journal.broken = True
        self._trouble = self._renew
        return uncertain(error, f"{self.path}: whether this change is on the disk is not known")

    def doubt(self) -> None:
        """Make the next verb read again what is on the disk."""
        self._trouble = self._reread

    def _broken_off(self, error: Exception) -> None:
        """A verb has failed. The state in memory is whole after errors of ours, raised before anything is changed.

        Raises:
            StoreError: in place of an OSError.
        """
        if isinstance(error, HourwheelError) and not isinstance(error, SoftTimeLimitExceeded):
            self._unsure = False
            return
        self._unsure = True
        if isinstance(error, OSError):
            raise store_error(error, f"{self.path} cannot be read") from error

    def _reread(self) -> None:
        """Read again what is on the disk. Inside the gate."""
        try:
            self.newest.reopen(sync=self._wants_sync)
        except HourwheelError as error:
            if isinstance(error.__cause__, OSError):  # perhaps of a sync: what is read the next time may not be there
                self._trouble = self._renew
                self.newest.seal_doubtful()
            raise
        self._trouble = None
        self._unsure = False

    def _renew(self) -> None:
        """After a failure: read back what is there, and write it into a new epoch. Inside the gate."""
        self.newest.reopen(renew=True)
        self._trouble = None
        self._unsure = False

    def compact(self) -> None:
        """See JsonStore.compact."""
        waited, most = 0.0, self.newest.lock_timeout_s
        while not self._compactor.run():
            if waited >= most:
                raise StoreBusy(f"{self.path}: another process or thread has been compacting it for {most} s")
            self.watch.rest(POLL_S)
            waited += POLL_S


_OPEN: Final[weakref.WeakSet[Keeper]] = weakref.WeakSet()
_NAMES: Final[set[str]] = set()
"""The names of all stores there have been: a thread may be opening or closing a file of any."""


def _after_fork_in_child() -> None:
    for keeper in list(_OPEN):
        keeper.forget_parent()
    drop_inherited(_NAMES)


os.register_at_fork(after_in_child=_after_fork_in_child)
