"""The log lines of a worker, under the logger "hourwheel.worker", in the words that users of Celery know.

A library leaves handlers to the program it lives in. Only the ways in which Hourwheel *is* the program (``run()`` and
the command line) install one, and only where the root logger has none.

Each line carries ``job_id``, ``task_name`` and ``attempt`` as attributes of its record, for formatters that write JSON.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from ..clock import as_datetime
from ..errors import JobFailed
from ..events import Events
from ..job import Claim, Failure, Job, Outcome
from ..payload import decode
from ..safety.calm import CalmLogger
from .run.failure import frames_of

LOG: Final = CalmLogger("hourwheel.worker")
FORMAT: Final = "[%(asctime)s: %(levelname)s/%(threadName)s] %(message)s"
_RESULT_SHOWN: Final = 200


def _fields(job: Job) -> dict[str, Any]:
    return {"job_id": job.id, "task_name": job.task, "attempt": job.attempt}


def received(claims: Sequence[Claim], on: Events) -> None:
    """A line for each claim that came out of the ring, and a word to the hooks."""
    if on.received:
        for claim in claims:
            on.received.tell(claim.job)
    if LOG.isEnabledFor(logging.INFO):
        for claim in claims:
            LOG.info("Received task: %s[%s]", claim.job.task, claim.job.id, extra=_fields(claim.job))


def unrun(jobs: Sequence[Job], on: Events) -> None:
    """A line for each job that ended because it was too late to run it, and a word to the hooks."""
    for job in jobs:
        LOG.warning("Task %s[%s] is not run: %s", job.task, job.id, job.reason, extra=_fields(job))
        on.skipped.tell(job)
        if job.error is not None:  # it was tried, and failed, and there was no time left to try it again
            type, message, traceback = job.error
            on.failed.tell(job, JobFailed(f"{type}: {message}", type=type, traceback=traceback))


def accepted(job: Job) -> None:
    """A worker begins the job."""
    if LOG.isEnabledFor(logging.DEBUG):
        LOG.debug("Task accepted: %s[%s]", job.task, job.id, extra=_fields(job))


def succeeded(job: Job, text: str, seconds: float) -> None:
    """The function returned what is ``text`` in JSON."""
    if LOG.isEnabledFor(logging.INFO):
        shown = repr(decode(text)) if len(text) <= _RESULT_SHOWN else text[:_RESULT_SHOWN] + "..."
        took = _shown_s(seconds)
        LOG.info("Task %s[%s] succeeded in %ss: %s", job.task, job.id, took, shown, extra=_fields(job))


def _shown_s(seconds: float) -> str:
    """Three digits that matter, and never an exponent."""
    if seconds >= 100:
        return f"{seconds:.0f}"
    if seconds >= 0.001:
        return f"{seconds:.3g}"
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def failed(job: Job, failure: Failure, raised: BaseException) -> None:
    """The function raised, and no attempt is left."""
    message, shown = failure.message or failure.type, (type(raised), raised, frames_of(raised))
    LOG.error("Task %s[%s] raised unexpected: %s", job.task, job.id, message, exc_info=shown, extra=_fields(job))


def retried(job: Job, due_ms: int, now_ms: int, message: str) -> None:
    """The job is to run again."""
    wait = max(0, due_ms - now_ms) / 1000
    LOG.info("Task %s[%s] retry: Retry in %gs: %s", job.task, job.id, wait, message, extra=_fields(job))


def snoozed(job: Job, due_ms: int, now_ms: int, reason: str | None) -> None:
    """The job is to run later."""
    wait = max(0, due_ms - now_ms) / 1000
    LOG.info("Task %s[%s] snoozed for %gs: %s", job.task, job.id, wait, reason or "not yet", extra=_fields(job))


def held(job: Job, due_ms: int, reason: str) -> None:
    """It could not be begun, through no fault of its own."""
    again = as_datetime(due_ms).isoformat(timespec="seconds")
    LOG.error("Task %s[%s] is put off until %s: %s", job.task, job.id, again, reason, extra=_fields(job))


def alone(job: Job) -> None:
    """It is run while nothing else is, because it ran when a worker died."""
    died = f"{job.crashes} of {job.max_crashes} times"
    LOG.warning("Task %s[%s] is tried alone: it ran when a worker died, %s", job.task, job.id, died, extra=_fields(job))


def unmet(job: Job, outcome: Outcome) -> None:
    """It had waited for others that did not end as they should."""
    reason = getattr(outcome, "reason", None)
    LOG.warning("Task %s[%s] is not run: %s", job.task, job.id, reason, extra=_fields(job))


def unregistered(job: Job) -> None:
    """Nobody here knows the task; said once for each name."""
    LOG.warning(
        "Received unregistered task: %s[%s]; its jobs stay scheduled for a process that knows it",
        job.task, job.id, extra=_fields(job),
    )  # fmt: skip


def refused(job: Job, reason: str) -> None:
    """This pool does not run jobs of the task; said once for each."""
    LOG.error(
        "Refused task: %s[%s]: %s. Its jobs stay scheduled for a worker that can run it",
        job.task, job.id, reason, extra=_fields(job),
    )  # fmt: skip


def lost(claim: Claim) -> None:
    """The job ended here, but its claim was no longer the newest: its outcome changed nothing."""
    job = claim.job
    LOG.warning(
        "Task %s[%s] ended after its claim was lost; its outcome was not recorded", job.task, job.id, extra=_fields(job)
    )


@contextmanager
def handler_if_none() -> Iterator[None]:
    """For as long as the block runs, write Hourwheel's lines to stderr if nobody else would."""
    if logging.getLogger().handlers or logging.getLogger("hourwheel").handlers:
        yield
        return
    logger = logging.getLogger("hourwheel")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORMAT))
    level = logger.level
    logger.addHandler(handler)
    if level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
