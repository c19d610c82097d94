"""Views of a State: which jobs, how many, when the next is due. Nothing here changes the state."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from fnmatch import translate
from functools import lru_cache
from heapq import merge
from itertools import dropwhile, filterfalse, islice

from ...clock import MAX_MS
from ...contract import Cursor, Filter, Found, Stats
from ...job import FINISHED, Job
from ...job import State as JobState
from .limits import paused_queues
from .state import State, job_of
from .tombstone import is_tombstone


def find(state: State, id: str, token: int | None = None) -> Found:
    """The job's state as a Found, for the verbs that change jobs; ``token`` is the one that it must have."""
    job = state.get(id)
    if job is None:
        return Found.UNKNOWN
    if token is not None and job.token != token:
        return Found.CHANGED
    return Found.FINISHED if job.finished else Found(job.state.value)


def claimed_since(state: State, owner: str, token: int) -> list[str]:
    """The ids of an owner's running jobs with a greater token than this, in the order of their tokens."""
    found: list[str] = []
    if state.token > token:
        for id, holder in reversed(state.running.items()):
            if job_of(state.rows[id]).token <= token:
                break
            if holder == owner:
                found.append(id)
    return found[::-1]


def next_due(state: State, queues: Collection[str] | None, without: Collection[str] = ()) -> int | None:
    """See Store.next_due. The queue counts only for jobs that are due: the ring and the snapshot do not know it."""
    firsts = (
        state.ready.earliest(queues, paused_queues(state.limits), without),
        state.ring.next_due(),
        state.frozen.next_due(state.hides),
    )
    return min((first for first in firsts if first is not None), default=None)


def stats(state: State, now_ms: int) -> Stats:
    """See Store.stats."""
    counts = state.counts
    return Stats(
        accepted=counts.accepted,
        scheduled=counts.scheduled,
        overdue=sum(1 for _ in _due_instants(state, now_ms + 1)),
        running=counts.running,
        succeeded=counts.succeeded,
        failed=counts.failed,
        cancelled=counts.cancelled,
        expired=counts.expired,
        hand=state.ring.hand,
        next_due_ms=next_due(state, None),
    )


def density(state: State, now_ms: int, horizon_s: int) -> list[int]:
    """See Density.density."""
    cells = [0] * 3600
    for due_ms in _due_instants(state, now_ms + horizon_s * 1000):
        cells[due_ms // 1000 % 3600] += 1
    return cells


def _due_instants(state: State, before_ms: int) -> Iterator[int]:
    """The due_ms of each scheduled job that is due before an instant."""
    yield from (entry.due_ms for entry in state.ready.entries() if entry.due_ms < before_ms)
    first = state.ring.next_due()
    if first is not None and first < before_ms:
        for _, cycles in state.ring.slots():
            for bucket in cycles.values():
                yield from (due_ms for due_ms in bucket.values() if due_ms < before_ms)
    for due_ms, id, _ in state.frozen.scheduled():
        if due_ms >= before_ms:
            break
        if not state.hides(id):
            yield due_ms


# ---- jobs ------------------------------------------------------------------------------------------------


def jobs(state: State) -> Iterator[Job]:
    """Every job, in no particular order."""
    yield from _unfrozen(state)
    for job in state.frozen.jobs():
        if not state.hides(job.id) and not state.was_tidied(job):
            yield state.counted(job)


def scan(state: State, filter: Filter, limit: int | None, after: Cursor | None = None) -> list[Job]:
    """See Store.scan."""
    if limit is not None and limit <= 0:
        return []
    if after is not None:
        found: Iterator[Job] = dropwhile(lambda job: _by_due(job) <= after, each(state, _from(filter, after.due_ms)))
    elif filter.key is not None and filter.states is not None and not filter.states & FINISHED:
        found = iter(sorted((job for job in _holders(state, filter.key) if passes(job, filter)), key=_by_due))
    else:
        found = each(state, filter)
    return list(islice(found, limit))


def _from(filter: Filter, due_ms: int) -> Filter:
    return filter if (filter.due_from_ms or 0) >= due_ms else replace(filter, due_from_ms=due_ms)


def each(state: State, filter: Filter) -> Iterator[Job]:
    """The jobs that pass a filter, one by one, in the order (due_ms, id).

    Only the places of the remaining jobs are kept; a scheduled job of the snapshot is read when its turn comes.
    """
    parts = (_unfrozen_in_order(state, filter), _frozen_scheduled(state, filter), _frozen_finished(state, filter))
    return merge(*parts, key=_by_due)


def _holders(state: State, key: str) -> Iterator[Job]:
    """The unfinished jobs with a key, found without reading all jobs."""
    holder = state.holder(key)
    ids = dict.fromkeys(state.keys.all_of(key) if holder is None else [*state.keys.all_of(key), holder.id])
    return filter(None, map(state.get, ids))


def _unfrozen_in_order(state: State, filter: Filter) -> Iterator[Job]:
    second = _second_of(state, filter)
    jobs = _unfrozen(state) if second is None else _unfrozen_of(state, second)
    passed = [(job.due_ms, job.id) for job in jobs if passes(job, filter)]
    passed.sort()
    return (job for _, id in passed if (job := state.get(id)) is not None)


def _frozen_scheduled(state: State, filter: Filter) -> Iterator[Job]:
    if filter.states is not None and JobState.SCHEDULED not in filter.states:
        return
    second = _second_of(state, filter)
    for due_ms, id, found in state.frozen.scheduled(None if second is None else second % 3600):
        if filter.due_before_ms is not None and due_ms >= filter.due_before_ms:
            return
        if state.hides(id) or (filter.due_from_ms is not None and due_ms < filter.due_from_ms):
            continue
        job = found or state.frozen.get(id)
        if job is not None and passes(job, filter):
            yield state.counted(job)


def _frozen_finished(state: State, filter: Filter) -> Iterator[Job]:
    if filter.states is not None and not filter.states & FINISHED:
        return
    frozen = state.frozen
    hides = state.hides
    shown = (job for job in frozen.jobs() if job.finished and not hides(job.id) and not state.was_tidied(job))
    ended = (job for job in shown if passes(job, filter))
    for _, id in sorted((job.due_ms, job.id) for job in ended):
        job = frozen.get(id)
        if job is not None:
            yield job


def _second_of(state: State, filter: Filter) -> int | None:
    """The only second beyond the hand whose unfinished jobs can pass, which a ring finds at once; None for others.

    So the definitions of schedules are found among a million jobs: they are due in the last second of time.
    """
    if filter.due_from_ms is None or filter.states is None or filter.states & FINISHED:
        return None
    last_ms = MAX_MS if filter.due_before_ms is None else filter.due_before_ms - 1
    second = filter.due_from_ms // 1000
    return second if second == last_ms // 1000 and second > state.ring.hand else None


def _unfrozen_of(state: State, second: int) -> Iterator[Job]:
    """The scheduled jobs of a second beyond the hand, and all that run."""
    found = map(state.get, [*state.ring.bucket(second), *state.running])
    return (job for job in found if job is not None)


def _unfrozen(state: State) -> Iterator[Job]:
    return map(state.counted, filterfalse(is_tombstone, map(job_of, list(state.rows.values()))))


def passes(job: Job, filter: Filter) -> bool:
    """Whether a job passes a filter."""
    return (
        (filter.states is None or job.state in filter.states)
        and (filter.task is None or job.task == filter.task or ("*" in filter.task and _like(filter.task, job.task)))
        and (filter.queue is None or job.queue == filter.queue)
        and (filter.key is None or job.key == filter.key)
        and (filter.due_from_ms is None or job.due_ms >= filter.due_from_ms)
        and (filter.due_before_ms is None or job.due_ms < filter.due_before_ms)
        and (filter.since_from_ms is None or job.since_ms >= filter.since_from_ms)
        and (filter.since_before_ms is None or job.since_ms < filter.since_before_ms)
        and (filter.error is None or (job.error is not None and filter.error in job.error.words))
    )


def _like(pattern: str, name: str) -> bool:
    """Whether a name is like a pattern with ``*``."""
    return _regex(pattern).fullmatch(name) is not None


@lru_cache
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(re.sub(r"[\[?]", r"[\g<0>]", pattern)))


def _by_due(job: Job) -> tuple[int, str]:
    return job.due_ms, job.id
