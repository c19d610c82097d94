"""Turn: what an outcome does to its job. Pure, and the same for every kind of store.

    effect = turn(job, outcome)            decided by the worker, from the job as it was claimed
    job = settled(job, effect, now_ms)     the job afterwards, as the store keeps it

There are three effects. ``End``: the job has finished. ``Again``: it is scheduled again. ``Keep``: it runs on, with a
note, or with the next fire of its schedule added. To settle, a store first compares the fencing tokens. Then it checks
what may have changed since the claim: whether the job was asked to end (``cancel_ms``), and whether a newer job holds
its key. In both cases, ``Again`` becomes an end as cancelled.

The other steps of a job's life are here, too: ``begun``, ``unrun``, ``revived``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from .job import (
    Claim,
    Crashed,
    Failed,
    Failure,
    Job,
    Outcome,
    Released,
    Retried,
    Skipped,
    Snoozed,
    State,
    Succeeded,
    bare,
    changing,
)

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
SUPERSEDED: Final = "replaced by a newer job with the same key while it ran"


class End(NamedTuple):
    """The job has finished."""

    state: State
    returned: str | None = None
    """The result as JSON text."""
    changes: Mapping[str, Any] = NOTHING
    """Other fields of the job that change, by name."""


class Again(NamedTuple):
    """The job is scheduled again."""

    due_ms: int
    changes: Mapping[str, Any] = NOTHING
    """Other fields of the job that change, by name."""


class Keep(NamedTuple):
    """The job runs on."""

    note: str | None = None
    """Its progress, as JSON text; None to leave it."""
    reason: str | None = None
    """Without a note: what it waits for, or None if it waits for nothing."""
    next: Job | None = None
    """The next fire of the job's schedule, to be added once. The key passes to it."""
    missed: int = 0
    """How many fires in between are not added, because this job stands for them."""


Effect = End | Again | Keep

_DONE: Final = End(State.SUCCEEDED, "null")


def turn(job: Job, outcome: Outcome) -> Effect:
    """What an outcome does to a job, given as it was claimed.

    >>> turn(Job(id="a", task="t", due_ms=5, attempt=1), Released())
    Again(due_ms=5, changes={'attempt': 0, 'reason': None})
    """
    if type(outcome) is Succeeded:
        return _DONE if outcome.returned == "null" else bare(End, (State.SUCCEEDED, outcome.returned, NOTHING))
    match outcome:
        case Failed(error=error, reason=reason):
            effect: Effect = End(State.FAILED, changes={"error": error, "reason": reason})
        case Retried(due_ms=due_ms):
            effect = Again(due_ms, _of_retry(outcome))
        case Snoozed(due_ms=due_ms, reason=reason):
            effect = Again(due_ms, {"attempt": job.attempt - 1, "reason": reason})
        case Released(reason=reason):
            effect = Again(job.due_ms, {"attempt": job.attempt - 1, "reason": reason})
        case Skipped(reason=reason):
            effect = End(State.CANCELLED, changes={"attempt": job.attempt - 1, "reason": reason})
        case Crashed(reason=reason):
            effect = crashed(job, reason)
        case _:
            raise TypeError(f"outcome must be one of hourwheel.Outcome, got {outcome!r:.80}")
    return effect


def _of_retry(asked: Retried) -> dict[str, Any]:
    names = ("error", "queue", "priority", "expires_ms", "payload")
    return {name: value for name in names if (value := getattr(asked, name)) is not None}


def crashed(job: Job, reason: str) -> Effect:
    """What the death of its worker does to a started job: it runs again, or is set aside after max_crashes."""
    crashes = job.crashes + 1
    if crashes < job.max_crashes:
        return Again(job.due_ms, {"crashes": crashes, "reason": reason})
    error = Failure("WorkerCrashed", f"its worker died {crashes} times, the last: {reason}")
    return End(State.FAILED, changes={"crashes": crashes, "error": error, "reason": reason})


# ---- the job afterwards ---------------------------------------------------------------------------------

_BEGUN: Final = changing("state", "attempt", "token", "owner", "started_ms", "reason")
_ENDED: Final = changing("state", "finished_ms", "returned", "owner", "cancel_ms")
_AGAIN: Final = changing("state", "due_ms", "owner")


def settled(job: Job, effect: Effect, now_ms: int, *, superseded: bool = False) -> Job:
    """The job after an effect of turn().

    Args:
        job: the running job, as the store has it.
        effect: what to do.
        now_ms: the current time.
        superseded: whether a newer unfinished job has the job's key.
    """
    if isinstance(effect, End):
        return ended(job, effect.state, now_ms, effect.returned, effect.changes)
    if isinstance(effect, Keep):
        return _kept(job, effect)
    changes = effect.changes
    if job.cancel_ms is not None:
        return ended(job, State.CANCELLED, now_ms, changes={**changes, "reason": job.reason})
    if superseded:
        return ended(job, State.CANCELLED, now_ms, changes={**changes, "reason": SUPERSEDED})
    if "payload" in changes and job.after is not None:  # all arguments are new: put no results before them
        changes = {**changes, "after": job.after._replace(gives="nothing")}
    return _AGAIN(job, State.SCHEDULED, effect.due_ms, None)._replace(**changes)


def ended(
    job: Job, state: State, now_ms: int, returned: str | None = None, changes: Mapping[str, Any] = NOTHING
) -> Job:
    """The job once it has finished."""
    job = _ENDED(job, state, now_ms, returned, None, None)
    return job._replace(**changes) if changes else job


def _kept(job: Job, effect: Keep) -> Job:
    if effect.next is not None:
        assert job.fire is not None
        return job._replace(key=None, fire=job.fire._replace(followed=True, missed=effect.missed))
    if effect.note is not None:
        return job._replace(note=effect.note)
    return job if job.cancel_ms is not None else job._replace(reason=effect.reason)


def begun(job: Job, token: int, owner: str, now_ms: int) -> Job:
    """The job as it is claimed: its attempt is counted before it starts."""
    return _BEGUN(job, State.RUNNING, job.attempt + 1, token, owner, now_ms, None)


def revived(job: Job, due_ms: int) -> Job:
    """A finished job that is to run as if it had never run; but its token goes on growing."""
    return job._replace(
        state=State.SCHEDULED,
        due_ms=due_ms,
        attempt=0,
        crashes=0,
        finished_ms=None,
        returned=None,
        reason=None,
        note=None,
        wakes=(),  # they have been woken
    )


def is_stale(job: Job, now_ms: int) -> bool:
    """Whether it is too late to run a due job: it has expired, or its grace is over."""
    if job.expires_ms is not None and job.expires_ms <= now_ms:
        return True
    return job.grace_ms is not None and job.due_ms + job.grace_ms < now_ms


def unrun(job: Job, now_ms: int) -> Job:
    """A stale job, once it has ended as expired, with the reason."""
    if job.expires_ms is not None and job.expires_ms <= now_ms:
        reason = "it had expired before its turn came"
    else:
        reason = f"nobody took it within {(job.grace_ms or 0) / 1000:,.10g} s after it was due"
    return ended(job, State.EXPIRED, now_ms, changes={"reason": reason})


def effects(outcomes: Iterable[tuple[Claim, Outcome]]) -> list[tuple[Claim, Effect]]:
    """The outcomes of claims as Store.settle() takes them."""
    return [(claim, turn(claim.job, outcome)) for claim, outcome in outcomes]
