"""The state machine of a store: jobs over a Ring. Pure: no clock, no lock, no file.

A store *decides* what a verb does (deciding.py), makes that durable as records, and *applies* them here. The same apply
runs live and on replay, so a reopened store cannot differ. Where a scheduled job is:

    frozen      in the snapshot beneath, untouched since (JSON store only)
    rows+ring   added or changed since, not yet due
    rows+ready  due: taken off the ring (or out of the snapshot), waiting for a claim, in claim order

``rows`` hides what is frozen under the same id. A due job is scheduled until a claim is recorded, so taking it off the
ring writes nothing, and a crash undoes it without harm. A row is a Job, or the text of one as bytes: most jobs of a
JSON store wait, and are not decoded until they are due. views.py looks at a State without changing it.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any, Final

from ...job import Claim, Job
from ...job import State as JobState
from ...ring import Ring
from ...turn import Again, Effect, End, Keep, begun, crashed, ended, revived, settled, unrun
from ..codec import decode_job
from ..keeping import is_over, over_ms, was_over
from .counts import Counts
from .frozen import NOTHING, Frozen
from .keys import Keys
from .limits import Limits
from .ready import Ready
from .records import (
    Awaited,
    Cancelled,
    Claimed,
    Expired,
    Forgotten,
    Moved,
    Paused,
    Record,
    Rescued,
    Resumed,
    Revived,
    Settled,
    Tidied,
)
from .tombstone import TOMBSTONE, is_tombstone

Row = Job | bytes
SCHEDULED: Final = JobState.SCHEDULED
RUNNING: Final = JobState.RUNNING


def job_of(row: Row) -> Job:
    """The job that a row is."""
    return decode_job(row) if isinstance(row, bytes) else row


class State:
    """All jobs of a store and where they stand."""

    def __init__(
        self,
        frozen: Frozen = NOTHING,
        *,
        counts: Counts | None = None,
        hand: int = 0,
        token: int = 0,
        running: Sequence[Job] = (),
        limits: Limits | None = None,
        rows: dict[str, Row] | None = None,
    ) -> None:
        self.frozen = frozen
        self.rows: dict[str, Row] = {} if rows is None else rows
        self.hides = self.rows.__contains__
        """Whether the frozen job of an id is out of date."""
        self.ring: Ring[str] = Ring(hand)
        self.ready = Ready()
        self.ranked = False
        """Whether a job on the ring may have a priority, so that the first due is not always the first to claim."""
        self.keys = Keys()
        self.left: dict[str, int] = {}
        """By id of a job that waits for others, how many have not ended; only where that has changed."""
        self.running: dict[str, str] = {}
        """The owner of each running job, in the order of their tokens."""
        self.over: list[tuple[int, str]] = []
        """A heap: when each finished row may be dropped at the earliest, and its id."""
        self.tidied: tuple[Tidied, ...] = ()
        """Tidyings. Frozen jobs that were over at one are not shown any more. None covers less than the last."""
        self.dropped = 0
        """How many finished rows have been dropped."""
        self.counts = counts or Counts()
        self.token = token
        self.limits = limits or Limits()
        for job in sorted(running, key=lambda job: job.token):
            self.limits.resume(job)
            self.rows[job.id] = job
            self.running[job.id] = job.owner or ""
            if job.key is not None:
                self.keys.add(job.key, job.id)

    def place(self, job: Job) -> None:
        """Put a job that is in the rows already, and does not run, where it belongs."""
        if job.finished:
            heappush(self.over, ((job.finished_ms or 0) + job.result_ttl_ms, job.id))
        elif job.state is SCHEDULED:
            self.ranked = self.ranked or job.priority != 0
            self.ring.add(job.id, job.due_ms)
            if job.key is not None:
                self.keys.add(job.key, job.id)

    # ---- reading -----------------------------------------------------------------------------------------

    def get(self, id: str) -> Job | None:
        """The job of that id, or None."""
        row = self.rows.get(id)
        if row is None:
            job = self.frozen.get(id)
            return None if job is None or self.was_tidied(job) else self.counted(job)
        job = job_of(row)
        return None if is_tombstone(job) else self.counted(job)

    def was_tidied(self, job: Job) -> bool:
        """Whether a frozen job was dropped because its time was over."""
        return job.finished and was_over(job, self.tidied) and not self.is_needed(job)

    def is_needed(self, job: Job) -> bool:
        """Whether a job that has not finished waits for this one, or is about to be given its result."""
        return any((other := self._raw(id)) is not None and not other.finished for id in job.wakes)

    def counted(self, job: Job) -> Job:
        """The job, with the number of jobs that it waits for now."""
        left = self.left.get(job.id)
        return job if left is None or job.after is None else job._replace(after=job.after._replace(left=left))

    def fold(self) -> None:
        """Put these numbers into the rows, before the rows are copied."""
        for id in list(self.left):
            self.rows[id] = job = self._take(id)
            self.ring.add(id, job.due_ms)

    def holder(self, key: str) -> Job | None:
        """The unfinished job that holds a key."""
        id = self.keys.newest(key)
        job = None if id is None else self.get(id)
        if job is not None and job.state is SCHEDULED:
            return job
        return self._frozen_holder(key) or job  # a running one was replaced by the frozen one

    def _frozen_holder(self, key: str) -> Job | None:
        for id in self.frozen.find_key(key):
            if id not in self.rows:
                job = self.frozen.get(id)
                if job is not None and job.key == key and not job.finished:
                    return job
        return None

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is the newest of a running job."""
        row = self.rows.get(claim.job.id)
        return isinstance(row, Job) and row.state is RUNNING and row.token == claim.token

    # ---- applying ----------------------------------------------------------------------------------------

    def insert(self, id: str, due_ms: int, row: Row, key: str | None, *, ranked: bool) -> None:
        """A new scheduled job; ``ranked`` if it may have a priority."""
        self.ranked = self.ranked or ranked
        self.rows[id] = row
        self.ring.add(id, due_ms)
        counts = self.counts
        counts.accepted += 1
        counts.scheduled += 1
        if key is not None:
            self.keys.add(key, id)

    def apply(self, record: Record) -> None:
        """Make a recorded change."""
        _APPLY[type(record)](self, record)

    def _claimed(self, record: Claimed) -> None:
        token, now_ms, owner = record.token, record.now_ms, record.owner
        for id in record.ids:
            job = self._take(id)
            self.rows[id] = begun(job, token, owner, now_ms)
            self.running[id] = owner
            if job.limits:
                self.limits.started(job, now_ms)
            token += 1
        self.token = max(self.token, token - 1)
        self.counts.running += len(record.ids)
        self.counts.scheduled -= len(record.ids)
        self.ring.advance(now_ms // 1000)  # live, take_due has swept before; on replay this is the sweep

    def _settled(self, record: Settled) -> None:
        now_ms = record.now_ms
        for id, _, effect in record.items:
            job = job_of(self.rows[id])
            if type(effect) is End:  # the usual one, without the detours of the others
                self._leave(job)
                self._end(job, ended(job, effect.state, now_ms, effect.returned, effect.changes))
            else:
                self._turned(job, effect, now_ms)

    def _rescued(self, record: Rescued) -> None:
        for id in record.ids:
            job = job_of(self.rows[id])
            self._turned(job, crashed(job, record.reason), record.now_ms)

    def _turned(self, job: Job, effect: Effect, now_ms: int) -> None:
        if type(effect) is Keep:
            if effect.next is not None and job.key is not None:  # for the next fire, which this record adds
                self.keys.discard(job.key, job.id)
            self.rows[job.id] = settled(job, effect, now_ms)
            return
        self._leave(job)
        superseded = type(effect) is Again and self.is_superseded(job)
        after = settled(job, effect, now_ms, superseded=superseded)
        if after.state is SCHEDULED:
            self._schedule(after)
        else:
            self._end(job, after)

    def is_superseded(self, job: Job) -> bool:
        """Whether a newer unfinished job holds the key of a running job."""
        key = job.key
        return key is not None and (self.keys.newest(key) != job.id or self._frozen_holder(key) is not None)

    def _leave(self, job: Job) -> None:
        """A job stops running."""
        del self.running[job.id]
        self.counts.running -= 1
        if job.limits:
            for barrier in self.limits.ended(job):
                self.ready.open(barrier)

    def _schedule(self, job: Job) -> None:
        """Schedule a job again that ran, or had finished."""
        self.rows[job.id] = job
        self.counts.scheduled += 1
        self.place(job)

    def _end(self, before: Job, job: Job) -> None:
        """A job has finished; ``before`` is what it was."""
        self.rows[job.id] = job
        self.counts.add(job.state)
        heappush(self.over, ((job.finished_ms or 0) + job.result_ttl_ms, job.id))
        if job.key is not None:
            self.keys.discard(job.key, job.id)
        for id in before.wakes:
            self._arrive(id, job.finished_ms or 0)
        if before.after is not None:
            for other in map(self.rows.get, before.after.ids):  # which are needed no longer
                if isinstance(other, Job) and other.finished:
                    self.place(other)

    def _arrive(self, id: str, now_ms: int) -> None:
        """One of the jobs that a job waits for has ended."""
        left = self.left.get(id)
        if left is None:
            job = self.get(id)
            if job is None or job.state is not SCHEDULED or job.after is None:
                return
            left = job.after.left
        if left > 1:
            self.left[id] = left - 1
        elif left == 1:
            self.left[id] = 0
            job = self._take(id)
            assert job.after is not None
            self.rows[id] = job._replace(due_ms=now_ms + job.after.delay_ms)
            self.ring.add(id, now_ms + job.after.delay_ms)

    def _cancelled(self, record: Cancelled) -> None:
        for id in record.ids:
            if id in self.running:
                self.rows[id] = job_of(self.rows[id])._replace(cancel_ms=record.now_ms, reason=record.reason)
                continue
            job = self._take(id)
            changes: dict[str, Any] = {"reason": record.reason}
            if record.ttl_ms is not None:
                changes["result_ttl_ms"] = min(record.ttl_ms, job.result_ttl_ms)
            self.counts.scheduled -= 1
            self._end(job, ended(job, JobState.CANCELLED, record.now_ms, changes=changes))

    def _expired(self, record: Expired) -> None:
        for id in record.ids:
            job = self._take(id)
            self.counts.scheduled -= 1
            self._end(job, unrun(job, record.now_ms))

    def _moved(self, record: Moved) -> None:
        for id in record.ids:
            job = self._take(id)  # off the ring first: an id is never on it twice
            self.rows[id] = job._replace(due_ms=record.due_ms)
            self.ring.add(id, record.due_ms)

    def _revived(self, record: Revived) -> None:
        for id in record.ids:
            job = self._raw(id)
            if job is None or not job.finished:
                raise ValueError(f"job {id!r} cannot be revived: it is {'unknown' if job is None else job.state}")
            self.counts.add(job.state, -1)
            self._schedule(revived(job, record.due_ms))

    def _awaited(self, record: Awaited) -> None:
        for id in record.ids:
            found = self._raw(id)
            if found is None:
                raise ValueError(f"job {id!r} cannot be waited for: it is unknown")
            job = self._take(id) if found.state is SCHEDULED else found
            self.rows[id] = job = job._replace(wakes=tuple(dict.fromkeys((*job.wakes, *record.by))))
            self.place(job)

    def _forgotten(self, record: Forgotten) -> None:
        for id in record.ids:
            if (job := self._raw(id)) is not None and job.finished:  # a new epoch may have dropped it already
                self._drop(id)

    def _tidied(self, record: Tidied) -> None:
        """Drop the finished rows whose time is over; the totals still count them."""
        now_ms, ttl_ms = record
        self.tidied = (*(one for one in self.tidied if one.now_ms > now_ms or one.failed_ttl_ms < ttl_ms), record)
        over = self.over
        while over and over[0][0] <= now_ms:
            _, id = heappop(over)
            row = self.rows.get(id)
            if not isinstance(row, Job) or not row.finished or is_tombstone(row):
                continue  # revived, or dropped already
            if not is_over(row, now_ms, ttl_ms):
                heappush(over, (over_ms(row, ttl_ms), id))
            elif not (row.wakes and self.is_needed(row)):  # else it is looked at again when the other one has ended
                self._drop(id)

    def _drop(self, id: str) -> None:
        self.dropped += 1
        if self.frozen is NOTHING:
            del self.rows[id]
        else:
            self.rows[id] = TOMBSTONE

    def _paused(self, record: Paused) -> None:
        self.limits.paused.update(record.names)

    def _resumed(self, record: Resumed) -> None:
        self.limits.paused.difference_update(record.names)
        for name in record.names:
            self.ready.open(name)

    def _raw(self, id: str) -> Job | None:
        """The job as rows or the snapshot have it, even if this process has tidied it: records mean this."""
        return self.frozen.get(id) if (row := self.rows.get(id)) is None else job_of(row)

    def _take(self, id: str) -> Job:
        """Take a scheduled job off the ring, or out of ``ready``."""
        job = self._raw(id)
        if job is None or job.state is not SCHEDULED:
            raise ValueError(f"job {id!r} must be scheduled, it is {'unknown' if job is None else job.state}")
        self.ranked = self.ranked or job.priority != 0
        if id not in self.rows:
            if job.key is not None:
                self.keys.add(job.key, id)
        elif not self.ready.discard(id):
            self.ring.discard(id, job.due_ms)
        if self.left:
            job = self.counted(job)
            self.left.pop(id, None)
        return job


_APPLY: Final[dict[type[Record], Any]] = {
    Claimed: State._claimed,
    Settled: State._settled,
    Cancelled: State._cancelled,
    Expired: State._expired,
    Moved: State._moved,
    Revived: State._revived,
    Awaited: State._awaited,
    Forgotten: State._forgotten,
    Tidied: State._tidied,
    Rescued: State._rescued,
    Paused: State._paused,
    Resumed: State._resumed,
}
