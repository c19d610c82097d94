"""Runs one claim and says what came of it, as an Outcome. Nothing that a function does gets out of here.

Whatever the function raises is recorded, also what is no Exception: SystemExit in a worker thread would end that
thread and nothing else, and the job would be claimed for ever. A coroutine function is run to its end in
the event loop of the worker's thread (loops.py).

Each run has a context of its own (contextvars), so what one job sets no other job sees.

A function may fork. The child is the function's own business until it comes back from the function: then it ends, as
a child of multiprocessing does, because the claims that its parent is about to run are not the child's to run as well.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from inspect import iscoroutinefunction
from types import CoroutineType, TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from . import context, log
from .clock import Clock
from .errors import HourwheelError, NotRegistered
from .events import Events
from .interrupt import soft_limit
from .job import Claim, Failed, Failure, Job, Outcome, Released, Retried, Snoozed, Succeeded
from .loops import run_in_loop
from .payload import decode_call, encode
from .refused import Refused
from .registry import Registry
from .retry import Retry, Snooze
from .time_limits import UNLIMITED, Guard, Limits, within

if TYPE_CHECKING:
    from .task import Task

OURS: Final = {__file__, within.__code__.co_filename}
"""Files whose frames a traceback does not begin with."""
_PUT_OFF_MS: Final = 60_000
_MESSAGE_MOST: Final = 2_000
_TRACEBACK_MOST: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A task as one pool runs it."""

    task: Task[..., Any]
    limits: Limits
    is_coroutine: bool
    refusal: str | None = None
    """Why this pool does not run its jobs."""


def known(task: Task[..., Any], limits: Limits | None = None, refusal: str | None = None) -> Known:
    """The task with its own limits, if no others are given."""
    return Known(
        task=task,
        limits=task.limits if limits is None else limits,
        is_coroutine=iscoroutinefunction(task.fn),
        refusal=refusal,
    )


class Runner:
    """Runs claims of the tasks in a registry."""

    def __init__(
        self,
        registry: Registry,
        clock: Clock,
        on: Events | None = None,
        *,
        know: Callable[[Task[..., Any]], Known] = known,
        guard: Guard = soft_limit,
        refused: Refused | None = None,
    ) -> None:
        """A runner.

        Args:
            registry: the tasks.
            clock: measures the runs, and says when a job is tried again.
            on: hooks to be told.
            know: what is to be known of a task before its first job is run.
            guard: holds a plain function to limits.
            refused: is told of tasks whose jobs are given back.
        """
        self._registry = registry
        self._clock = clock
        self._on = on or Events()
        self._know = know
        self._guard = guard
        self._known: dict[str, Known] = {}
        self.refused = refused or Refused(registry)
        """The tasks whose jobs were given back."""

    def __call__(self, claim: Claim) -> Outcome:
        """Run the claim's job in this thread; never raises."""
        job = claim.job
        found = self.find(job)
        if isinstance(found, Released):
            return found
        self.begin(job)
        started = self._clock.monotonic()
        value, text, raised, pid = None, "null", None, os.getpid()
        try:
            value, text = self.call(found, job)
        except BaseException as error:
            raised = error
        if os.getpid() != pid:
            _end_forked_child(raised)
        return self.outcome(job, found.task, value, text, raised, started)

    def by(self, clock: Clock) -> Runner:
        """The same runner by another clock."""
        return Runner(self._registry, clock, self._on, know=self._know, guard=self._guard, refused=self.refused)

    # ---- the steps of a run, for pools that do not run it in one go ------------------------------------------

    def find(self, job: Job) -> Known | Released:
        """The job's task, or what is to become of the job if it cannot be run here."""
        try:
            task = self._registry.get(job.task)
        except NotRegistered:
            return self._give_back(job)
        found = self._known.get(job.task)
        if found is None or found.task is not task:  # it was registered anew
            found = self._known[job.task] = self._know(task)
        return found if found.refusal is None else self.refuse(job, found.refusal)

    def begin(self, job: Job) -> None:
        """Say that the function is about to be called."""
        log.accepted(job)
        if self._on.started:
            self._on.started.tell(job)

    def call(self, known: Known, job: Job) -> tuple[Any, str]:
        """Call the function in a context of its own: (what it returned, the same as JSON text)."""
        if known.limits is UNLIMITED:
            return copy_context().run(_call, known.task, job)
        if known.is_coroutine:
            return copy_context().run(_call, known.task, job, known.limits.soft_s)
        return self._guard(known.limits, lambda: copy_context().run(_call, known.task, job))

    def outcome(
        self, job: Job, task: Task[..., Any], value: Any, text: str, raised: BaseException | None, started: float
    ) -> Outcome:
        """What came of a run that began at ``started`` (monotonic), from what it returned or raised."""
        said = context.said(job)
        if said is not None and not isinstance(raised, (Retry, Snooze)):
            if isinstance(said, Retry):  # retry(throw=False)
                said.__cause__ = said.__cause__ or raised
                raised = said
            elif raised is said:  # retry() gave up: that is not for autoretry_for to try again
                return self._fail(job, said)
        match raised:
            case None:
                seconds = self._clock.monotonic() - started
                log.succeeded(job, value, text, seconds)
                if self._on.succeeded:
                    self._on.succeeded.tell(job, value, seconds)
                return Succeeded(returned=text)
            case Retry():
                return self._retry(job, task, raised)
            case Snooze():
                return self._snoozed(job, raised)
            case _ if task.retrying.covers(raised):
                return self._retry(job, task, Retry(exc=raised), asked_for=False)
            case _:
                return self._fail(job, raised)

    def _snoozed(self, job: Job, asked: Snooze) -> Outcome:
        due_ms = asked.due_ms(self._clock.now_ns())
        log.snoozed(job, due_ms, self._clock.now_ms(), asked.reason)
        self._on.snoozed.tell(job, due_ms)
        return Snoozed(due_ms=due_ms, reason=asked.reason)

    def refuse(self, job: Job, reason: str) -> Released:
        """Give a job back that this pool does not run."""
        if self.refused.add(job.task):
            log.refused(job, reason)
        return Released(reason=f"not run in the pool that took it: {reason}")

    def put_off(self, job: Job, reason: str) -> Snoozed:
        """Put a job off that this worker process cannot run; the next one may."""
        log.refused(job, reason)
        return Snoozed(due_ms=self._clock.now_ms() + _PUT_OFF_MS, reason=f"not run in the pool that took it: {reason}")

    def _give_back(self, job: Job) -> Released:
        if self.refused.add(job.task):
            log.unregistered(job)
        return Released(reason=f"unregistered: no task named {job.task!r} in the process that took it")

    def _retry(self, job: Job, task: Task[..., Any], asked: Retry, *, asked_for: bool = True) -> Outcome:
        policy, cause = task.retrying, _reason_of(asked)
        if policy.exhausted(job.retries, asked.max_retries):
            limit = policy.max_retries if asked.max_retries is None else asked.max_retries
            return self._fail(job, cause, f"it was run {job.attempt} times, and max_retries is {limit}")
        now_ns = self._clock.now_ns()
        try:
            due_ms = asked.due_ms(now_ns, policy.wait(job.retries, asked=asked_for))
            payload = asked.payload(*decode_call(job.payload))
            changes = asked.changes(now_ns)
        except HourwheelError as error:
            return self._fail(job, error, "it was to be tried again in a way that is not possible")
        expires_ms = changes.get("expires_ms", job.expires_ms)
        if expires_ms is not None and expires_ms <= due_ms:
            late = (due_ms - expires_ms) / 1000
            return self._fail(job, cause, f"it expires {late:g} s before its next attempt would be due")
        failure = failure_of(cause)
        log.retried(job, due_ms, self._clock.now_ms(), failure.message or failure.type)
        self._on.retried.tell(job, cause, due_ms)
        return Retried(due_ms=due_ms, error=failure, payload=payload, **changes)

    def _fail(self, job: Job, error: BaseException, reason: str | None = None) -> Failed:
        failure = failure_of(error)
        log.failed(job, failure.message or failure.type, (type(error), error, _trimmed(error.__traceback__)))
        self._on.failed.tell(job, error)
        return Failed(error=failure, reason=reason)


def _call(task: Task[..., Any], job: Job, soft_s: float | None = None) -> tuple[Any, str]:
    """(what the function returned, the same as JSON text); the limit is for a coroutine."""
    context.enter(job)
    args, kwargs = decode_call(job.payload)
    value = task.fn(task, *args, **kwargs) if task.bind else task.fn(*args, **kwargs)
    if type(value) is CoroutineType:
        value = run_in_loop(value if soft_s is None else within(value, soft_s))
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
    while inner is not None and inner.tb_frame.f_code.co_filename in OURS:
        inner = inner.tb_next
    return inner or frames


def _cut(text: str, most: int) -> str:
    """The text, or its beginning and its end, where a traceback says the most."""
    if len(text) <= most:
        return text
    return f"{text[: most // 4]}\n... {len(text) - most} characters left out ...\n{text[-(most - most // 4) :]}"
