"""Completing: fill in the fields that damage has taken from jobs that can still be read, and say so for each.

One byte that is overwritten can take a field's name away and leave the job readable: it has failed, but when is gone.
What a rule can tell without guessing about the work itself is filled in. A running job is treated as if its worker had
died: it starts again.
"""

from __future__ import annotations

from typing import Any, Final

from ....job import Job
from ....job import State as JobState
from ...codec import decode_job
from ...fields import MOST
from ...state.state import Row, State

_ODD_IN_SCHEDULED: Final = (b'"owner":', b'"cancel_ms":', b'"crashes":', b'"token":')
"""A scheduled job without any of these needs no completing."""


def complete(state: State) -> list[str]:
    """Make each job keep the invariants that concern it alone, with a token of its own; returns what was done."""
    notes: list[str] = []
    tokens: dict[int, str] = {}
    for id, row in list(state.rows.items()):
        job = _to_complete(row)
        if job is None:
            continue
        job = _completed(job, notes)
        if job.token and tokens.setdefault(job.token, id) != id:
            state.token += 1
            notes.append(f"job {id} had the token of job {tokens[job.token]}, and was given another")
            job = job._replace(token=state.token)
            tokens[state.token] = id
        if job is not row:
            state.rows[id] = job
    return notes


def _to_complete(row: Row) -> Job | None:
    if not isinstance(row, bytes):
        return row
    return decode_job(row) if any(odd in row for odd in _ODD_IN_SCHEDULED) else None


def _completed(job: Job, notes: list[str]) -> Job:
    def change(what: str, **fields: Any) -> None:
        nonlocal job
        notes.append(f"job {job.id}: {what}")
        job = job._replace(**fields)

    if job.token >= MOST:
        change(f"its token, {job.token}, was never given, and was dropped", token=0)
    if job.state is JobState.RUNNING and (job.attempt < 1 or job.token < 1 or job.owner is None):
        change(
            "it was running, but its owner, attempt or token is gone, so it starts again",
            state=JobState.SCHEDULED, owner=None, cancel_ms=None,
        )  # fmt: skip
    if job.state is JobState.SCHEDULED and job.owner is not None:
        change("it is scheduled, so its owner was removed", owner=None)
    if job.finished and job.finished_ms is None:
        at_ms = max(job.created_ms, job.started_ms or 0)
        change(f"it is {job.state}; when it ended is gone, and {at_ms} ms was taken", finished_ms=at_ms)
    if job.state is not JobState.RUNNING and job.cancel_ms is not None:
        change(f"it is {job.state}, so the request to end it was removed", cancel_ms=None)
    if not job.finished and job.crashes >= job.max_crashes:
        most = job.max_crashes
        change(
            f"its worker died {job.crashes} of {most} times, yet it is {job.state}: {most - 1} was taken",
            crashes=most - 1,
        )
    return job
