"""Deciding what a verb does to a State. Nothing changes here but where due jobs are: on the ring, ready, or chosen."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final, NamedTuple

from ...errors import DuplicateJob, UnknownJob
from ...job import Claim, Job
from ...job import State as JobState
from ...turn import Effect, Keep, is_stale
from ..codec import lane
from .limits import Trial, paused_queues
from .ready import Entry
from .records import Awaited, Record
from .state import State, job_of

_TIDY_AGAIN_MS: Final = 60_000
_MOST_WAKES: Final = 10_000
_ALL: Final = 1 << 62
_BEFORE_ALL: Final = Entry(0, -1, "")


@dataclass(frozen=True, slots=True)
class AddPlan:
    """What add() does: jobs to insert, the pending ones that they replace, and the id that stands for each job."""

    new: list[Job] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    standing: list[str] = field(default_factory=list)


def plan_add(state: State, jobs: Sequence[Job], on_conflict: str) -> AddPlan:
    """See AddPlan. Raises DuplicateJob if on_conflict is "raise" and a key is taken."""
    plan = AddPlan()
    coming: dict[str, Job] = {}
    by_key: dict[str, Job] = {}
    for job in jobs:
        if job.id in coming or state.get(job.id) is not None:
            plan.standing.append(job.id)
            continue
        holder = None
        if job.key is not None:
            holder = by_key.get(job.key) or state.holder(job.key)
        if holder is not None and not _resolve(job, holder, on_conflict, plan, coming):
            plan.standing.append(holder.id)
            continue
        if holder is not None and job.latest_ms is not None and holder.latest_ms is not None:
            latest_ms = min(job.latest_ms, holder.latest_ms)
            job = job._replace(latest_ms=latest_ms, due_ms=min(job.due_ms, latest_ms))  # noqa: PLW2901
        coming[job.id] = job
        plan.standing.append(job.id)
        if job.key is not None:
            by_key[job.key] = job
    plan.new.extend(coming.values())
    return plan


def join(state: State, plan: AddPlan, now_ms: int) -> tuple[list[Job], list[Record]]:
    """Let new jobs wait for jobs that are in the store: (the jobs with what is left for each, what is to be recorded).

    Jobs that are added with them have not ended, and list them in ``wakes`` already.

    Raises:
        UnknownJob: one of the jobs is not in the store.
    """
    coming = {job.id for job in plan.new}
    jobs: list[Job] = []
    waiting: dict[tuple[str, ...], list[str]] = {}
    for job in plan.new:
        ids = () if job.after is None else job.after.ids
        before = tuple(dict.fromkeys(id for id in ids if id not in coming or id == job.id))  # no job waits for itself
        if before:
            waiting.setdefault(before, []).append(job.id)
        jobs.append(_waiting(state, job, before, plan.replaced, now_ms) if before else job)
    return jobs, [
        Awaited([*ids], by[at : at + _MOST_WAKES])
        for ids, by in waiting.items()
        for at in range(0, len(by), _MOST_WAKES)
    ]


def _waiting(state: State, job: Job, before: Sequence[str], replaced: Sequence[str], now_ms: int) -> Job:
    assert job.after is not None
    left = len({*job.after.ids})
    for id in before:
        other = state.get(id)
        if other is None:
            raise UnknownJob(
                f"job {job.id} cannot wait for job {id}: the store never had it, or its result_ttl is over; "
                "nothing was added"
            )
        left -= other.finished or id in replaced
    after = job.after._replace(left=left)
    return job._replace(after=after, due_ms=job.due_ms if left else now_ms + after.delay_ms)


def _resolve(job: Job, holder: Job, on_conflict: str, plan: AddPlan, coming: dict[str, Job]) -> bool:
    if on_conflict == "raise":
        raise DuplicateJob(f"key {job.key!r} is held by job {holder.id}, which is {holder.state}")
    if on_conflict == "keep":
        return False
    if holder.id in coming:
        del coming[holder.id]
        plan.standing[:] = [job.id if id == holder.id else id for id in plan.standing]
    elif holder.state is JobState.SCHEDULED:
        plan.replaced.append(holder.id)
    return True


class Wanted(NamedTuple):
    """What a claim asks for; see Store.claim."""

    limit: int
    queues: Collection[str] | None = None
    without: Collection[str] = ()
    ids: Collection[str] | None = None


def take_due(state: State, now_ms: int, most: int = _ALL) -> Entry | None:
    """Move what is due from the ring and the snapshot to ``ready``; changes no job.

    A row that is text stays text until it is claimed: many may wait, and the garbage collector looks at each tuple.

    Args:
        state: of the store.
        now_ms: the present.
        most: how many to take off the ring, if it has no job with a priority.

    Returns:
        The last entry that was taken off the ring, if others are due there: they come after it in claim order.
    """
    popped = state.ring.pop_due(now_ms, _ALL if state.ranked else most)
    for due_ms, id in popped:
        row = state.rows[id]
        told = lane(row, due_ms) if isinstance(row, bytes) else None
        if told is not None:
            state.ready.add(id, due_ms, told[0], -told[1])
            continue
        state.rows[id] = job = job_of(row)
        if job.due_ms == due_ms:  # pragma: no branch - only a bug makes them differ; then it must not start early
            state.ready.put(job)
    for job in state.frozen.take_due(now_ms, state.hides):
        state.rows[job.id] = job
        if job.key is not None:
            state.keys.add(job.key, job.id)
        state.ready.put(job)
    if state.ranked or len(popped) < most:
        return None
    return Entry(0, *popped[-1]) if popped else _BEFORE_ALL


def choose(state: State, now_ms: int, wanted: Wanted) -> tuple[list[Job], list[str]]:
    """Take the next due jobs that are wanted off ``ready``, in claim order: (to claim, to expire).

    So that the first jobs of a crowded second need not wait for all others, no more than is wanted is taken off the
    ring at first. If they are not recorded then, give them back with ``unchoose``.
    """
    choice = _Choice(state, now_ms, wanted)
    most = wanted.limit if wanted.ids is None else _ALL
    while (last := take_due(state, now_ms, most)) is not None and wanted.limit > 0:
        choice.go_on(last)
        if len(choice.chosen) == wanted.limit:
            break
        most *= 2
    else:
        choice.go_on(None)
    return choice.chosen, choice.expired


class _Choice:
    """The jobs that one claim chooses."""

    def __init__(self, state: State, now_ms: int, wanted: Wanted) -> None:
        self.chosen: list[Job] = []
        self.expired: list[str] = []
        self._state = state
        self._now_ms = now_ms
        self._wanted = wanted
        self._paused = paused_queues(state.limits)
        self._trial = Trial(state.limits, now_ms, wanted.without)

    def go_on(self, last: Entry | None) -> None:
        """Choose among those that are ready, up to ``last`` in claim order."""
        state, wanted = self._state, self._wanted
        before = len(self.chosen), len(self.expired)
        held: list[tuple[str, Entry]] = []
        if wanted.limit > len(self.chosen):
            for queue, entry in _candidates(state, self._now_ms, wanted, self._paused):
                if last is not None and entry > last:
                    held.append((queue, entry))
                    break
                if entry.due_ms > self._now_ms:  # the clock was set back since it was taken off the ring
                    held.append((queue, entry))
                elif self._takes(queue, entry) and len(self.chosen) == wanted.limit:
                    break
        if wanted.ids is None:
            state.ready.put_back(held)
        else:
            for id in (*self.expired[before[1] :], *(job.id for job in self.chosen[before[0] :])):
                state.ready.discard(id)

    def _takes(self, queue: str, entry: Entry) -> bool:
        """Whether a due job is chosen."""
        state, trial = self._state, self._trial
        job = job_of(state.rows[entry.id])
        if is_stale(job, self._now_ms):
            self.expired.append(job.id)
            return False
        if (job.limits or trial.names) and (barrier := trial.barrier(job)) is not None:
            if self._wanted.ids is None:  # otherwise it was not taken
                state.ready.park(queue, entry, barrier)
            return False
        if job.limits:
            trial.take(job)
        state.rows[job.id] = job  # it is decoded, and about to be claimed
        self.chosen.append(job)
        return True


def _candidates(state: State, now_ms: int, wanted: Wanted, paused: Collection[str]) -> Iterator[tuple[str, Entry]]:
    queues = wanted.queues
    if wanted.ids is None:
        yield from state.ready.take(queues, now_ms, paused, wanted.without)
        return
    for entry in state.ready.named(wanted.ids, lambda one: -job_of(state.rows[one]).priority):
        queue = job_of(state.rows[entry.id]).queue
        if queue not in paused and (queues is None or queue in queues):
            yield queue, entry


def unchoose(state: State, ids: Sequence[str]) -> None:
    """Put chosen jobs that could not be recorded back into ``ready``."""
    for id in ids:
        state.ready.put(job_of(state.rows[id]))


def judge(
    state: State, settlements: Sequence[tuple[Claim, Effect]]
) -> tuple[list[tuple[str, int, Effect]], list[Claim], list[Job]]:
    """(items to record, lost claims, jobs to add). A claim is lost if its token is not its job's newest."""
    items: list[tuple[str, int, Effect]] = []
    lost: list[Claim] = []
    new: dict[str, Job] = {}
    ended: set[str] = set()
    followed: set[str] = set()
    for claim, effect in settlements:
        id = claim.job.id
        if id in ended or not state.holds(claim):
            lost.append(claim)
        elif type(effect) is Keep and effect.next is not None:
            if id not in followed and _is_to_be_followed(state, id):
                followed.add(id)
                items.append((id, claim.token, effect))
                if state.get(effect.next.id) is None and not _is_replaced(state, id, effect.next.key):
                    new[effect.next.id] = effect.next
        else:
            if type(effect) is not Keep:  # a note leaves the claim as it was
                ended.add(id)
            items.append((id, claim.token, effect))
    return items, lost, list(new.values())


def _is_to_be_followed(state: State, id: str) -> bool:
    job = state.get(id)
    return job is not None and job.fire is not None and not job.fire.followed


def _is_replaced(state: State, id: str, key: str | None) -> bool:
    """Whether a newer job has the key that a next fire would get, and so comes in its place."""
    job = state.get(id)
    return key is not None and job is not None and job.key == key and state.is_superseded(job)


def refuse_taken_keys(state: State, ids: Sequence[str]) -> None:
    """Raise DuplicateJob if finished jobs that are to run again would share a key with an unfinished job."""
    taken: dict[str, str] = {}
    for id in ids:
        job = state.get(id)
        if job is None or job.key is None:
            continue
        holder = state.holder(job.key)
        if holder is not None:
            raise DuplicateJob(f"key {job.key!r} is held by job {holder.id}, which is {holder.state}")
        if job.key in taken:
            raise DuplicateJob(f"key {job.key!r} is held by job {taken[job.key]}, which is to run again, too")
        taken[job.key] = id


def may_tidy(state: State, now_ms: int) -> bool:
    """Whether there may be finished jobs that are over. For frozen ones that is not known exactly."""
    if state.over and state.over[0][0] <= now_ms:
        return True
    over_ms = state.frozen.over_ms
    lately = any(0 <= now_ms - at < _TIDY_AGAIN_MS for at, _ in state.tidied)
    return over_ms is not None and over_ms <= now_ms and not lately


def over_by(state: State, now_ms: int, limit: int) -> int:
    """The instant by which ``limit`` rows or a few more are over, or ``now_ms`` if there are not so many."""
    heap = state.over
    first: list[tuple[int, str]] = []
    while len(first) < limit and heap and heap[0][0] <= now_ms:
        first.append(heappop(heap))
    for one in first:
        heappush(heap, one)
    return now_ms if len(first) < limit else first[-1][0]
