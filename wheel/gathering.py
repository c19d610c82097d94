"""What a job that waited for others is given of them. Pure, but for the look at those others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import log
from .contract import Store
from .events import Events
from .job import After, Claim, Failed, Failure, Job, Outcome, Skipped, State
from .payload import decode_call, encode_call

Look = Callable[[str], Job | None]


def sift(claims: Sequence[Claim], store: Store, on: Events) -> tuple[Sequence[Claim], list[tuple[Claim, Outcome]]]:
    """(claims to be run, with what they waited for; claims that end without being run); the hooks hear of those."""
    if all(claim.job.after is None for claim in claims):
        return claims, []
    to_run: list[Claim] = []
    ended: list[tuple[Claim, Outcome]] = []
    for claim in claims:
        found = gathered(claim.job, store.get)
        if isinstance(found, Job):
            to_run.append(claim._replace(job=found))
        else:
            log.unmet(claim.job, found)
            if isinstance(found, Skipped):
                on.skipped.tell(claim.job._replace(reason=found.reason))
            ended.append((claim, found))
    return to_run, ended


def gathered(job: Job, look: Look) -> Job | Outcome:
    """The job with what it waited for in front of its arguments, or what becomes of it if that is not to be had.

    Args:
        job: one that has been claimed.
        look: gives a job by its id, or None.
    """
    after = job.after
    if after is None:
        return job
    ended = [look(id) for id in after.ids]
    bad = next((one for one in ended if one is None or one.state is not State.SUCCEEDED), None)
    good = bad is None and None not in ended
    if after.need == "failed" and not any(one is not None and one.state is State.FAILED for one in ended):
        return Skipped(reason="not needed: nothing that it waited for has failed")
    if after.need == "succeeded" and not good:
        return _unmet(after, ended)
    given = _given(after, ended)
    if not given:
        return job
    args, kwargs = decode_call(job.payload)
    return job._replace(payload=encode_call((*given, *args), kwargs))


def _given(after: After, ended: list[Job | None]) -> tuple[Any, ...]:
    match after.gives:
        case "result":
            return (None if ended[0] is None else ended[0].result,)
        case "results":
            return (after.arranged([None if one is None else one.result for one in ended]),)
        case "id":  # of the first that failed; the others may have failed because it did
            return (next((one.id for one in ended if one is not None and one.state is State.FAILED), after.ids[0]),)
    return ()


def _unmet(after: After, ended: list[Job | None]) -> Outcome:
    """The first of those that did not succeed decides."""
    for id, one in zip(after.ids, ended, strict=True):
        if one is None:
            error = Failure("LookupError", f"job {id}, which it waited for, is not in the store any more")
            return Failed(error=error, reason="its result_ttl was over, or it was never stored")
        if one.state is State.FAILED:
            error = one.error or Failure("JobFailed", one.reason or "")
            return Failed(error=error, reason=f"job {id} of {one.task}, which it waited for, failed")
        if one.finished and one.state is not State.SUCCEEDED:
            return Skipped(reason=f"job {id} of {one.task}, which it waited for, {_ended_as(one)}")
    return Skipped(reason="it was to run before what it waits for has ended")


def _ended_as(job: Job) -> str:
    verb = "expired" if job.state is State.EXPIRED else "was cancelled"
    return f"{verb}: {job.reason}" if job.reason else verb
