"""Runs one claim and says what came of it, as an Outcome. Nothing that a function does gets out of here.

Whatever the function raises is recorded, also what is no Exception: SystemExit in a worker thread would end that
thread and nothing else, and the job would be claimed for ever. A coroutine function is run to its end by
``asyncio.run`` in the worker's thread.

Each run has a context of its own (contextvars), so what one job sets no other job sees.

A function may fork. The child is the function's own business until it comes back from the function: then it ends, as
a child of multiprocessing does, because the claims that its parent is about to run are not the child's to run as well.
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from contextvars import copy_context
from types import CoroutineType, TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from . import context, log
from .clock import Clock
from .errors import NotRegistered
from .job import Claim, Failed, Failure, Job, Outcome, Retried, Snoozed, Succeeded
from .payload import decode_call, encode
from .registry import Registry
from .retry import Retry

if TYPE_CHECKING:
    from .task import Task

UNREGISTERED_MS: Final = 60_000
"""A job whose task is not known here is looked at again after so many milliseconds."""
_MESSAGE_MOST: Final = 2_000
_TRACEBACK_MOST: Final = 20_000


class Runner:
    """Runs claims of the tasks in a registry."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._unknown: set[str] = set()

    def __call__(self, claim: Claim) -> Outcome:
        """Run the claim's job in this thread; never raises."""
        job = claim.job
        try:
            task = self._registry.get(job.task)
        except NotRegistered:
            return self._snooze(job)
        log.accepted(job)
        started = self._clock.monotonic()
        value, text, raised, pid = None, "null", None, os.getpid()
        try:
            value, text = copy_context().run(_call, task, job)
        except BaseException as error:
            raised = error
        if os.getpid() != pid:
            _end_forked_child(raised)
        match raised:
            case None:
                log.succeeded(job, value, text, self._clock.monotonic() - started)
                return Succeeded(returned=text)
            case Retry():
                return self._retry(job, task, raised)
            case _:
                return _fail(job, raised)

    def _snooze(self, job: Job) -> Outcome:
        due_ms = self._clock.now_ms() + UNREGISTERED_MS
        if job.task not in self._unknown:
            self._unknown.add(job.task)
            log.unregistered(job, due_ms)
        return Snoozed(due_ms=due_ms, reason=f"unregistered: no task named {job.task!r} in the process that took it")

    def _retry(self, job: Job, task: Task[..., Any], asked: Retry) -> Outcome:
        limit = asked.max_retries if asked.max_retries is not None else task.max_retries
        cause = _reason_of(asked)
        if limit is not None and job.attempt - 1 >= limit:
            return _fail(job, cause, f"it was tried {job.attempt} times, and max_retries is {limit}")
        due_ms = asked.due_ms(self._clock.now_ns(), task.default_retry_delay)
        failure = failure_of(cause)
        log.retried(job, due_ms, self._clock.now_ms(), failure.message or failure.type)
        return Retried(due_ms=due_ms, error=failure)


def _call(task: Task[..., Any], job: Job) -> tuple[Any, str]:
    """(what the function returned, the same as JSON text)."""
    context.enter(job)
    args, kwargs = decode_call(job.payload)
    value = task.fn(task, *args, **kwargs) if task.bind else task.fn(*args, **kwargs)
    if type(value) is CoroutineType:
        value = asyncio.run(value)
    return value, encode(value)


def _end_forked_child(raised: BaseException | None) -> NoReturn:
    """End this process with the status that it would have had as a program of its own."""
    status = 0
    match raised:
        case SystemExit(code=code) if code is None or isinstance(code, int):
            status = code or 0
        case BaseException():
            traceback.print_exception(raised)
            status = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status & 0xFF)


def _fail(job: Job, error: BaseException, reason: str | None = None) -> Failed:
    failure = failure_of(error)
    log.failed(job, failure.message or failure.type, (type(error), error, _trimmed(error.__traceback__)))
    return Failed(error=failure, reason=reason)


def _reason_of(asked: Retry) -> BaseException:
    """The exception that a Retry was raised from, or in the handling of; itself if there was none."""
    handled = None if asked.__suppress_context__ else asked.__context__
    return asked.__cause__ or handled or asked


def failure_of(error: BaseException) -> Failure:
    """An exception as it is kept with its job: as text, without the frames of this module.

    >>> failure_of(KeyError("user"))[:2]
    ('KeyError', "'user'")
    """
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(error)
    except Exception as broken:
        message = f"<its message cannot be shown: {type(broken).__name__}>"
    try:
        text = "".join(traceback.format_exception(kind, error, _trimmed(error.__traceback__)))
    except Exception as broken:
        text = f"<the traceback of {name} cannot be shown: {type(broken).__name__}>"
    return Failure(name, _cut(message, _MESSAGE_MOST), _cut(text, _TRACEBACK_MOST))


def _trimmed(frames: TracebackType | None) -> TracebackType | None:
    """The frames below ours; all of them if the exception came from ours alone."""
    inner = frames
    while inner is not None and inner.tb_frame.f_code.co_filename == __file__:
        inner = inner.tb_next
    return inner or frames


def _cut(text: str, most: int) -> str:
    """The text, or its beginning and its end, where a traceback says the most."""
    if len(text) <= most:
        return text
    return f"{text[: most // 4]}\n... {len(text) - most} characters left out ...\n{text[-(most - most // 4) :]}"
