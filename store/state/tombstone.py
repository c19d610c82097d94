"""What stands in the rows of a State for a job that was forgotten: it hides the job that is frozen under its id.

No verb shows it, no snapshot holds it, and it is dropped with the finished jobs whose result_ttl is over.
"""

from __future__ import annotations

from typing import Final

from ...job import Job

_MARK: Final = -1
"""A result_ttl_ms that no job can have."""


def tombstone(job: Job) -> Job:
    """What is left of a finished job: neither its arguments nor its result."""
    return Job(job.id, job.task, job.due_ms, state=job.state, finished_ms=0, result_ttl_ms=_MARK)


def is_tombstone(row: Job) -> bool:
    """Whether a row is one."""
    return row.result_ttl_ms == _MARK
