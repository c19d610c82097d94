"""Pass results to a job that waited for other jobs.

This is done by the worker that is about to run the job, not by the ticker. The results may be larger than the arguments
of a call (payload.GATHERED_BYTES): a chord of ten thousand results of a kilobyte each is allowed. Their JSON texts are
joined as they are stored, and decoded only once, for the function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from ...errors import PayloadError
from ...job import After, Failed, Failure, Job, Outcome, Skipped, State
from ...payload import GATHERED_BYTES, decode_call, encode, encode_call

Look = Callable[[Sequence[str]], Sequence[Job | None]]
_BARE: Final = "[["


def gathered(job: Job, look: Look) -> Job | Outcome:
    """Return the job with the results that it waited for as first argument, or an outcome if it cannot run.

    Args:
        job: a claimed job.
        look: returns for each id the job, or None.

    Raises:
        PayloadError: the results are too large, or the job's own arguments cannot be decoded.
        StoreError: the other jobs could not be read.
    """
    after = job.after
    if after is None:
        return job
    ended = list(look(after.ids))
    good = all(one is not None and one.state is State.SUCCEEDED for one in ended)
    if after.need == "failed" and not any(one is not None and one.state is State.FAILED for one in ended):
        return Skipped(reason="not needed: nothing that it waited for has failed")
    if after.need == "succeeded" and not good:
        return _unmet(after, ended)
    given = _given(after, ended)
    return job if given is None else job._replace(payload=_in_front(given, job.payload))


def _in_front(given: str, payload: str) -> str:
    """Put the JSON text ``given`` before the arguments of ``payload``."""
    own = encode_call(*decode_call(payload))  # normalizes text that was not written by us
    rest = own[len(_BARE) :]
    text = f"{_BARE}{given}{rest}" if rest.startswith("]") else f"{_BARE}{given},{rest}"
    if len(text) > GATHERED_BYTES:
        raise PayloadError(
            f"the results that it waited for and its own arguments must be at most {GATHERED_BYTES} bytes of JSON, "
            f"got {len(text)}; return ids from those jobs instead"
        )
    return text


def _given(after: After, ended: list[Job | None]) -> str | None:
    match after.gives:
        case "result":
            return _result(ended[0])
        case "results":
            return _joined(after.arranged([_result(one) for one in ended]))
        case "id":  # of the first that failed: others may have failed because of it
            id = next((one.id for one in ended if one is not None and one.state is State.FAILED), after.ids[0])
            return encode(id)
    return None


def _joined(texts: Any) -> str:
    """Join nested lists of JSON texts into one text."""
    return "[" + ",".join(map(_joined, texts)) + "]" if isinstance(texts, list) else str(texts)


def _result(job: Job | None) -> str:
    return "null" if job is None or job.returned is None else job.returned


def _unmet(after: After, ended: list[Job | None]) -> Outcome:
    """The outcome of a job one of whose predecessors did not succeed; the first of them decides."""
    for id, one in zip(after.ids, ended, strict=True):
        if one is None:
            error = Failure("LookupError", f"job {id}, which it waited for, is no longer in the store")
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
