"""Which job is running here: a context variable, set by the runner for as long as the function runs."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from .job import Job

_CURRENT: Final[ContextVar[Job | None]] = ContextVar("noria_current_job", default=None)


def current_job() -> Job | None:
    """The job that the calling code runs in, or None outside of one.

    Its ``token`` is the fencing token: it grows with each start of the job, so a resource that remembers the largest
    token it has seen can refuse the writes of an older start.

    >>> current_job() is None
    True
    """
    return _CURRENT.get()


def enter(job: Job) -> None:
    """Make ``job`` the current one in this context; the context is thrown away when the job has ended."""
    _CURRENT.set(job)
