"""Which job is running here: a context variable, set by the runner for as long as the function runs."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final

from ..clock import as_datetime
from ..job import Job

_CURRENT: Final[ContextVar[Job | None]] = ContextVar("hourwheel_current_job", default=None)


def current_job() -> Job | None:
    """The job that the calling code runs in, or None outside of one.

    Its ``token`` is the fencing token: it grows with each start of the job, so a resource that remembers the largest
    token it has seen can refuse the writes of an older start.

    >>> current_job() is None
    True
    """
    return _CURRENT.get()


SAID: Final[dict[tuple[str, int], BaseException]] = {}
"""By id and token of a job, what its function has said of its end; mostly empty."""


def say(job: Job, word: BaseException) -> None:
    """Keep what the function says of its run by the way: a Retry for its end, or the exception of its giving up."""
    SAID[job.id, job.token] = word


def said(job: Job) -> BaseException | None:
    """What the function has said last, once."""
    return SAID.pop((job.id, job.token), None) if SAID else None


def enter(job: Job) -> None:
    """Make ``job`` the current one in this context; the context is thrown away when the job has ended."""
    _CURRENT.set(job)


class Request:
    """The running job under the names that Celery's users know; outside of a job ``called_directly`` is True."""

    __slots__ = ("_job",)

    def __init__(self, job: Job | None) -> None:
        self._job = job

    def __repr__(self) -> str:
        return "<Request: called directly>" if self._job is None else f"<Request: {self._job.task}[{self._job.id}]>"

    @property
    def called_directly(self) -> bool:
        """Whether the function was called as one, with no job."""
        return self._job is None

    @property
    def id(self) -> str | None:
        """Of the job."""
        return None if self._job is None else self._job.id

    @property
    def task(self) -> str | None:
        """The task's name."""
        return None if self._job is None else self._job.task

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments."""
        return () if self._job is None else self._job.args

    @property
    def kwargs(self) -> dict[str, Any]:
        """The keyword arguments."""
        return {} if self._job is None else self._job.kwargs

    @property
    def retries(self) -> int:
        """How often the job was tried again already: 0 in the first attempt."""
        return 0 if self._job is None else self._job.retries

    @property
    def eta(self) -> datetime | None:
        """When the job was due."""
        return None if self._job is None else as_datetime(self._job.due_ms)

    @property
    def expires(self) -> datetime | None:
        """From when on it would not have been begun."""
        job = self._job
        return None if job is None or job.expires_ms is None else as_datetime(job.expires_ms)

    @property
    def hostname(self) -> str | None:
        """The scheduler that runs it."""
        return None if self._job is None else self._job.owner

    @property
    def delivery_info(self) -> dict[str, Any]:
        """Its queue, also as ``routing_key``, and its priority."""
        job = self._job
        return {} if job is None else {"queue": job.queue, "routing_key": job.queue, "priority": job.priority}
