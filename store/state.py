"""The state machine of a store: jobs over a Ring. Pure: no clock, no lock, no file.

A store *decides* here what a verb does (``plan_...`` and ``choose``), makes that durable as records, and then
*applies* them: live and on replay the same ``apply`` runs, so a store that was reopened cannot differ from one that
was not.

Where a scheduled job is to be found:

    frozen      in the snapshot beneath, untouched since (JSON store only)
    rows+ring   added or changed since, not yet due
    rows+ready  due: taken off the ring (or out of the snapshot), waiting for a claim, in claim order

``rows`` hides what is frozen under the same id. Taking due jobs off the ring is not a change of state (a job that is
due is scheduled until a claim is recorded), so nothing is written for it and a crash undoes it harmlessly.

A row is a Job, or the job's text as bytes: most jobs of a JSON store are added, wait, and are first looked into when
they are due. Entries of ``ready`` are never removed when a job is cancelled or moved; they are checked when they come
up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final

from ..wheel.contract import Filter, Found, Stats
from ..wheel.errors import DuplicateJob
from ..wheel.job import (
    FINISHED,
    TRANSITIONS,
    Claim,
    Event,
    Failed,
    Failure,
    Job,
    Outcome,
    Released,
    Retried,
    Snoozed,
    State as JobState,
    Succeeded,
)
from ..wheel.ring import Ring
from .frozen import NOTHING, Frozen
from .records import Cancelled, Claimed, Expired, Moved, Record, Renewed, Rescued, Settled, decode_job

Row = Job | bytes
_Entry = tuple[int, int, str]
_COUNTED: Final = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED)
SCHEDULED: Final = JobState.SCHEDULED
RUNNING: Final = JobState.RUNNING


@dataclass(slots=True)
class Counts:
    """What the ledger counts; accepted == scheduled + running + the four totals."""

    accepted: int = 0
    scheduled: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0


@dataclass(frozen=True, slots=True)
class AddPlan:
    """What add() comes to: jobs to insert, pending ones that they replace, and the id that stands for each."""

    new: list[Job] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    standing: list[str] = field(default_factory=list)


class State:
    """All jobs of a store and where they stand."""

    __slots__ = ("_frozen", "_lowest", "counts", "keys", "leases", "ready", "ring", "rows", "running", "token")

    def __init__(
        self, frozen: Frozen = NOTHING, *, counts: Counts | None = None, hand: int = 0, token: int = 0, running: Sequence[Job] = ()
    ) -> None:
        self._frozen = frozen
        self.rows: dict[str, Row] = {}
        self.ring: Ring[str] = Ring(hand)
        self.ready: dict[str, list[_Entry]] = {}
        self._lowest: dict[str, int] = {}
        self.keys: dict[str, str] = {}
        self.running: dict[str, str] = {}
        self.leases: dict[str, int] = {}
        self.counts = counts or Counts()
        self.token = token
        for job in running:
            self.rows[job.id] = job
            self.running[job.id] = job.owner or ""
            if job.key is not None:
                self.keys[job.key] = job.id

    # ---- reading -----------------------------------------------------------------------------------------

    def get(self, id: str) -> Job | None:
        """The job of that id, or None."""
        row = self.rows.get(id)
        if row is None:
            return self._frozen.get(id)
        return decode_job(row) if type(row) is bytes else row  # type: ignore[return-value]

    def holder(self, key: str) -> Job | None:
        """The unfinished job that holds a key."""
        id = self.keys.get(key)
        if id is not None:
            return self.get(id)
        for id in self._frozen.find_key(key):
            if id not in self.rows:
                job = self._frozen.get(id)
                if job is not None and job.key == key and not job.finished:
                    return job
        return None

    def next_due(self, queues: Collection[str] | None = None) -> int | None:
        """The earliest due_ms of a scheduled job, or None."""
        if queues is not None:
            return min((job.due_ms for job in self.scheduled() if job.queue in queues), default=None)
        firsts = [self._frozen.next_due(self.rows.__contains__), self.ring.next_due()]
        firsts += [self._earliest_ready(queue) for queue in self.ready]
        return min((first for first in firsts if first is not None), default=None)

    def stats(self, now_ms: int) -> Stats:
        """The counts at ``now_ms``."""
        counts = self.counts
        return Stats(
            accepted=counts.accepted,
            scheduled=counts.scheduled,
            overdue=sum(1 for _ in self._overdue(now_ms)),
            running=counts.running,
            succeeded=counts.succeeded,
            failed=counts.failed,
            cancelled=counts.cancelled,
            expired=counts.expired,
            hand=self.ring.hand,
            next_due_ms=self.next_due(),
        )

    def density(self, now_ms: int, horizon_s: int) -> list[int]:
        """Scheduled jobs by slot, of those due before the horizon."""
        before_ms = now_ms + horizon_s * 1000
        cells = self.ring.density(before_ms)
        for queue in self.ready:
            for entry in self._live_entries(queue):
                if entry[1] < before_ms:
                    cells[entry[1] // 1000 % 3600] += 1
        for due_ms, id, _ in self._frozen.scheduled():
            if due_ms >= before_ms:
                break
            if id not in self.rows:
                cells[due_ms // 1000 % 3600] += 1
        return cells

    def scan(self, filter: Filter, limit: int) -> list[Job]:
        """Up to ``limit`` jobs that pass, by (due_ms, id)."""
        if limit <= 0:
            return []
        picked: list[Job] = []
        for job in sorted(filter_jobs(self._unfrozen(), filter), key=_by_due)[:limit]:
            picked.append(job)
        frozen = self._frozen_matching(filter, limit)
        return sorted([*picked, *frozen], key=_by_due)[:limit]

    def _frozen_matching(self, filter: Filter, limit: int) -> list[Job]:
        found: list[Job] = []
        if filter.states is None or SCHEDULED in filter.states:
            for due_ms, id, job in self._frozen.scheduled():
                if filter.due_before_ms is not None and due_ms >= filter.due_before_ms:
                    break
                if id in self.rows or (filter.due_from_ms is not None and due_ms < filter.due_from_ms):
                    continue
                job = job or self._frozen.get(id)
                if job is not None and passes(job, filter):
                    found.append(job)
                    if len(found) == limit:
                        break
        if filter.states is None or filter.states & FINISHED:
            ended = (job for job in self._frozen.jobs() if job.finished and job.id not in self.rows)
            found.extend(sorted(filter_jobs(ended, filter), key=_by_due)[:limit])
        return found

    def jobs(self) -> Iterator[Job]:
        """Every job, in no particular order."""
        yield from self._unfrozen()
        for job in self._frozen.jobs():
            if job.id not in self.rows:
                yield job

    def scheduled(self) -> Iterator[Job]:
        """Every scheduled job, in no particular order."""
        for job in self._unfrozen():
            if job.state is SCHEDULED:
                yield job
        for _, id, job in self._frozen.scheduled():
            if id not in self.rows:
                job = job or self._frozen.get(id)
                if job is not None:
                    yield job

    def _unfrozen(self) -> Iterator[Job]:
        for row in list(self.rows.values()):
            yield decode_job(row) if type(row) is bytes else row  # type: ignore[misc]

    def _overdue(self, now_ms: int) -> Iterator[int]:
        for queue in self.ready:
            for entry in self._live_entries(queue):
                if entry[1] <= now_ms:
                    yield entry[1]
        first = self.ring.next_due()
        if first is not None and first <= now_ms:
            for _, buckets in self.ring.slots():
                for bucket in buckets.values():
                    yield from (due_ms for due_ms in bucket.values() if due_ms <= now_ms)
        for due_ms, id, _ in self._frozen.scheduled():
            if due_ms > now_ms:
                break
            if id not in self.rows:
                yield due_ms

    # ---- deciding ----------------------------------------------------------------------------------------

    def plan_add(self, jobs: Sequence[Job], on_conflict: str) -> AddPlan:
        """Which of ``jobs`` are new, which pending ones they replace, and what stands for each.

        Raises:
            DuplicateJob: on_conflict is "raise" and a key is taken.
        """
        plan = AddPlan()
        coming: dict[str, Job] = {}
        by_key: dict[str, Job] = {}
        for job in jobs:
            if job.id in coming or self.get(job.id) is not None:
                plan.standing.append(job.id)
                continue
            holder = None
            if job.key is not None:
                holder = by_key.get(job.key) or self.holder(job.key)
                if holder is not None and holder.id in plan.replaced:
                    holder = None
            if holder is not None and not self._resolve(job, holder, on_conflict, plan, coming):
                plan.standing.append(holder.id)
                continue
            coming[job.id] = job
            plan.standing.append(job.id)
            if job.key is not None:
                by_key[job.key] = job
        plan.new.extend(coming.values())
        return plan

    def _resolve(self, job: Job, holder: Job, on_conflict: str, plan: AddPlan, coming: dict[str, Job]) -> bool:
        if on_conflict == "raise":
            raise DuplicateJob(f"key {job.key!r} is held by job {holder.id}, which is {holder.state}")
        if on_conflict == "keep":
            return False
        if holder.id in coming:
            del coming[holder.id]
            plan.standing[:] = [job.id if id == holder.id else id for id in plan.standing]
        elif holder.state is SCHEDULED:
            plan.replaced.append(holder.id)
        return True

    def dead_leases(self, now_ms: int) -> list[str]:
        """Running jobs whose lease has lapsed."""
        return [id for id, until in self.leases.items() if until <= now_ms]

    def take_due(self, now_ms: int) -> None:
        """Move everything due from the ring and the snapshot to ``ready``; changes no job."""
        for due_ms, id in self.ring.pop_due(now_ms):
            row = self.rows[id]
            job = decode_job(row) if type(row) is bytes else row
            if job.due_ms == due_ms:  # type: ignore[union-attr]
                self.rows[id] = job
                self._make_ready(job)  # type: ignore[arg-type]
        for job in self._frozen.take_due(now_ms, self.rows.__contains__):
            self.rows[job.id] = job
            if job.key is not None:
                self.keys[job.key] = job.id
            self._make_ready(job)

    def choose(self, now_ms: int, limit: int, queues: Collection[str] | None) -> tuple[list[Job], list[str]]:
        """Take the next ``limit`` due jobs off ``ready`` in claim order: (to claim, to expire).

        What was chosen and then not recorded must be given back with ``unchoose``.
        """
        chosen: list[Job] = []
        expired: list[str] = []
        held: list[tuple[str, _Entry]] = []
        heaps = {name: heap for name, heap in self.ready.items() if heap and (queues is None or name in queues)}
        while heaps and len(chosen) < limit:
            queue = min(heaps, key=lambda name: heaps[name][0]) if len(heaps) > 1 else next(iter(heaps))
            entry = heappop(heaps[queue])
            if not heaps[queue]:
                del heaps[queue]
            if not self._is_live(entry, queue):
                continue
            job = self.rows[entry[2]]
            assert type(job) is Job
            if entry[1] > now_ms:
                held.append((queue, entry))
            elif job.expires_ms is not None and job.expires_ms <= now_ms:
                expired.append(job.id)
            else:
                chosen.append(job)
        for queue, entry in held:
            heappush(self.ready[queue], entry)
        return chosen, expired

    def unchoose(self, ids: Sequence[str]) -> None:
        """Give back to ``ready`` what was chosen and could not be recorded."""
        for id in ids:
            job = self.rows[id]
            assert type(job) is Job
            self._make_ready(job)

    def judge(self, settlements: Sequence[tuple[Claim, Outcome]]) -> tuple[list[tuple[str, int, Outcome]], list[Claim]]:
        """(items that hold, claims that are lost): a settlement holds if its token is its job's newest."""
        items: list[tuple[str, int, Outcome]] = []
        lost: list[Claim] = []
        seen: set[str] = set()
        for claim, outcome in settlements:
            id = claim.job.id
            if id in seen or not self.holds(claim):
                lost.append(claim)
            else:
                seen.add(id)
                items.append((id, claim.token, outcome))
        return items, lost

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is the newest of a running job."""
        row = self.rows.get(claim.job.id)
        return type(row) is Job and row.state is RUNNING and row.token == claim.token

    def find(self, id: str) -> Found:
        """How a job stands for somebody who wants to change his mind about it."""
        job = self.get(id)
        if job is None:
            return Found.UNKNOWN
        if job.state is SCHEDULED:
            return Found.SCHEDULED
        return Found.RUNNING if job.state is RUNNING else Found.FINISHED

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
        _APPLY[type(record)](self, record)

    def _claimed(self, record: Claimed) -> None:
        token, now_ms, owner = record.token, record.now_ms, record.owner
        for id in record.ids:
            job = self._take(id, Event.CLAIM)
            self.rows[id] = job._replace(
                state=RUNNING, attempt=job.attempt + 1, token=token, owner=owner, started_ms=now_ms, reason=None
            )
            self.running[id] = owner
            if record.lease_until_ms is not None:
                self.leases[id] = record.lease_until_ms
            token += 1
        self.token = max(self.token, token - 1)
        self.counts.running += len(record.ids)
        self.counts.scheduled -= len(record.ids)
        self.ring.advance(now_ms // 1000)  # no effect live, where take_due swept before; on replay it is the sweep

    def _settled(self, record: Settled) -> None:
        for id, _, outcome in record.items:
            job = self.rows[id]
            assert type(job) is Job
            del self.running[id]
            self.leases.pop(id, None)
            self.counts.running -= 1
            match outcome:
                case Succeeded(returned=returned):
                    self._finish(job, Event.SUCCEED, record.now_ms, returned=returned)
                case Failed(error=error, reason=reason):
                    self._finish(job, Event.FAIL, record.now_ms, error=error, reason=reason)
                case Retried(due_ms=due_ms, error=error):
                    self._again(job, Event.RETRY, due_ms, error=error or job.error)
                case Snoozed(due_ms=due_ms, reason=reason):
                    self._again(job, Event.SNOOZE, due_ms, attempt=job.attempt - 1, reason=reason)
                case Released(reason=reason):
                    self._again(job, Event.RELEASE, job.due_ms, attempt=job.attempt - 1, reason=reason)

    def _cancelled(self, record: Cancelled) -> None:
        for id in record.ids:
            job = self._take(id, Event.CANCEL)
            self.counts.scheduled -= 1
            self._finish(job, Event.CANCEL, record.now_ms, reason=record.reason)

    def _expired(self, record: Expired) -> None:
        for id in record.ids:
            job = self._take(id, Event.EXPIRE)
            self.counts.scheduled -= 1
            self._finish(job, Event.EXPIRE, record.now_ms, reason=f"expired unrun at {record.now_ms}")

    def _moved(self, record: Moved) -> None:
        job = self._take(record.id, Event.RESCHEDULE)  # off the ring first: an id is never on it twice
        self.rows[job.id] = job._replace(due_ms=record.due_ms)
        self.ring.add(job.id, record.due_ms)

    def _rescued(self, record: Rescued) -> None:
        for id in record.ids:
            job = self.rows[id]
            assert type(job) is Job
            del self.running[id]
            self.leases.pop(id, None)
            self.counts.running -= 1
            crashes = job.crashes + 1
            if crashes < job.max_crashes:
                self._again(job, Event.RESCUE, job.due_ms, crashes=crashes, reason=record.reason)
            else:
                error = Failure("WorkerCrashed", f"its worker died {crashes} times, the last: {record.reason}")
                self._finish(job, Event.SET_ASIDE, record.now_ms, crashes=crashes, error=error, reason=record.reason)

    def _renewed(self, record: Renewed) -> None:
        for id in record.ids:
            self.leases[id] = record.lease_until_ms

    def _take(self, id: str, event: Event) -> Job:
        """A scheduled job, off the ring."""
        row = self.rows.get(id)
        job = decode_job(row) if type(row) is bytes else row
        if job is None:
            job = self._frozen.get(id)
        if job is None or (job.state, event) not in TRANSITIONS:
            raise ValueError(f"job {id!r} cannot {event}: it is {'unknown' if job is None else job.state}")
        if row is not None:
            self.ring.discard(id, job.due_ms)
        elif job.key is not None:
            self.keys[job.key] = id
        return job  # type: ignore[return-value]

    def _again(self, job: Job, event: Event, due_ms: int, **changes: object) -> None:
        changed = job._replace(state=TRANSITIONS[job.state, event], due_ms=due_ms, owner=None, **changes)  # type: ignore[arg-type]
        self.rows[job.id] = changed
        self.counts.scheduled += 1
        self.ring.add(job.id, due_ms)

    def _finish(self, job: Job, event: Event, now_ms: int, **changes: object) -> None:
        state = TRANSITIONS[job.state, event]
        self.rows[job.id] = job._replace(state=state, finished_ms=now_ms, owner=None, **changes)  # type: ignore[arg-type]
        setattr(self.counts, state.value, getattr(self.counts, state.value) + 1)
        if job.key is not None and self.keys.get(job.key) == job.id:
            del self.keys[job.key]

    def forget(self, now_ms: int) -> int:
        """Drop finished rows whose result_ttl is over; how many. (The totals still count them.)"""
        over = [
            id
            for id, row in self.rows.items()
            if type(row) is Job and row.finished_ms is not None and row.finished_ms + row.result_ttl_ms <= now_ms
        ]
        for id in over:
            del self.rows[id]
        return len(over)

    # ---- ready -------------------------------------------------------------------------------------------

    def _make_ready(self, job: Job) -> None:
        heap = self.ready.get(job.queue)
        if heap is None:
            heap = self.ready[job.queue] = []
        rank = -job.priority
        if not heap or rank > self._lowest[job.queue]:
            self._lowest[job.queue] = rank
        heappush(heap, (rank, job.due_ms, job.id))

    def _earliest_ready(self, queue: str) -> int | None:
        heap = self.ready[queue]
        while heap and not self._is_live(heap[0], queue):
            heappop(heap)
        if not heap:
            return None
        if heap[0][0] == self._lowest[queue]:  # one priority only, so the first in claim order is the first due
            return heap[0][1]
        return min(entry[1] for entry in self._live_entries(queue))

    def _is_live(self, entry: _Entry, queue: str) -> bool:
        row = self.rows.get(entry[2])
        return type(row) is Job and row.state is SCHEDULED and row.due_ms == entry[1] and row.queue == queue

    def _live_entries(self, queue: str) -> list[_Entry]:
        heap = self.ready[queue]
        live = list({entry for entry in heap if self._is_live(entry, queue)})
        if len(live) < len(heap):
            heap[:] = live
            heapify(heap)
        return live

    # ---- invariants --------------------------------------------------------------------------------------

    def check(self) -> list[str]:
        """Every violated invariant, in words."""
        from .invariants import violations

        return violations(self)


def passes(job: Job, filter: Filter) -> bool:
    """Whether a job passes a filter."""
    return (
        (filter.states is None or job.state in filter.states)
        and (filter.task is None or job.task == filter.task)
        and (filter.queue is None or job.queue == filter.queue)
        and (filter.key is None or job.key == filter.key)
        and (filter.due_from_ms is None or job.due_ms >= filter.due_from_ms)
        and (filter.due_before_ms is None or job.due_ms < filter.due_before_ms)
    )


def filter_jobs(jobs: Iterator[Job], filter: Filter) -> Iterator[Job]:
    """The jobs that pass."""
    return (job for job in jobs if passes(job, filter))


def _by_due(job: Job) -> tuple[int, str]:
    return job.due_ms, job.id


_APPLY: Final[dict[type[Record], Callable[[State, Record], None]]] = {
    Claimed: State._claimed,
    Settled: State._settled,
    Cancelled: State._cancelled,
    Expired: State._expired,
    Moved: State._moved,
    Rescued: State._rescued,
    Renewed: State._renewed,
}  # type: ignore[assignment]
