"""The log lines of a worker, by the logger "hourwheel.worker", worded as in Celery.

A library leaves handlers to the program. Only where Hourwheel is the program (``run()`` and the command line) does it
install one, if the root logger has none.

The records have the attributes ``job_id``, ``task_name`` and ``attempt``, for formatters that write JSON.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging import DEBUG, ERROR, INFO, WARNING
from typing import Any, Final

from ..clock import as_datetime
from ..errors import JobFailed
from ..events import Events
from ..job import Claim, Failure, Job
from ..payload import decode
from ..safety.calm import CalmLogger
from .run.failure import frames_of

LOG: Final = CalmLogger("hourwheel.worker")
FORMAT: Final = "[%(asctime)s: %(levelname)s/%(threadName)s] %(message)s"
_RESULT_SHOWN: Final = 200


def _log(level: int, text: str, job: Job, *args: object, exc_info: Any = None) -> None:
    fields = {"job_id": job.id, "task_name": job.task, "attempt": job.attempt}
    LOG.log(level, text, job.task, job.id, *args, exc_info=exc_info, extra=fields)


def received(claims: Sequence[Claim], on: Events) -> None:
    """Log each claim, and tell the hooks."""
    if on.received:
        for claim in claims:
            on.received.tell(claim.job)
    if LOG.isEnabledFor(INFO):
        for claim in claims:
            _log(INFO, "Received task: %s[%s]", claim.job)


def unrun(jobs: Sequence[Job], on: Events) -> None:
    """Log each job that expired, and tell the hooks."""
    for job in jobs:
        not_run(job, job.reason)
        on.skipped.tell(job)
        if job.error is not None:  # an attempt failed, and there was no time left for another one
            type, message, traceback = job.error
            on.failed.tell(job, JobFailed(f"{type}: {message}", type=type, traceback=traceback))


def not_run(job: Job, reason: str | None) -> None:
    """A job ended without a run."""
    _log(WARNING, "Task %s[%s] is not run: %s", job, reason)


def accepted(job: Job) -> None:
    """A worker starts a job."""
    if LOG.isEnabledFor(DEBUG):
        _log(DEBUG, "Task accepted: %s[%s]", job)


def succeeded(job: Job, text: str, seconds: float) -> None:
    """The function returned; ``text`` is its result as JSON."""
    if LOG.isEnabledFor(INFO):
        shown = repr(decode(text)) if len(text) <= _RESULT_SHOWN else text[:_RESULT_SHOWN] + "..."
        _log(INFO, "Task %s[%s] succeeded in %ss: %s", job, _shown_s(seconds), shown)


def _shown_s(seconds: float) -> str:
    """Three significant digits, without an exponent."""
    if seconds >= 100:
        return f"{seconds:.0f}"
    if seconds >= 0.001:
        return f"{seconds:.3g}"
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def failed(job: Job, failure: Failure, raised: BaseException) -> None:
    """The function raised, and no attempt is left."""
    exc_info = (type(raised), raised, frames_of(raised))
    _log(ERROR, "Task %s[%s] raised unexpected: %s", job, failure.message or failure.type, exc_info=exc_info)


def retried(job: Job, due_ms: int, now_ms: int, message: str) -> None:
    """A job is to be retried."""
    _log(INFO, "Task %s[%s] retry: Retry in %gs: %s", job, max(0, due_ms - now_ms) / 1000, message)


def snoozed(job: Job, due_ms: int, now_ms: int, reason: str | None) -> None:
    """A job is to run later."""
    _log(INFO, "Task %s[%s] snoozed for %gs: %s", job, max(0, due_ms - now_ms) / 1000, reason or "not yet")


def held(job: Job, due_ms: int, reason: str) -> None:
    """A job could not be started for a reason that is not its own."""
    again = as_datetime(due_ms).isoformat(timespec="seconds")
    _log(ERROR, "Task %s[%s] is put off until %s: %s", job, again, reason)


def alone(job: Job) -> None:
    """A job is run while nothing else is, because it ran when a worker died."""
    text = "Task %s[%s] is tried alone: it ran when a worker died, %d of %d times"
    _log(WARNING, text, job, job.crashes, job.max_crashes)


def unregistered(job: Job) -> None:
    """This process does not know the task; logged once for each."""
    _log(WARNING, "Received unregistered task: %s[%s]; its jobs stay scheduled for a process that knows it", job)


def refused(job: Job, reason: str) -> None:
    """This pool cannot run jobs of the task; logged once for each."""
    _log(ERROR, "Refused task: %s[%s]: %s. Its jobs stay scheduled for a worker that can run it", job, reason)


def lost(claim: Claim) -> None:
    """A job ended here after its claim was lost."""
    _log(WARNING, "Task %s[%s] ended after its claim was lost; its outcome was not recorded", claim.job)


@contextmanager
def handler_if_none() -> Iterator[None]:
    """In the block, write log lines to stderr if there is no other handler."""
    logger = logging.getLogger("hourwheel")
    if logging.getLogger().handlers or logger.handlers:
        yield
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORMAT))
    level = logger.level
    logger.addHandler(handler)
    if level == logging.NOTSET:
        logger.setLevel(INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
