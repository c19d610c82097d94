"""Exceptions: Celery's names for errors, most of them ours under another name.

``except celery.exceptions.TimeoutError`` and the like catch what is raised here.
"""

from __future__ import annotations

from typing import Any, NoReturn

from .. import errors
from ..errors import HourwheelError, InvalidValue, JobCancelled, JobFailed, ResultTimeout, StoreError
from ..tasks.options import retry
from ..tasks.options.retry import MaxRetriesExceeded

Retry = retry.Retry
NotRegistered = errors.NotRegistered
SoftTimeLimitExceeded = errors.SoftTimeLimitExceeded
TimeLimitExceeded = errors.TimeLimitExceeded

CeleryError = HourwheelError
TaskError = HourwheelError
ImproperlyConfigured = InvalidValue
AlreadyRegistered = InvalidValue
TimeoutError = ResultTimeout
TaskRevokedError = JobCancelled
OperationalError = StoreError
BackendError = StoreError
ChordError = JobFailed
WorkerLostError = JobFailed
InvalidTaskError = InvalidValue
QueueNotFound = InvalidValue
IncompleteStream = StoreError
SecurityError = StoreError
BackendGetMetaError = BackendStoreError = StoreError
Terminated = JobCancelled


class WorkerShutdown(SystemExit):
    """Raised to stop a worker."""


class WorkerTerminate(SystemExit):
    """Raised to stop a worker at once."""


class CeleryWarning(UserWarning):
    """The base class of warnings; nothing here warns with it."""


AlwaysEagerIgnored = DuplicateNodenameWarning = DuplicateTaskNameWarning = CeleryWarning
FixupWarning = NotConfigured = SecurityWarning = CeleryWarning
CPendingDeprecationWarning = PendingDeprecationWarning
CDeprecationWarning = DeprecationWarning
CeleryCommandException = InvalidValue


def reraise(tp: type[BaseException], value: BaseException, tb: Any = None) -> NoReturn:
    """Raise an exception with a traceback."""
    raise value.with_traceback(tb)


class MaxRetriesExceededError(MaxRetriesExceeded):
    """``self.retry()`` was called after ``max_retries`` retries, without an exception to raise instead."""


class TaskPredicate(HourwheelError):
    """Raised in a task to say how it ends."""


class Ignore(TaskPredicate):
    """Raise this in a task: it ends, and its state stays what ``self.update_state()`` has made of it."""


class Reject(TaskPredicate):
    """Raise this in a task: it ends without a result, or, with ``requeue``, runs again at once.

    Args:
        reason: why; an exception or text.
        requeue: whether to run it again.
    """

    def __init__(self, reason: object = None, requeue: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.requeue = requeue
