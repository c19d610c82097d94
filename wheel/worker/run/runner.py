"""Runs one claim and says what came of it, as an Outcome. Nothing that a function does gets out of here.

Whatever the function raises is recorded, also what is no Exception: SystemExit in a worker thread would end that
thread and nothing else, and the job would be claimed for ever. A coroutine function is run to its end in
the event loop of the worker's thread (loops.py).

What fails on our side is not taken for the function's doing: before it was called (no thread can be had), the job goes
back; after it has returned (its result cannot be stored), the job has failed, but it is not run once more.

Each run has a context of its own (contextvars), so what one job sets no other job sees.

A function may fork. The child is the function's own business until it comes back from the function: then it ends, as
a child of multiprocessing does, because the claims that its parent is about to run are not the child's to run as well.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from inspect import iscoroutinefunction
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from ...clock import Clock
from ...errors import HourwheelError, PayloadError, StoreError
from ...events import Events
from ...job import Claim, Failed, Job, Outcome, Released, Retried, Skipped, Snoozed, Succeeded
from ...tasks import context
from ...tasks.options.retry import Retry, Snooze
from ...tasks.options.time_limits import UNLIMITED, Guard, Limits, within
from ...tasks.registry import Registry
from .. import log
from . import ending
from .failure import MESSAGE_MOST, OURS, cause_of, cut, end_forked_child, failure_of
from .interrupt import soft_limit
from .loops import run_in_loop
from .prepare import Look, gathered
from .refused import Refused
from .returned import encode_returned

if TYPE_CHECKING:
    from ...tasks.task import Task

OURS.add(__file__)
_PUT_OFF_MS: Final = 60_000
_NOTHING: Final = Succeeded()
HELD_MS: Final = 5_000
"""A job that could not be begun for a reason that is not its own is tried again after so many milliseconds."""


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


@dataclass(slots=True)
class Run:
    """One call of a function, and how far it came."""

    entered: bool = False
    """Whether the function was called."""
    value: Any = None
    """What it returned."""
    raised: BaseException | None = None


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
        look: Look | None = None,
        mark: Callable[[str, int], None] | None = None,
    ) -> None:
        """A runner.

        Args:
            registry: the tasks.
            clock: measures the runs, and says when a job is tried again.
            on: hooks to be told.
            know: what is to be known of a task before its first job is run.
            guard: holds a plain function to limits.
            refused: is told of tasks whose jobs are given back.
            look: gives jobs by their ids, for those that waited for others; None if they have been given theirs.
            mark: is told by whom and with which token a job is begun; see contract.Beginning.
        """
        self._registry = registry
        self._clock = clock
        self._on = on or Events()
        self._know = know
        self._guard = guard
        self._look = look
        self._mark = mark
        self._known: dict[str, Known] = {}
        self.refused = refused or Refused(registry)
        """The tasks whose jobs were given back."""

    def __call__(self, claim: Claim) -> Outcome:
        """Run the claim's job in this thread; never raises."""
        found = self.find(claim.job)
        if isinstance(found, Released):
            return found
        job = self.admit(claim.job)
        if not isinstance(job, Job):
            return job
        self.begin(job)
        run, started, pid = Run(), self._clock.monotonic(), os.getpid()
        try:
            run.value = self.call(found, job, run)
        except BaseException as error:
            run.raised = error
        if os.getpid() != pid:
            end_forked_child(run.raised)
        return self.outcome(job, found.task, run, started)

    def by(self, clock: Clock) -> Runner:
        """The same runner by another clock."""
        return Runner(
            self._registry, clock, self._on, know=self._know, guard=self._guard, refused=self.refused, look=self._look
        )

    # ---- the steps of a run, for pools that do not run it in one go ------------------------------------------

    def find(self, job: Job) -> Known | Released:
        """The job's task, or what is to become of the job if it cannot be run here."""
        task = self._registry.find(job.task)
        if task is None:
            return self._give_back(job)
        found = self._known.get(job.task)
        if found is None or found.task is not task:  # it was registered anew
            found = self._known[job.task] = self._know(task)
        return found if found.refusal is None else self.refuse(job, found.refusal)

    def gather(self, job: Job) -> Job | Outcome:
        """The job with what it waited for in front of its arguments, or what becomes of it if that is not to be had."""
        try:
            return self.given(job, self._look)
        except StoreError as error:
            return self._hold(job, f"what it waited for could not be read: {error}")

    def given(self, job: Job, look: Look | None) -> Job | Outcome:
        """The same, with another look.

        Raises:
            StoreError: what it waited for could not be read.
        """
        if job.after is None or look is None:
            return job
        try:
            found = gathered(job, look)
        except StoreError:
            raise
        except Exception as error:
            return self._fail(job, error, "what it waited for cannot be given to it")
        if not isinstance(found, Job):
            log.unmet(job, found)
            if isinstance(found, Skipped):
                self._on.skipped.tell(job._replace(reason=found.reason))
        return found

    def admit(self, job: Job) -> Job | Outcome:
        """The job as it is to run, now that the store knows that it begins; or what becomes of it if it must not."""
        found = job if job.after is None else self.gather(job)
        if self._mark is not None and isinstance(found, Job):
            try:
                self._mark(job.owner or "", job.token)
            except Exception as error:
                return self._hold(job, f"it could not be marked as begun: {error}")
        return found

    def begin(self, job: Job) -> None:
        """Say that the function is about to be called."""
        log.accepted(job)
        if self._on.started:
            self._on.started.tell(job)

    def call(self, known: Known, job: Job, run: Run) -> Any:
        """Call the function in a context of its own; what it returned."""
        if known.limits is UNLIMITED:
            return copy_context().run(_call, known.task, job, run)
        if known.is_coroutine:
            return copy_context().run(_call, known.task, job, run, known.limits.soft_s)
        return self._guard(known.limits, lambda: copy_context().run(_call, known.task, job, run))

    def outcome(self, job: Job, task: Task[..., Any], run: Run, started: float) -> Outcome:
        """What came of a run that began at ``started`` (monotonic); never raises, whatever the function raised."""
        try:
            if run.raised is None and not context.SAID:
                return self._returned(job, run.value, self._clock.monotonic() - started)
            return self._judged(job, task, run, started)
        except BaseException as error:  # looking at what it raised, or asked for, raises something else
            return self._fail(job, error, "what came of it could not be told")

    def _judged(self, job: Job, task: Task[..., Any], run: Run, started: float) -> Outcome:
        said, raised = context.said(job), run.raised
        kind = type(raised)  # not isinstance(), which asks the exception
        if said is not None and not issubclass(kind, (Retry, Snooze)):
            if isinstance(said, Retry):  # retry(throw=False)
                said.__cause__ = said.__cause__ or raised
                raised, kind = said, type(said)
            elif raised is said:  # retry() gave up: that is not for autoretry_for to try again
                return self._fail(job, said)
        if raised is None:
            return self._returned(job, run.value, self._clock.monotonic() - started)
        if ending.caused(raised) and job.max_crashes > 1:
            return Released(reason="the program ended in order while it ran")
        if not run.entered and not issubclass(kind, HourwheelError):
            return self._hold(job, f"it could not be begun: {failure_of(raised).message or kind.__name__}")
        return self._raised(job, task, run, raised, kind)

    def _raised(self, job: Job, task: Task[..., Any], run: Run, raised: Any, kind: type) -> Outcome:
        if issubclass(kind, Retry):
            return self._retry(job, task, raised)
        if issubclass(kind, Snooze):
            return self._snoozed(job, raised)
        unreadable = not run.entered and issubclass(kind, PayloadError)  # and will be so the next time
        if not unreadable and task.retrying.covers(raised):
            return self._retry(job, task, Retry(exc=raised), asked_for=False)
        return self._fail(job, raised)

    def _returned(self, job: Job, value: Any, seconds: float) -> Outcome:
        text = "null"
        if value is not None and not job.ignore_result:
            try:
                text = encode_returned(value)
            except Exception as error:
                return self._fail(job, error, "it has returned, but its result cannot be stored; it is not run again")
        log.succeeded(job, text, seconds)
        if self._on.succeeded:
            self._on.succeeded.tell(job, value, seconds)
        return _NOTHING if text == "null" else Succeeded(returned=text)

    def _snoozed(self, job: Job, asked: Snooze) -> Outcome:
        due_ms = asked.due_ms(self._clock.now_ns())
        reason = None if asked.reason is None else cut(asked.reason, MESSAGE_MOST)
        log.snoozed(job, due_ms, self._clock.now_ms(), reason)
        self._on.snoozed.tell(job, due_ms)
        return Snoozed(due_ms=due_ms, reason=reason)

    def _hold(self, job: Job, reason: str) -> Snoozed:
        """Put a job off that was not begun, for a reason that is none of its own."""
        due_ms = self._clock.now_ms() + HELD_MS
        log.held(job, due_ms, reason)
        return Snoozed(due_ms=due_ms, reason=cut(reason, MESSAGE_MOST))

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
        policy, cause = task.retrying, cause_of(asked)
        if policy.exhausted(job.retries, asked.max_retries):
            limit = policy.max_retries if asked.max_retries is None else asked.max_retries
            return self._fail(job, cause, f"it was run {job.attempt} times, and max_retries is {limit}")
        now_ns = self._clock.now_ns()
        try:
            due_ms = asked.due_ms(now_ns, policy.wait(job.retries, asked=asked_for))
            payload = asked.payload(*job.call) if asked.changes_call else None
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
        log.failed(job, failure, error)
        self._on.failed.tell(job, error)
        return Failed(error=failure, reason=reason)


def _call(task: Task[..., Any], job: Job, run: Run, soft_s: float | None = None) -> Any:
    """What the function returned; the limit is for a coroutine."""
    context.enter(job)
    args, kwargs = job.call
    run.entered = True
    value = task.fn(task, *args, **kwargs) if task.bind else task.fn(*args, **kwargs)
    if type(value) is CoroutineType:
        value = run_in_loop(value if soft_s is None else within(value, soft_s))
    return value
