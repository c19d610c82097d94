"""The job that is running in the current context, in a context variable that the runner sets."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final

from ..clock import as_datetime
from ..job import Job

_CURRENT: Final[ContextVar[Job | None]] = ContextVar("hourwheel_current_job", default=None)


def current_job() -> Job | None:
    """Return the job that the calling code runs in, or None outside of jobs.

    Its ``token`` is the fencing token. It is larger for each start of the job, so a resource that remembers the largest
    token can refuse writes of an earlier start.

    >>> current_job() is None
    True
    """
    return _CURRENT.get()


SAID: Final[dict[tuple[str, int], BaseException]] = {}
"""The exceptions of say(), by (id, token) of the job."""


def say(job: Job, word: BaseException) -> None:
    """Record how the run ends although the function does not raise it: a Retry, or the reason for giving up."""
    SAID[job.id, job.token] = word


def said(job: Job) -> BaseException | None:
    """Return and forget the last exception of say() for this run, if any."""
    return SAID.pop((job.id, job.token), None) if SAID else None


def enter(job: Job) -> None:
    """Make ``job`` the current job of this context, which is discarded after the run."""
    _CURRENT.set(job)


class Request:
    """The running job, with the attributes of Celery's ``request``."""

    __slots__ = ("_job",)

    def __init__(self, job: Job | None) -> None:
        self._job = job

    def __repr__(self) -> str:
        return "<Request: called directly>" if self._job is None else f"<Request: {self._job.task}[{self._job.id}]>"

    @property
    def called_directly(self) -> bool:
        """Whether the function was called directly, not as a job."""
        return self._job is None

    @property
    def id(self) -> str | None:
        """The job's id."""
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
        """How often the job has been retried: 0 in the first attempt."""
        return 0 if self._job is None else self._job.retries

    @property
    def eta(self) -> datetime | None:
        """When the job was due."""
        return None if self._job is None else as_datetime(self._job.due_ms)

    @property
    def expires(self) -> datetime | None:
        """When the job expires: it is not started from then on."""
        job = self._job
        return None if job is None or job.expires_ms is None else as_datetime(job.expires_ms)

    @property
    def hostname(self) -> str | None:
        """The owner name of the scheduler that runs it."""
        return None if self._job is None else self._job.owner

    @property
    def delivery_info(self) -> dict[str, Any]:
        """The job's queue, also as ``routing_key``, and its priority."""
        job = self._job
        return {} if job is None else {"queue": job.queue, "routing_key": job.queue, "priority": job.priority}
