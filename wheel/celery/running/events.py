"""Events: what happens to jobs of an app, told to the methods of their tasks and to the receivers of signals."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from ...safety.calm import CalmLogger, passes
from ...worker.run.failure import failure_of
from .. import signals, states
from ..settings.call_plan import OWN_HEADERS, headers_in, with_headers
from .leaving import LEFT, Asked, state_of
from .request import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...job import Job

_LOG: Final = CalmLogger("hourwheel.celery")


class ExceptionInfo:
    """What Celery calls einfo: an exception with its traceback as text."""

    def __init__(self, error: BaseException) -> None:
        self.exception: Final = error
        self.type: Final = type(error)
        self.traceback: Final = failure_of(error).traceback or ""

    def __str__(self) -> str:
        return self.traceback


class told:  # noqa: N801 - it is used as a module
    """What to call when a run of a task has ended in one way or the other."""

    @staticmethod
    def succeeded(task: Any, job: Job, value: Any, seconds: float = 0.0) -> None:
        """The function has returned, or what it has raised was noted as Ignore or Reject."""
        asked = LEFT.pop((job.id, job.token), None) if LEFT else None
        if asked is not None:
            told.left(task, job, asked)
            return
        args, kwargs = job.call
        signals.task_success.send(sender=task, result=value, runtime=seconds)
        _guarded(task.on_success, value, job.id, args, kwargs)
        _ended(task, job, states.SUCCESS, value, None)

    @staticmethod
    def left(task: Any, job: Job, asked: Asked) -> None:
        """It has raised Ignore or Reject."""
        _told_postrun(task, job, state_of(asked), asked)

    @staticmethod
    def failed(task: Any, job: Job, error: BaseException) -> None:
        """It has raised, and no attempt is left."""
        args, kwargs = job.call
        einfo = ExceptionInfo(error)
        signals.task_failure.send(
            sender=task, task_id=job.id, exception=error, args=args, kwargs=kwargs,
            traceback=error.__traceback__, einfo=einfo,
        )  # fmt: skip
        _guarded(task.on_failure, error, job.id, args, kwargs, einfo)
        _ended(task, job, states.FAILURE, error, einfo)

    @staticmethod
    def retried(task: Any, job: Job, error: BaseException) -> None:
        """It has raised, and is to run again."""
        args, kwargs = job.call
        einfo = ExceptionInfo(error)
        signals.task_retry.send(sender=task, request=Context(job, task), reason=error, einfo=einfo)
        _guarded(task.on_retry, error, job.id, args, kwargs, einfo)
        _told_postrun(task, job, states.RETRY, error)


def _told_postrun(task: Any, job: Job, state: str, value: Any) -> None:
    args, kwargs = job.call
    signals.task_postrun.send(
        sender=task, task_id=job.id, task=task, args=args, kwargs=kwargs, retval=value, state=state
    )


def _ended(task: Any, job: Job, state: str, value: Any, einfo: ExceptionInfo | None) -> None:
    args, kwargs = job.call
    _told_postrun(task, job, state, value)
    _guarded(task.after_return, state, value, job.id, args, kwargs, einfo)


def _guarded(method: Callable[..., Any], *args: Any) -> None:
    """Call a method of a user's class; what it raises must not change what has become of the job."""
    try:
        method(*args)
    except Exception as error:
        if passes(error):
            raise
        _LOG.exception("%r raised; the exception is ignored", method)


def listen(app: Any) -> None:
    """Tell tasks and signals of everything that happens to the jobs of an app."""
    on = app.on
    on.received(lambda job: _received(app, job))
    on.succeeded(lambda job, value, seconds: _of(app, job, told.succeeded, value, seconds))
    on.failed(lambda job, error: _of(app, job, told.failed, error))
    on.retried(lambda job, error, _: _of(app, job, told.retried, error))
    on.skipped(lambda job: _revoked(app, job))
    on.cancelled(_cancelled)
    on.worker_init(lambda _: _init(app))
    on.worker_ready(lambda _: signals.worker_ready.send(sender=app))
    on.worker_process_init(lambda _: signals.worker_process_init.send(sender=None))
    on.worker_process_shutdown(lambda _: signals.worker_process_shutdown.send(sender=None, pid=None, exitcode=None))
    on.shutdown(lambda _: signals.worker_shutdown.send(sender=app))


def _task_of(app: Any, job: Job) -> Any:
    """The job's task, if it is one of this room's."""
    found = app.registry.find(job.task)
    return found if hasattr(found, "after_return") else None


def _of(app: Any, job: Job, tell: Callable[..., None], *args: Any) -> None:
    task = _task_of(app, job)
    if task is not None:
        tell(task, job, *args)


def to_publish(job: Job) -> Job:
    """Tell of a job that is about to be stored. Returns it with the headers that receivers have given it."""
    if not signals.before_task_publish.receivers:
        return job
    message = _message(job)
    signals.before_task_publish.send(sender=job.task, **message, declare=[], retry_policy=None)
    headers = {name: value for name, value in message["headers"].items() if name not in OWN_HEADERS}
    return job if headers == headers_in(job.extra) else with_headers(job, headers)


def published(jobs: Iterable[Job]) -> None:
    """Tell of jobs that have been stored."""
    if signals.after_task_publish.receivers:
        for job in jobs:
            signals.after_task_publish.send(sender=job.task, **_message(job))


def _message(job: Job) -> dict[str, Any]:
    """A job as the message that Celery would have sent."""
    args, kwargs = job.call
    own = {"id": job.id, "task": job.task, "argsrepr": repr(args), "kwargsrepr": repr(kwargs), "retries": 0}
    headers = {**headers_in(job.extra), **own}
    body = (args, kwargs, {"callbacks": None, "errbacks": None, "chain": None, "chord": None})
    return {"body": body, "exchange": "", "routing_key": job.queue, "headers": headers, "properties": {}}


def _cancelled(id: str) -> None:
    signals.task_revoked.send(sender=None, request=id, terminated=False, signum=None, expired=False)


def _received(app: Any, job: Job) -> None:
    task = _task_of(app, job)
    if task is not None and signals.task_received.receivers:
        signals.task_received.send(sender=app, request=Context(job, task))


def _revoked(app: Any, job: Job) -> None:
    task = _task_of(app, job)
    if task is not None:
        signals.task_revoked.send(sender=task, request=Context(job, task), terminated=False, signum=None, expired=True)


def _init(app: Any) -> None:
    named = {"loglevel": logging.getLogger().level, "logfile": None, "format": None, "colorize": False}
    signals.celeryd_init.send(sender=app.owner, instance=app, conf=app.conf, options={})
    signals.setup_logging.send(sender=None, **named)
    signals.after_setup_logger.send(sender=None, logger=logging.getLogger(), **named)
    signals.after_setup_task_logger.send(sender=None, logger=logging.getLogger("celery.task"), **named)
    signals.celeryd_after_setup.send(sender=app.owner, instance=app, conf=app.conf)
    signals.worker_init.send(sender=app)
