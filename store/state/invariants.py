"""Invariants: what must always be true of a State, and what is not. `hourwheel check` and every test ask for this."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import groupby

from ...job import FINISHED, Job
from ...job import State as JobState
from . import views
from .state import State, job_of


def violations(state: State) -> list[str]:
    """Every violated invariant, in words; [] if the state is sound. The jobs are read one by one, and not kept."""
    census = _Census(state)
    for job in views.jobs(state):
        census.take(job)
    return [
        *_ledger(state, census.states),
        *_places(state),
        *_claims(state, census),
        *_keys(state, census),
        *_limits(state, census.limits),
        *census.odd,
    ]


class _Census:
    """What is collected from all jobs."""

    def __init__(self, state: State) -> None:
        self._rows = state.rows
        self.states: Counter[JobState] = Counter()
        self.tokens = array("Q")
        self.running: dict[str, str | None] = {}
        self.keys: Counter[str] = Counter()
        """Of scheduled jobs."""
        self.keyed: list[tuple[str, str]] = []
        """(key, id) of each unfinished job in the rows."""
        self.limits: Counter[str] = Counter()
        """Of running jobs."""
        self.odd: list[str] = []

    def take(self, job: Job) -> None:
        self.states[job.state] += 1
        if job.token:
            self.tokens.append(job.token)
        if job.state is JobState.SCHEDULED and job.key is not None:
            self.keys[job.key] += 1
        if job.key is not None and not job.finished and job.id in self._rows:
            self.keyed.append((job.key, job.id))
        if job.state is JobState.RUNNING:
            self.running[job.id] = job.owner
            self.limits.update(bound.name for bound in job.limits if not bound.per_ms)
        self.odd.extend(_odd(job))


def _ledger(state: State, held: Counter[JobState]) -> list[str]:
    counts = state.counts
    found: list[str] = []
    finished = counts.succeeded + counts.failed + counts.cancelled + counts.expired
    if counts.accepted != counts.scheduled + counts.running + finished:
        found.append(
            f"the ledger does not balance: accepted {counts.accepted} != scheduled {counts.scheduled} "
            f"+ running {counts.running} + finished {finished}"
        )
    for name in JobState:
        counted = getattr(counts, name.value)
        if held[name] > counted or (held[name] < counted and name not in FINISHED):  # finished ones may be dropped
            found.append(f"{counted} jobs are counted as {name}, {held[name]} are held")
    return found


def _places(state: State) -> list[str]:
    found: list[str] = []
    ringed: dict[str, int] = {}
    for slot, cycles in state.ring.slots():
        for cycle, bucket in cycles.items():
            for id, due_ms in bucket.items():
                if id in ringed:
                    found.append(f"job {id} is on the ring twice")
                if due_ms // 1000 != cycle * 3600 + slot:
                    found.append(f"job {id}, due at {due_ms}, is in slot {slot} of cycle {cycle}")
                ringed[id] = due_ms
    if len(ringed) != len(state.ring):
        found.append(f"the ring counts {len(state.ring)} entries and holds {len(ringed)}")
    ready = {entry.id for entry in state.ready.entries()}
    for id in state.rows:
        job = state.get(id)
        if job is None:  # forgotten
            continue
        if job.state is JobState.SCHEDULED and ringed.get(id) != job.due_ms and id not in ready:
            found.append(f"job {id} is scheduled, but neither on the ring at {job.due_ms} nor ready")
        if job.state is not JobState.SCHEDULED and id in ringed:
            found.append(f"job {id} is {job.state}, but on the ring")
    found.extend(f"job {id} is on the ring, but not held" for id in ringed if id not in state.rows)
    return found


def _claims(state: State, census: _Census) -> list[str]:
    tokens = array("Q", sorted(census.tokens))
    given = ((token, sum(1 for _ in same)) for token, same in groupby(tokens))
    found = [f"token {token} was given to {count} jobs" for token, count in given if count > 1]
    if tokens and tokens[-1] > state.token:
        found.append(f"token {tokens[-1]} was given, the newest known is {state.token}")
    running = census.running
    if running != state.running:
        found.append(f"running by the jobs: {running!r}, by the claims: {state.running!r}")
    order = [job_of(state.rows[id]).token for id in state.running if id in state.rows]
    if order != sorted(order):
        found.append(f"the running jobs are not in the order of their tokens: {order!r}")
    return found


def _keys(state: State, census: _Census) -> Iterator[str]:
    for key, count in census.keys.items():
        if count > 1:
            yield f"key {key!r} is held by {count} scheduled jobs"
    for key, ids in state.keys.items():
        for id in ids:
            job = state.get(id)
            if job is None or job.finished or job.key != key:
                yield f"key {key!r} is recorded for job {id}, which does not hold it"
    for key, id in census.keyed:
        if id not in state.keys.all_of(key):
            yield f"key {key!r} of job {id} is not recorded"


def _limits(state: State, held: Counter[str]) -> list[str]:
    if held != state.limits.running:
        return [f"running under limits by the jobs: {dict(held)!r}, by the limits: {state.limits.running!r}"]
    return []


def _odd(job: Job) -> Iterator[str]:
    if job.state is JobState.RUNNING and (job.attempt < 1 or job.token < 1 or job.owner is None):
        yield f"job {job.id} is running with attempt {job.attempt}, token {job.token}, owner {job.owner!r}"
    if job.finished and job.finished_ms is None:
        yield f"job {job.id} is {job.state}, but has not finished"
    if job.state is JobState.SCHEDULED and job.owner is not None:
        yield f"job {job.id} is scheduled, but owned by {job.owner}"
    if job.state is not JobState.RUNNING and job.cancel_ms is not None:
        yield f"job {job.id} is {job.state}, but still asked to end"
    if job.after is not None and not 0 <= job.after.left <= len(job.after.ids):
        yield f"job {job.id} waits for {job.after.left} of {len(job.after.ids)} jobs"
    if job.crashes >= job.max_crashes and not job.finished:
        yield f"job {job.id} crashed {job.crashes} times, but is {job.state}"
