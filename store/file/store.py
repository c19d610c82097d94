"""JsonStore: the ring in a JSON file, shared by any number of threads and processes of one machine.

Every change is one append to the journal under the writers' lock, however many jobs are pending (keeper.py keeps the
newest epoch open; verbs.py decides; journal.py writes). Here is how a change is made durable:

``sync``: a verb returns when its records are on the disk; threads that wait for the disk at the same time share one
sync. ``interval``: synced within a second, by a thread. ``os``: left to the operating system, so a killed process loses
nothing, a power loss some.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal

from ...clock import Clock, SystemClock
from ...contract import OnConflict
from ...errors import InvalidValue, StoreReentered
from ...job import Job
from ..codec import encode_job
from ..keeping import FAILED_TTL_S, checked_failed_ttl_ms, checked_max_pending
from ..state.records import Record, Rescued, encode_record, portions
from ..state.rescuing import rescued
from ..state.state import State
from ..state.verbs import StateVerbs
from .epoch import Epoch
from .format.lines import frame_add, frame_change
from .group_commit import Together
from .keeper import POLL_S, Keeper
from .system.begun import Mark, read_mark
from .system.lock import SLEEP_CLOCK, drop_inherited, name_of_open_file
from .system.place import place_at, refuse_unsafe
from .system.system import SYSTEM, System

Durability = Literal["sync", "interval", "os"]


class JsonStore(Keeper, StateVerbs):
    """A ring in a JSON file.

    Args:
        path: of the file; made if it does not exist. Its journal, lock and index stand beside it.
        durability: "sync", "interval" or "os".
        lock_timeout_s: how long a verb waits for other processes before it raises StoreBusy, in seconds.
        max_pending: while so many jobs are scheduled, adding one raises TooManyPending; None for no bound but the disk.
            Each process that shares the file has its own. What is tried again or comes next is not refused.
        failed_ttl: how long failed and expired jobs are kept, in seconds or as a timedelta, unless their result_ttl is
            longer.
        allow_network_fs: keep the store on a network file system although its locks cannot be trusted.
        allow_shared_directory: keep it in a directory that anybody may write.
        clock: where the time for dropping old results comes from.
        system: the system calls; for tests.

    Raises:
        StoreUnsafe: the place is refused.
        StoreFormatError: the file is not a store, or was written by a newer Hourwheel.
        StoreCorrupt: it is damaged; nothing was changed.

    >>> store = JsonStore("tasks.json", durability="os")
    >>> store.add([Job(id="a", task="app.remind", due_ms=1000)], 0)
    ['a']
    >>> store.close()
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Durability = "sync",
        lock_timeout_s: float = 10.0,
        max_pending: int | None = None,
        failed_ttl: float | timedelta = FAILED_TTL_S,
        allow_network_fs: bool = False,
        allow_shared_directory: bool = False,
        clock: Clock | None = None,
        system: System = SYSTEM,
    ) -> None:
        if durability not in ("sync", "interval", "os"):
            raise InvalidValue.of("durability", '"sync", "interval" or "os"', durability)
        if not isinstance(lock_timeout_s, (int, float)) or not lock_timeout_s >= 0:
            raise InvalidValue.of("lock_timeout_s", "0 or more seconds", lock_timeout_s)
        self.max_pending = checked_max_pending(max_pending)
        self.failed_ttl_ms = checked_failed_ttl_ms(failed_ttl)
        place = place_at(path)
        refuse_unsafe(place, system, allow_network_fs=allow_network_fs, allow_shared_directory=allow_shared_directory)
        super().__init__(place, system, clock or SystemClock(), durability=durability, lock_timeout_s=lock_timeout_s)
        _NAMES.add(name_of_open_file(self.path))
        self._begin()
        _OPEN.add(self)

    def __repr__(self) -> str:
        return f"JsonStore({self.path!r}, durability={self.durability!r})"

    def _start_afresh(self) -> None:
        super()._start_afresh()
        self._marks: dict[str, Mark] = {}
        self._together = Together(self._add_lot, self._sync)

    def close(self) -> None:
        """Sync what is not synced, and close. Twice is fine."""
        super().close()
        _OPEN.discard(self)

    # ---- the verbs' ground -------------------------------------------------------------------------------

    def add(
        self, jobs: Sequence[Job], now_ms: int, *, on_conflict: OnConflict = "keep", fresh: bool = False
    ) -> list[str]:
        """See Store.add. One fresh job, which is what delay() brings, takes the short way."""
        if not fresh or len(jobs) != 1 or self.max_pending is not None:
            return super().add(jobs, now_ms, on_conflict=on_conflict, fresh=fresh)
        job = jobs[0]
        item = (job, encode_job(job))
        try:
            if self._wants_sync:
                self._together.do(item)
            else:
                self._add_lot([item])
                if self._wants_help:
                    self._help_aside()
        except StoreReentered:  # in a signal's handler: the thread that it has interrupted will do it
            self._add_later(item)
        return [job.id]

    def _add_later(self, item: tuple[Job, str]) -> None:
        if self._together.is_mine():
            self._together.defer(item)
        elif not self._gate.is_mine():  # it has interrupted the opening of this store by somebody else
            raise StoreReentered(self.path)
        else:
            self._gate.defer(lambda: self._together.do(item) if self._wants_sync else self._add_lot([item]))

    def _add_lot(self, lot: Sequence[tuple[Job, str]]) -> tuple[Epoch, int]:
        """Write jobs to add, each a change of its own, at once; returns up to where there is something to sync."""
        return self._gate.run(self._append_lot, lot)

    def _append_lot(self, lot: Sequence[tuple[Job, str]]) -> tuple[Epoch, int]:
        if self._trouble is not None or self._unsure:
            self._mend()
        self._lock.acquire()
        try:
            journal = self._epoch.journal
            if journal.has_more() or self._epoch.sealed is not None or self._identity.stirred():
                self._unsure = True
                self._identity.check(self._lock)
                journal = self._catch_up().journal
                self._unsure = False
            lines = self._lines_of(lot, journal.seq)
            if journal.end + len(lines) > self._compactor.at:
                self._compactor.soon()
            epoch = self._epoch
            insert = epoch.state.insert
            self._unsure = True
            try:
                journal.append(lines, len(lot), reserve=True)
                for job, text in lot:
                    insert(job.id, job.due_ms, text.encode("ascii"), job.key)
            except OSError as error:
                raise self._failed(error) from error
            self._unsure = False
        except Exception as error:
            self._broken_off(error)
            raise
        return epoch, journal.end

    def _lines_of(self, lot: Sequence[tuple[Job, str]], seq: int) -> bytes:
        if len(lot) == 1:
            return frame_add(seq + 1, lot[0][1])
        return b"".join([frame_add(n, text) for n, (_, text) in enumerate(lot, seq + 1)])

    def _commit(self, new: Sequence[Job], records: Sequence[Record]) -> None:
        epoch = self._epoch
        seq = epoch.journal.seq
        parts = [part for record in records for part in portions(record)]
        texts = [encode_record(seq + n, part) for n, part in enumerate(parts, 1)]
        jobs = [encode_job(job) for job in new]
        if not texts and not jobs:
            return
        lines = frame_change(texts, seq + len(texts) + 1, jobs)
        if epoch.journal.end + len(lines) > self._compactor.at:
            self._compactor.soon()
        state = epoch.state
        try:
            epoch.journal.append(lines, len(texts) + len(jobs), reserve=bool(jobs))
            for record in records:
                state.apply(record)  # which may have to read the snapshot, and fail at that
            insert = state.insert
            for job, text in zip(new, jobs, strict=True):
                insert(job.id, job.due_ms, text.encode("ascii"), job.key)
        except OSError as error:
            raise self._failed(error) from error

    # ---- owners ------------------------------------------------------------------------------------------

    def _watch(self, owner: str, now_ms: int) -> None:
        super()._watch(owner, now_ms)
        self._signs.show(self._place.owner(owner))

    def begin(self, owner: str, token: int) -> None:
        """See Beginning.begin."""
        mark = self._marks.get(owner)
        if mark is None or mark.ended:
            self.paused()  # which opens everything anew in a forked child, the directory of the sign, too
            sign = self._place.owner(owner)
            self._signs.show(sign)
            mark = self._marks[owner] = self._signs.mark(sign, self._clock.now_ms())
        if token:
            mark.begun(token)

    def _rescues(self, state: State, owner: str, now_ms: int) -> list[Record]:
        records = super()._rescues(state, owner, now_ms)
        lapsed = {id for record in records if isinstance(record, Rescued) for id in record.ids}
        for name in set(state.running.values()) - {owner}:
            sign = self._place.owner(name)
            if self._signs.died(sign, now_ms):
                ids = [id for id, holder in state.running.items() if holder == name and id not in lapsed]
                records += rescued(state, ids, read_mark(self._system, sign), f"its worker {name} died", now_ms)
                self._signs.bury(sign)
        return records

    # ---- waking ------------------------------------------------------------------------------------------

    def wait(self, timeout_s: float) -> bool:
        """See Wakeup.wait. Other processes are noticed within 30 ms."""
        left, before = timeout_s, SLEEP_CLOCK.monotonic()
        while True:
            if self._bell.wait(min(left, POLL_S)):
                return True
            now = SLEEP_CLOCK.monotonic()
            left -= max(POLL_S, now - before)  # each wait lasts a little longer; or the clock stands still, in a test
            before = now
            if self._trouble is not None or self._others_wrote():
                return True
            if left <= 0:
                return False

    def _others_wrote(self) -> bool:
        try:
            return self._epoch.journal.has_more()
        except OSError:  # left for a newer epoch a moment ago, or unreadable: whoever looks will be told
            return True

    def notify(self) -> None:
        """See Wakeup.notify."""
        self._bell.ring()


_OPEN: Final[weakref.WeakSet[JsonStore]] = weakref.WeakSet()
_NAMES: Final[set[str]] = set()
"""Of every store there has been: a thread may hold a file of one that it is about to open, or to close."""


def _after_fork_in_child() -> None:
    for store in list(_OPEN):
        store._forget_parent()
    drop_inherited(_NAMES)


os.register_at_fork(after_in_child=_after_fork_in_child)
