"""Why a job has not run yet, in sentences. Pure: takes the job and the facts, returns text.

The first sentence says what holds the job back now; the others say what will hold it back after that. If a job is due
tomorrow and its queue is paused, you want to know today.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ..job import Bound, Job, State
from ..schedules.stored import DEFINITION
from ..tasks.options.limit import in_words
from .known import Known
from .processes import Process
from .when import counted, local, since, span, until

_SOON_MS: Final = 2_000
"""A job that is late by less than this is simply about to start."""
_SHOWN: Final = 5
_POSTPONED: Final = ("unregistered: ", "not run in the pool that took it: ", "no schedule named ")
_NOT_NEEDED: Final = {"succeeded": "succeed", "failed": "end, one of them by failing", "finished": "end"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about a job at one moment, besides the job itself."""

    now_ms: int
    """That moment, in milliseconds since the epoch."""
    paused: frozenset[str] = frozenset()
    """``queue:<name>``, ``task:<name>`` and ``schedule:<name>``."""
    before: tuple[tuple[str, Job | None], ...] = ()
    """The jobs that it is chained after, with their ids; None for a job that the store no longer has."""
    holders: Mapping[str, tuple[Job, ...]] = field(default_factory=dict)
    """The running jobs that count against a concurrency limit, by the limit's name."""
    opens_ms: Mapping[str, int] = field(default_factory=dict)
    """When a rate limit lets the next job start, by the limit's name."""
    ahead: int = 0
    """How many due jobs that are not paused are claimed before it."""
    running: int = 0
    """How many jobs are running."""
    waiting: int = 0
    """How many of the running jobs are waiting for others in get()."""
    awaited: tuple[tuple[str, Job | None], ...] = ()
    """The jobs that this one is waiting for in get(), with their ids."""
    processes: tuple[Process, ...] | None = None
    """The processes that take jobs; None if the store cannot tell."""
    taken_ms: int = 0
    """When a job was last taken, in milliseconds since the epoch; 0 for never."""
    known: Known | None = None
    """What the app knows about the job; None without an app."""
    queues: frozenset[str] | None = None
    """The queues that the app serves; None for all, or without an app."""

    @property
    def alive(self) -> list[Process]:
        """The processes that are alive."""
        return [one for one in self.processes or () if one.alive]


def reasons(job: Job, facts: Facts) -> list[str]:
    """Return what state a job is in and, if it has not run, why: at least one sentence, the most important one first.

    >>> reasons(Job(id="a", task="app.mail", due_ms=90_000), Facts(now_ms=0))[0]
    'It is not due yet: it is due in 1m 30s, at 1970-01-01 00:01:30 UTC.'
    """
    if job.finished:
        return [_finished(job, facts)]
    if job.state is State.RUNNING:
        return list(_running(job, facts))
    if job.task == DEFINITION and job.fire is not None:
        name = job.fire.schedule
        return [f"It is the definition of schedule {name}: data, which is never due. `hourwheel schedules` lists it."]
    return [*_delays(job, facts), *_unfit(job, facts), *_given_back(job, facts)] or [_in_turn(job, facts)]


def held_up(job: Job, facts: Facts) -> str | None:
    """The first sentence of reasons(), from few_facts_of(); None if those facts do not suffice."""
    if job.finished or job.state is State.RUNNING:
        return reasons(job, facts)[0]
    return next(_delays(job, facts), None)


def _delays(job: Job, facts: Facts) -> Iterator[str]:
    for delay in (_waiting, _not_due, _too_late, _held, _not_taken):
        yield from delay(job, facts)


# ---- finished, running -----------------------------------------------------------------------------------


def _finished(job: Job, facts: Facts) -> str:
    when = "" if job.finished_ms is None else f" {since(job.finished_ms, facts.now_ms)}"
    runs = "its first attempt" if job.attempt == 1 else f"attempt {job.attempt}"
    why = f": {job.reason}" if job.reason else ""
    match job.state:
        case State.SUCCEEDED:
            return f"It has run: {runs} succeeded{when}."
        case State.FAILED:
            error = f": {_error(job)}" if job.error else ""
            return f"It has run and failed{when}, in {runs}{error}.{_besides(job)} `hourwheel retry` runs it again."
        case State.EXPIRED:
            if job.attempt:
                return f"It will not run again: it expired{when}, after {_times(job.attempt)}{why}."
            return f"It has not run and will not: it expired{when}{why}."
    tried = f", after {_times(job.attempt)}" if job.attempt else ", unrun"
    return f"It will not run: it was cancelled{when}{tried}{why}."


def _besides(job: Job) -> str:
    return f" ({job.reason})" if job.reason and (job.error is None or job.reason not in job.error.message) else ""


def _running(job: Job, facts: Facts) -> Iterator[str]:
    for_ = "" if job.started_ms is None else f" for {span(max(0, facts.now_ms - job.started_ms))}"
    what = f"attempt {job.attempt} has been running{for_}"
    holder = _holder(job, facts)
    if holder is not None and not holder.alive:
        took = "" if job.started_ms is None else f" {since(job.started_ms, facts.now_ms)}"
        yield (
            f"Its process has died: {job.owner} took it{took}. The next sweep of any process releases it, and it "
            "starts again."
        )
        yield from _not_taken(job, facts)
    elif holder is not None and holder.stopped:
        yield f"It runs, but its process is stopped: {what} in {_named(holder)}; send it SIGCONT."
    else:
        yield f"It runs: {what}, in {_named(holder) if holder is not None else job.owner}."
    for id, one in facts.awaited:
        yield f"It waits in get() for job {id}, which {_state_of(one, facts.now_ms)}. `hourwheel why {id}` says more."
    if job.cancel_ms is not None:
        yield f"It was asked to stop {since(job.cancel_ms, facts.now_ms)}; its function has not returned yet."


def _holder(job: Job, facts: Facts) -> Process | None:
    """The process that runs it; a dead one if it has no owner file; None if unknown."""
    if facts.processes is None or job.owner is None:
        return None
    return next((one for one in facts.processes if one.owner == job.owner), Process(owner=job.owner, alive=False))


# ---- scheduled: not yet ----------------------------------------------------------------------------------


def _waiting(job: Job, facts: Facts) -> Iterator[str]:
    after = job.after
    if after is None or not after.left:
        return
    left = [(id, one) for id, one in facts.before if one is None or not one.finished]
    shown = [f"{id} {_state_of(one, facts.now_ms)}" for id, one in left[:_SHOWN]]
    if len(left) > _SHOWN:
        shown.append(f"and {len(left) - _SHOWN} more")
    who = "1 other job" if after.left == 1 else f"{after.left} other jobs"
    yield f"It waits for {who} to {_NOT_NEEDED.get(after.need, 'end')}: {'; '.join(shown) or 'see `hourwheel check`'}."


def _state_of(job: Job | None, now_ms: int) -> str:
    if job is None:
        return "is no longer in the store"
    if job.state is State.RUNNING:
        return f"({job.task}) is running"
    if job.after is not None and job.after.left:
        return f"({job.task}) is waiting for others itself"
    return f"({job.task}) is due {until(job.due_ms, now_ms)}" if job.due_ms > now_ms else f"({job.task}) is due"


def _not_due(job: Job, facts: Facts) -> Iterator[str]:
    if job.due_ms <= facts.now_ms or (job.after is not None and job.after.left):
        return
    when = f"in {span(job.due_ms - facts.now_ms)}, at {local(job.due_ms)}"
    if job.reason is not None and job.reason.startswith(_POSTPONED):
        yield f"It was postponed ({job.reason}). It is offered again {when}."
    elif job.attempt and job.error is not None:
        yield f"It is tried again {when}: {_times(job.attempt)} failed, the last by {_error(job)}."
    elif job.attempt:
        yield f"It runs again {when}, after {_times(job.attempt)}{f' ({job.reason})' if job.reason else ''}."
    else:
        snoozed = f" It was postponed: {job.reason}." if job.reason else ""
        yield f"It is not due yet: it is due {when}.{snoozed}"


def _too_late(job: Job, facts: Facts) -> Iterator[str]:
    now_ms = facts.now_ms
    if job.expires_ms is not None and job.expires_ms <= now_ms:
        yield f"It is too late: it expired {since(job.expires_ms, now_ms)}. The next sweep ends it unrun."
    elif job.grace_ms is not None and job.due_ms + job.grace_ms < now_ms:
        late = span(now_ms - job.due_ms)
        yield (
            f"It is too late: it is {late} late, and {span(job.grace_ms)} is allowed. The next sweep ends it unrun "
            '(misfire="skip").'
        )
    elif job.expires_ms is not None and job.expires_ms <= job.due_ms:
        yield f"It expires before it is due, at {local(job.expires_ms)}, so it will end unrun."


# ---- scheduled: held back --------------------------------------------------------------------------------


def _held(job: Job, facts: Facts) -> Iterator[str]:
    for name, what, option in (("queue", job.queue, "--queue"), ("task", job.task, "--task")):
        if f"{name}:{what}" in facts.paused:
            yield f"Its {name} {what} is paused: `hourwheel resume {option} {what}` resumes it."
    if job.fire is not None and not job.fire.followed and f"schedule:{job.fire.schedule}" in facts.paused:
        name = job.fire.schedule
        yield f"Its schedule {name} is paused: `hourwheel resume --schedule {name}` resumes it."
    if job.due_ms <= facts.now_ms:
        for bound in job.limits:
            yield from _rate(bound, facts) if bound.per_ms else _used_up(bound, facts)


def _rate(bound: Bound, facts: Facts) -> Iterator[str]:
    opens_ms = facts.opens_ms.get(bound.name, 0)
    if opens_ms > facts.now_ms:
        yield (
            f"Its limit {bound.name} ({in_words(bound)}) lets the next job start in {span(opens_ms - facts.now_ms)}, "
            f"at {local(opens_ms, milliseconds=True)}."
        )


def _used_up(bound: Bound, facts: Facts) -> Iterator[str]:
    holders = facts.holders.get(bound.name, ())
    if len(holders) < bound.most:
        return
    shown = [
        f"{one.id}{'' if one.started_ms is None else f' (for {span(max(0, facts.now_ms - one.started_ms))})'}"
        for one in holders[:_SHOWN]
    ]
    if len(holders) > _SHOWN:
        shown.append(f"{len(holders) - _SHOWN} more")
    yield f"Its limit {bound.name} ({in_words(bound)}) is used up by running jobs: {', '.join(shown)}."


# ---- scheduled: nobody takes it --------------------------------------------------------------------------


def _not_taken(job: Job, facts: Facts) -> Iterator[str]:
    if facts.processes is None:
        return
    if not facts.alive:
        last = f"the last was taken {since(facts.taken_ms, facts.now_ms)}" if facts.taken_ms else "none was ever taken"
        yield (
            "No process is alive that takes jobs from this store"
            f" ({last}): start one with `hourwheel worker`, app.start() or `hourwheel run-due`."
        )
    elif all(one.stopped for one in facts.alive):
        yield f"Every process that takes jobs is stopped: {_all_named(facts.alive)}; send SIGCONT."
    elif all(one.queues is not None and job.queue not in one.queues for one in facts.alive):
        yield f"No live process takes jobs from queue {job.queue} (-Q): {_all_named(facts.alive)}."


def _unfit(job: Job, facts: Facts) -> Iterator[str]:
    known = facts.known
    if known is None:
        return
    if known.name is None:
        names = " or ".join(known.near)
        guess = f" If it is called {names} now, add aliases=[{job.task!r}] to that task." if names else ""
        yield f"The app does not know its task {job.task}.{guess}"
    if known.orphaned is not None:
        yield f"The app has no schedule {known.orphaned}, so this fire waits for a process that has it."
    if known.misfit is not None:
        yield f"Its arguments no longer fit the function: {known.misfit}."
    if known.refusal is not None:
        yield f"The app's pool cannot run its task: {known.refusal}."
    if facts.queues is not None and job.queue not in facts.queues:
        yield f"The app takes jobs from {', '.join(sorted(facts.queues))} only; this one is in queue {job.queue}."


def _given_back(job: Job, facts: Facts) -> Iterator[str]:
    if job.due_ms <= facts.now_ms and job.reason is not None and job.reason.startswith(_POSTPONED):
        yield f"It was released ({job.reason}). A process that can run it will take it at once."


def _in_turn(job: Job, facts: Facts) -> str:
    """The sentence for a due job that nothing is known to hold back."""
    late_ms = facts.now_ms - job.due_ms
    sent = f" It was postponed: {job.reason}." if job.reason else ""
    if late_ms < _SOON_MS:
        return f"It is due, and starts as soon as a worker is free.{sent}"
    run = "1 job runs" if facts.running == 1 else f"{facts.running:,} jobs run"
    if facts.waiting:
        all_ = "all" if facts.waiting == facts.running else f"{facts.waiting:,}"
        run += f" ({all_} of them wait for others in get())"
    said = f"It has been due for {span(late_ms)}: {_ahead(facts.ahead)}, and {run} now.{sent} Either all workers"
    if facts.processes is None:
        return f"{said} are busy, or none takes queue {job.queue}, or there are none."
    unknown = "" if facts.known else f", or none knows task {job.task}"
    return f"{said} of {_all_named(facts.alive)} are busy, or none takes queue {job.queue} (-Q){unknown}."


def _ahead(count: int) -> str:
    return "no job goes before it" if not count else f"{counted(count)} {'goes' if count == 1 else 'go'} before it"


# ---- words -----------------------------------------------------------------------------------------------


def _times(count: int) -> str:
    return "1 attempt" if count == 1 else f"{count} attempts"


def _error(job: Job) -> str:
    assert job.error is not None
    message = job.error.message.strip().partition("\n")[0]
    return f"{job.error.type}: {message}" if message else job.error.type


def _named(process: Process) -> str:
    if process.pid is None:
        return process.owner
    return f"{process.owner} (pid {process.pid}{f': {process.command}' if process.command else ''})"


def _all_named(processes: list[Process]) -> str:
    shown = [_named(one) for one in processes[:_SHOWN]]
    if len(processes) > _SHOWN:
        shown.append(f"{len(processes) - _SHOWN} more")
    return ", ".join(shown)
