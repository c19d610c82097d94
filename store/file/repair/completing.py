"""Completing: jobs that can be read, but of which a field is gone, are made whole by rules, and each says so.

One byte that is written over can take a field's name away and leave the job readable: it has failed, and has no instant
at which it did. What a rule can tell without a guess about the work itself is filled in. The rule for what runs is that
of a dead worker: it starts again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ....job import Job
from ....job import State as JobState
from ...codec import decode_job
from ...fields import MOST
from ...state.state import Row, State

_ODD_IN_SCHEDULED: Final = (b'"owner":', b'"cancel_ms":', b'"crashes":', b'"token":')
"""Without any of these a scheduled job has nothing that could be odd."""


def complete(state: State) -> list[str]:
    """Make each job of a state keep the invariants that concern it alone, and its token its own.

    Returns:
        What was done to which job, in words.
    """
    notes: list[str] = []
    tokens: dict[int, str] = {}
    for id, row in list(state.rows.items()):
        job = _looked_into(row)
        if job is None:
            continue
        for rule in _RULES:
            for changed, what in rule(job):
                job = changed
                notes.append(f"job {id}: {what}")
        if job.token and tokens.setdefault(job.token, id) != id:
            state.token += 1
            notes.append(f"job {id} had the token of job {tokens[job.token]}, and was given another")
            job = job._replace(token=state.token)
            tokens[state.token] = id
        if job is not row:
            state.rows[id] = job
    return notes


def _looked_into(row: Row) -> Job | None:
    if not isinstance(row, bytes):
        return row if isinstance(row, Job) else None
    return decode_job(row) if any(odd in row for odd in _ODD_IN_SCHEDULED) else None


_Change = Iterator[tuple[Job, str]]


def _running(job: Job) -> _Change:
    if job.state is JobState.RUNNING and (job.attempt < 1 or job.token < 1 or job.owner is None):
        yield (
            job._replace(state=JobState.SCHEDULED, owner=None, cancel_ms=None),
            "it was running, by whom or for which time is gone, so it starts again",
        )


def _scheduled(job: Job) -> _Change:
    if job.state is JobState.SCHEDULED and job.owner is not None:
        yield job._replace(owner=None), "it is scheduled, and nobody's any more"


def _finished(job: Job) -> _Change:
    if job.finished and job.finished_ms is None:
        at_ms = max(job.created_ms, job.started_ms or 0)
        yield job._replace(finished_ms=at_ms), f"it is {job.state}; when it ended is gone, and {at_ms} ms was taken"


def _asked_to_end(job: Job) -> _Change:
    if job.state is not JobState.RUNNING and job.cancel_ms is not None:
        yield job._replace(cancel_ms=None), f"it is {job.state}, and no longer asked to end"


def _crashed(job: Job) -> _Change:
    if not job.finished and job.crashes >= job.max_crashes:
        crashes = job.max_crashes - 1
        yield (
            job._replace(crashes=crashes),
            f"its worker died {job.crashes} of {job.max_crashes} times, yet it is {job.state}: {crashes} was taken",
        )


def _token(job: Job) -> _Change:
    if job.token >= MOST:
        yield job._replace(token=0), f"its token, {job.token}, is none that was ever given"


_RULES: Final[tuple[Callable[[Job], _Change], ...]] = (_token, _running, _scheduled, _finished, _asked_to_end, _crashed)
