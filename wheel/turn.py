"""Turn: what an outcome does to its job. Pure: one copy of the rules, for every kind of store.

    effect = turn(job, outcome)            decided by the worker, from the job as it was claimed
    job = settled(job, effect, now_ms)     the job afterwards, as the store keeps it

There are three effects. ``End``: the job has finished. ``Again``: it is scheduled once more. ``Keep``: it runs on, with
a note, or with the next fire of its schedule added. A store that settles compares the fencing token first. Then it
looks at the two things that may have changed since the claim: whether the job was asked to end (``cancel_ms``), and
whether a newer job holds its key. Either turns ``Again`` into an end as cancelled. Everything else the worker knows.

The other steps of a job's life are here too: ``begun``, ``unrun``, ``revived``.
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
    """The job is scheduled once more."""

    due_ms: int
    changes: Mapping[str, Any] = NOTHING
    """Other fields of the job that change, by name."""


class Keep(NamedTuple):
    """The job runs on."""

    note: str | None = None
    """Its progress, as JSON text; None to leave what it has said."""
    reason: str | None = None
    """Without a note: what it waits for, or None if it waits for nothing."""
    next: Job | None = None
    """The next fire of the job's schedule: to add, once; it takes over the key."""
    missed: int = 0
    """How many fires in between come to nothing, because this job stands for them."""


Effect = End | Again | Keep

_DONE: Final = End(State.SUCCEEDED, "null")


def turn(job: Job, outcome: Outcome) -> Effect:
    """What an outcome does to a job.

    Args:
        job: as it was claimed.
        outcome: how its run ended.

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
    """What the death of its worker does to a job that had begun: it runs again, or is set aside after max_crashes."""
    crashes = job.crashes + 1
    if crashes < job.max_crashes:
        return Again(job.due_ms, {"crashes": crashes, "reason": reason})
    error = Failure("WorkerCrashed", f"its worker died {crashes} times, the last: {reason}")
    return End(State.FAILED, changes={"crashes": crashes, "error": error, "reason": reason})


# ---- what becomes of the job -----------------------------------------------------------------------------

_BEGUN: Final = changing("state", "attempt", "token", "owner", "started_ms", "reason")
_ENDED: Final = changing("state", "finished_ms", "returned", "owner", "cancel_ms", "wakes")
_AGAIN: Final = changing("state", "due_ms", "owner")


def settled(job: Job, effect: Effect, now_ms: int, *, superseded: bool = False) -> Job:
    """The job after an effect.

    Args:
        job: as the store has it, running.
        effect: what turn() said.
        now_ms: the present, in milliseconds since the epoch.
        superseded: another unfinished job with the job's key is newer.
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
    if "payload" in changes and job.after is not None:  # all arguments are new: nothing is put in front of them again
        changes = {**changes, "after": job.after._replace(gives="nothing")}
    return _AGAIN(job, State.SCHEDULED, effect.due_ms, None)._replace(**changes)


def ended(
    job: Job, state: State, now_ms: int, returned: str | None = None, changes: Mapping[str, Any] = NOTHING
) -> Job:
    """The job once it has finished, in whatever way."""
    job = _ENDED(job, state, now_ms, returned, None, None, ())
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
    """A finished job that is to run once more, as if it had never run; its token goes on growing."""
    return job._replace(
        state=State.SCHEDULED,
        due_ms=due_ms,
        attempt=0,
        crashes=0,
        finished_ms=None,
        returned=None,
        reason=None,
        note=None,
    )


def is_stale(job: Job, now_ms: int) -> bool:
    """Whether it is too late to run a due job: it has expired, or nobody took it within its grace."""
    if job.expires_ms is not None and job.expires_ms <= now_ms:
        return True
    return job.grace_ms is not None and job.due_ms + job.grace_ms < now_ms


def unrun(job: Job, now_ms: int) -> Job:
    """A stale job, ended as expired, with the reason."""
    if job.expires_ms is not None and job.expires_ms <= now_ms:
        reason = "it had expired before its turn came"
    else:
        reason = f"nobody took it within {(job.grace_ms or 0) / 1000:,.10g} s after it was due"
    return ended(job, State.EXPIRED, now_ms, changes={"reason": reason})


def effects(outcomes: Iterable[tuple[Claim, Outcome]]) -> list[tuple[Claim, Effect]]:
    """What Store.settle() takes, from what the runs of claims came to."""
    return [(claim, turn(claim.job, outcome)) for claim, outcome in outcomes]
