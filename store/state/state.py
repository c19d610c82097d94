"""The state machine of a store: jobs over a Ring. Pure: no clock, no lock, no file.

A store *decides* what a verb does (deciding.py), makes that durable as records, and then *applies* them here: live
and on replay the same ``apply`` runs, so a store that was reopened cannot differ from one that was not.

Where a scheduled job is to be found:

    frozen      in the snapshot beneath, untouched since (JSON store only)
    rows+ring   added or changed since, not yet due
    rows+ready  due: taken off the ring (or out of the snapshot), waiting for a claim, in claim order

``rows`` hides what is frozen under the same id. Taking due jobs off the ring is not a change of state (a job that is
due is scheduled until a claim is recorded), so nothing is written for it and a crash undoes it harmlessly.

A row is a Job, or the job's text as bytes: most jobs of a JSON store are added, wait, and are first looked into when
they are due. Looking at a State without changing it is in views.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...job import (
    TRANSITIONS,
    Claim,
    Crashed,
    Event,
    Failed,
    Failure,
    Followed,
    Job,
    Noted,
    Released,
    Retried,
    Skipped,
    Snoozed,
    Succeeded,
    changing,
)
from ...job import State as JobState
from ...ring import Ring
from ..codec import decode_job, is_plain
from ..keeping import is_over
from .changed import changed
from .counts import Counts
from .frozen import NOTHING, Frozen
from .limits import Limits
from .ready import Ready
from .records import (
    Cancelled,
    Claimed,
    Expired,
    Forgotten,
    Moved,
    Paused,
    Record,
    Renewed,
    Rescued,
    Resumed,
    Revived,
    Settled,
)
from .staleness import why_unrun
from .tombstone import is_tombstone, tombstone

Row = Job | bytes
SCHEDULED: Final = JobState.SCHEDULED
RUNNING: Final = JobState.RUNNING


_CLAIMED: Final = changing("state", "attempt", "token", "owner", "lease_until_ms", "started_ms", "reason")
_ENDED: Final = changing("state", "finished_ms", "returned", "owner", "lease_until_ms", "cancel_ms", "wakes")


def job_of(row: Row) -> Job:
    """The job that a row is."""
    return decode_job(row) if isinstance(row, bytes) else row


class State:
    """All jobs of a store and where they stand."""

    __slots__ = ("counts", "frozen", "hides", "keys", "leases", "limits", "ready", "ring", "rows", "running", "token")

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
        """Whether what is frozen under an id is out of date."""
        self.ring: Ring[str] = Ring(hand)
        self.ready = Ready()
        self.keys: dict[str, str] = {}
        self.running: dict[str, str] = {}
        self.leases: dict[str, int] = {}
        self.counts = counts or Counts()
        self.token = token
        self.limits = limits or Limits()
        for job in running:
            self.limits.resume(job)
            self.rows[job.id] = job
            self.running[job.id] = job.owner or ""
            if job.lease_until_ms is not None:
                self.leases[job.id] = job.lease_until_ms
        for job in sorted(running, key=lambda job: job.token):  # of two with one key the later has replaced the earlier
            if job.key is not None and self._frozen_holder(job.key) is None:
                self.keys[job.key] = job.id

    # ---- reading -----------------------------------------------------------------------------------------

    def get(self, id: str) -> Job | None:
        """The job of that id, or None."""
        row = self.rows.get(id)
        if row is None:
            return self.frozen.get(id)
        job = job_of(row)
        return None if is_tombstone(job) else job

    def holder(self, key: str) -> Job | None:
        """The unfinished job that holds a key."""
        id = self.keys.get(key)
        if id is not None:
            return self.get(id)
        job = self._frozen_holder(key)
        if job is not None:
            return job
        running = map(job_of, map(self.rows.__getitem__, self.running))  # replaced while it ran, by one that has ended
        return max((job for job in running if job.key == key), key=lambda job: job.token, default=None)

    def _frozen_holder(self, key: str) -> Job | None:
        for id in self.frozen.find_key(key):
            if id not in self.rows:
                job = self.frozen.get(id)
                if job is not None and job.key == key and not job.finished:
                    return job
        return None

    def dead_leases(self, now_ms: int) -> list[str]:
        """Running jobs whose lease has lapsed."""
        return [id for id, until in self.leases.items() if until <= now_ms]

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is the newest of a running job."""
        row = self.rows.get(claim.job.id)
        return isinstance(row, Job) and row.state is RUNNING and row.token == claim.token

    # ---- sweeping ----------------------------------------------------------------------------------------

    def take_due(self, now_ms: int) -> None:
        """Move everything due from the ring and the snapshot to ``ready``; changes no job.

        A row that is text stays text until it is claimed: many may wait, and the garbage collector looks at each tuple.
        Most need not be parsed twice for that.
        """
        for due_ms, id in self.ring.pop_due(now_ms):
            row = self.rows[id]
            if isinstance(row, bytes) and is_plain(row, due_ms):
                self.ready.add(id, due_ms)
                continue
            job = job_of(row)
            if job.due_ms == due_ms:  # pragma: no branch - only a bug makes them differ; nothing may start early by it
                self.ready.put(job)
        for job in self.frozen.take_due(now_ms, self.hides):
            self.rows[job.id] = job
            if job.key is not None:
                self.keys[job.key] = job.id
            self.ready.put(job)

    # ---- applying ----------------------------------------------------------------------------------------

    def insert(self, id: str, due_ms: int, row: Row, key: str | None = None) -> None:
        """A new scheduled job."""
        self.rows[id] = row
        self.ring.add(id, due_ms)
        counts = self.counts
        counts.accepted += 1
        counts.scheduled += 1
        if key is not None:
            self.keys[key] = id

    def apply(self, record: Record) -> None:
        """Make a recorded change; the same live and on replay."""
        apply: Any = _APPLY[type(record)]
        apply(self, record)

    def _claimed(self, record: Claimed) -> None:
        token, now_ms, owner = record.token, record.now_ms, record.owner
        for id in record.ids:
            job = self._take(id, Event.CLAIM)
            self.rows[id] = _CLAIMED(job, RUNNING, job.attempt + 1, token, owner, record.lease_until_ms, now_ms, None)
            self.running[id] = owner
            if job.limits:
                self.limits.started(job, now_ms)
            if record.lease_until_ms is not None:
                self.leases[id] = record.lease_until_ms
            token += 1
        self.token = max(self.token, token - 1)
        self.counts.running += len(record.ids)
        self.counts.scheduled -= len(record.ids)
        self.ring.advance(now_ms // 1000)  # no effect live, where take_due swept before; on replay it is the sweep

    def _settled(self, record: Settled) -> None:
        for id, _, outcome in record.items:
            job = job_of(self.rows[id])
            if isinstance(outcome, Noted):
                self.rows[id] = outcome.on(job)
                continue
            if isinstance(outcome, Followed):
                self._followed(job, outcome.missed)
                continue
            self._leave(job)
            match outcome:
                case Succeeded(returned=returned):
                    self._finish(job, Event.SUCCEED, record.now_ms, returned=returned)
                case Failed(error=error, reason=reason):
                    self._finish(job, Event.FAIL, record.now_ms, error=error, reason=reason)
                case Retried(due_ms=due_ms, error=error):
                    self._again(changed(job, outcome), Event.RETRY, record.now_ms, due_ms, error=error or job.error)
                case Snoozed(due_ms=due_ms, reason=reason):
                    self._again(job, Event.SNOOZE, record.now_ms, due_ms, attempt=job.attempt - 1, reason=reason)
                case Released(reason=reason):
                    self._again(job, Event.RELEASE, record.now_ms, job.due_ms, attempt=job.attempt - 1, reason=reason)
                case Skipped(reason=reason):
                    self._finish(job._replace(attempt=job.attempt - 1), Event.CANCEL, record.now_ms, reason=reason)
                case Crashed(reason=reason):  # pragma: no branch - there are no more outcomes
                    self._crashed(job, record.now_ms, reason)

    def _followed(self, job: Job, missed: int) -> None:
        """Its key is free for the next fire, which is added with this record."""
        assert job.fire is not None
        if job.key is not None and self.keys.get(job.key) == job.id:
            del self.keys[job.key]
        self.rows[job.id] = job._replace(key=None, fire=job.fire._replace(followed=True, missed=missed))

    def _cancelled(self, record: Cancelled) -> None:
        for id in record.ids:
            if id in self.running:
                self.rows[id] = job_of(self.rows[id])._replace(cancel_ms=record.now_ms, reason=record.reason)
                continue
            job = self._take(id, Event.CANCEL)
            self.counts.scheduled -= 1
            self._finish(job, Event.CANCEL, record.now_ms, reason=record.reason)

    def _expired(self, record: Expired) -> None:
        for id in record.ids:
            job = self._take(id, Event.EXPIRE)
            self.counts.scheduled -= 1
            self._finish(job, Event.EXPIRE, record.now_ms, reason=why_unrun(job, record.now_ms))

    def _moved(self, record: Moved) -> None:
        job = self._take(record.id, Event.RESCHEDULE)  # off the ring first: an id is never on it twice
        self.rows[job.id] = job._replace(due_ms=record.due_ms)
        self.ring.add(job.id, record.due_ms)

    def _revived(self, record: Revived) -> None:
        job = self._take(record.id, Event.REVIVE)
        self.counts.add(job.state, -1)
        self.counts.scheduled += 1
        self.rows[job.id] = job._replace(
            state=SCHEDULED,
            due_ms=record.due_ms,
            attempt=0,
            crashes=0,
            finished_ms=None,
            returned=None,
            reason=None,
            note=None,
        )
        self.ring.add(job.id, record.due_ms)
        if job.key is not None:
            self.keys[job.key] = job.id

    def _forgotten(self, record: Forgotten) -> None:
        for id in record.ids:
            job = self.get(id)
            if job is not None and job.finished:  # a new epoch may have left it out
                self.rows[id] = tombstone(job)

    def _rescued(self, record: Rescued) -> None:
        for id in record.ids:
            job = job_of(self.rows[id])
            self._leave(job)
            self._crashed(job, record.now_ms, record.reason)

    def _leave(self, job: Job) -> None:
        """It runs no longer."""
        del self.running[job.id]
        self.leases.pop(job.id, None)
        self.counts.running -= 1
        if job.limits:
            for barrier in self.limits.ended(job):
                self.ready.open(barrier)

    def _crashed(self, job: Job, now_ms: int, reason: str) -> None:
        crashes = job.crashes + 1
        if crashes < job.max_crashes:
            self._again(job, Event.RESCUE, now_ms, job.due_ms, crashes=crashes, reason=reason)
        else:
            error = Failure("WorkerCrashed", f"its worker died {crashes} times, the last: {reason}")
            self._finish(job, Event.SET_ASIDE, now_ms, crashes=crashes, error=error, reason=reason)

    def _renewed(self, record: Renewed) -> None:
        for id in record.ids:
            self.leases[id] = record.lease_until_ms
            self.rows[id] = job_of(self.rows[id])._replace(lease_until_ms=record.lease_until_ms)

    def _paused(self, record: Paused) -> None:
        self.limits.paused.update(record.names)

    def _resumed(self, record: Resumed) -> None:
        self.limits.paused.difference_update(record.names)
        for name in record.names:
            self.ready.open(name)

    def _take(self, id: str, event: Event) -> Job:
        """A job that is not running; off the ring, if it was scheduled."""
        row = self.rows.get(id)
        job = self.frozen.get(id) if row is None else job_of(row)
        if job is None or (job.state, event) not in TRANSITIONS:
            raise ValueError(f"job {id!r} cannot {event}: it is {'unknown' if job is None else job.state}")
        if job.finished:
            return job
        if row is not None:
            if not self.ready.discard(id):
                self.ring.discard(id, job.due_ms)
        elif job.key is not None:
            self.keys[job.key] = id
        return job

    def _again(self, job: Job, event: Event, now_ms: int, due_ms: int, **changes: Any) -> None:
        if job.cancel_ms is not None:
            self._finish(job._replace(**changes), Event.CANCEL, now_ms, reason=job.reason)
            return
        if job.key is not None:
            if self.keys.get(job.key, job.id) != job.id or self._frozen_holder(job.key) is not None:
                reason = f"replaced by a newer job with the same key before it could {event}"
                self._finish(job._replace(**changes), Event.SUPERSEDE, now_ms, reason=reason)
                return
            self.keys[job.key] = job.id
        state = TRANSITIONS[job.state, event]
        self.rows[job.id] = job._replace(state=state, due_ms=due_ms, owner=None, lease_until_ms=None, **changes)
        self.counts.scheduled += 1
        self.ring.add(job.id, due_ms)

    def _finish(self, job: Job, event: Event, now_ms: int, *, returned: str | None = None, **changes: Any) -> None:
        state = TRANSITIONS[job.state, event]
        ended = _ENDED(job, state, now_ms, returned, None, None, None, ())
        self.rows[job.id] = ended._replace(**changes) if changes else ended
        self.counts.add(state)
        if job.key is not None and self.keys.get(job.key) == job.id:
            del self.keys[job.key]
        for id in job.wakes:
            self._arrive(id, now_ms)

    def _arrive(self, id: str, now_ms: int) -> None:
        """One of those that a job waits for has ended."""
        job = self.get(id)
        if job is None or job.state is not SCHEDULED or job.after is None or job.after.left < 1:
            return
        after = job.after._replace(left=job.after.left - 1)
        due_ms = job.due_ms if after.left else now_ms + after.delay_ms
        self._take(id, Event.RESCHEDULE)
        self.rows[id] = job._replace(after=after, due_ms=due_ms)
        self.ring.add(id, due_ms)

    def forget(self, now_ms: int, failed_ttl_ms: int) -> int:
        """Drop finished rows whose time is over, and say how many; the totals still count them."""
        rows = self.rows.items()
        over = [id for id, row in rows if isinstance(row, Job) and is_over(row, now_ms, failed_ttl_ms)]
        for id in over:
            del self.rows[id]
        return len(over)


_APPLY: Final[dict[type[Record], Any]] = {
    Claimed: State._claimed,
    Settled: State._settled,
    Cancelled: State._cancelled,
    Expired: State._expired,
    Moved: State._moved,
    Revived: State._revived,
    Forgotten: State._forgotten,
    Rescued: State._rescued,
    Renewed: State._renewed,
    Paused: State._paused,
    Resumed: State._resumed,
}
