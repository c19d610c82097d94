"""Runner: runs one claim and returns an Outcome. No exception of a function escapes from it.

Every exception of the function is recorded, not only subclasses of Exception: SystemExit would otherwise end the worker
thread, and the job would be running forever. A coroutine function runs in the event loop of the worker's thread
(loops.py).

Failures on our side are not blamed on the function. If one happens before the function is called (no thread can be
started), the job is postponed. If one happens after it has returned (its result cannot be stored), the job has failed
and is not retried.

Each run has its own context (contextvars), so jobs do not see each other's context variables.

A function may fork. The child may do what it likes until it returns from the function; then it ends, like a child of
multiprocessing, because it must not run its parent's other claims.
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
"""How long a job is postponed, in milliseconds, if it could not be started for a reason that is not its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A task, and how a pool runs it."""

    task: Task[..., Any]
    limits: Limits
    is_coroutine: bool
    refusal: str | None = None
    """Why this pool cannot run its jobs; None if it can."""


def known(task: Task[..., Any], limits: Limits | None = None, refusal: str | None = None) -> Known:
    """Return a task as a Known. Without ``limits``, its own apply."""
    return Known(
        task=task,
        limits=task.limits if limits is None else limits,
        is_coroutine=iscoroutinefunction(task.fn),
        refusal=refusal,
    )


@dataclass(slots=True)
class Run:
    """One call of a function, and how far it got."""

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
        know: Callable[[Task[..., Any], Limits | None], Known] = known,
        guard: Guard = soft_limit,
        refused: Refused | None = None,
        look: Look | None = None,
        mark: Callable[[str, int], None] | None = None,
    ) -> None:
        """Make a runner.

        Args:
            registry: the tasks.
            clock: measures runs, and gives the time from which delays of retries count.
            on: the hooks to call.
            know: returns how to run a task; called before its first job, and with limits for a job with its own.
            guard: enforces limits on plain functions.
            refused: records the tasks whose jobs are released.
            look: returns jobs by their ids, for jobs that waited for others; None if these already have their results.
            mark: called with the owner and token of a job that starts; see contract.Beginning.
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
        """The tasks whose jobs were released."""

    def __call__(self, claim: Claim) -> Outcome:
        """Run the claim's job in this thread. Never raises."""
        found = self.find(claim.job)
        if not isinstance(found, Known):
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
        """Return the same runner with another clock."""
        return Runner(
            self._registry, clock, self._on, know=self._know, guard=self._guard, refused=self.refused, look=self._look
        )

    # ---- the steps of a run, for pools that take them one by one ---------------------------------------------

    def find(self, job: Job) -> Known | Outcome:
        """Return the job's task, or the outcome if it cannot be run here."""
        task = self._registry.find(job.task)
        if task is None:
            return self._give_back(job)
        found = self._known.get(job.task)
        if found is None or found.task is not task:  # it was registered again
            found = self._known[job.task] = self._know(task, None)
        if job.extra is not None and (limits := task.limits_of(job)) is not task.limits:
            found = self._know(task, limits)
            if found.refusal is not None:  # of this job, not of the task
                return self.put_off(job, found.refusal)
        return found if found.refusal is None else self.refuse(job, found.refusal)

    def gather(self, job: Job) -> Job | Outcome:
        """Return the job with the results that it waited for, or the outcome if it cannot have them."""
        try:
            return self.given(job, self._look)
        except StoreError as error:
            return self._hold(job, f"the jobs that it waited for could not be read: {error}")

    def given(self, job: Job, look: Look | None) -> Job | Outcome:
        """Like gather(), with another ``look``.

        Raises:
            StoreError: the jobs that it waited for could not be read.
        """
        if job.after is None or look is None:
            return job
        try:
            found = gathered(job, look)
        except StoreError:
            raise
        except Exception as error:
            return self._fail(job, error, "the results that it waited for cannot be passed to it")
        if not isinstance(found, Job):
            log.not_run(job, getattr(found, "reason", None))
            if isinstance(found, Skipped):
                self._on.skipped.tell(job._replace(reason=found.reason))
        return found

    def admit(self, job: Job) -> Job | Outcome:
        """Return the job as it is to be run, after marking it as started; or the outcome if it cannot be run."""
        found = job if job.after is None else self.gather(job)
        if self._mark is not None and isinstance(found, Job):
            try:
                self._mark(job.owner or "", job.token)
            except Exception as error:
                return self._hold(job, f"it could not be marked as started: {error}")
        return found

    def begin(self, job: Job) -> None:
        """Log, and tell the hooks, that the function is about to be called."""
        log.accepted(job)
        if self._on.started:
            self._on.started.tell(job)

    def call(self, known: Known, job: Job, run: Run) -> Any:
        """Call the function in its own context, and return its result."""
        if known.limits is UNLIMITED:
            return copy_context().run(_call, known.task, job, run)
        if known.is_coroutine:
            return copy_context().run(_call, known.task, job, run, known.limits.soft_s)
        return self._guard(known.limits, lambda: copy_context().run(_call, known.task, job, run))

    def outcome(self, job: Job, task: Task[..., Any], run: Run, started: float) -> Outcome:
        """Return the outcome of a run that started at ``started`` (monotonic). Never raises."""
        try:
            if run.raised is None and not context.SAID:
                return self._returned(job, run.value, self._clock.monotonic() - started)
            return self._judged(job, task, run, started)
        except BaseException as error:  # from code of the exception or Retry that it raised
            return self._fail(job, error, "its outcome could not be determined")

    def _judged(self, job: Job, task: Task[..., Any], run: Run, started: float) -> Outcome:
        said, raised = context.said(job), run.raised
        kind = type(raised)  # not isinstance(), which looks at __class__
        if said is not None and not issubclass(kind, (Retry, Snooze)):
            if isinstance(said, Retry):  # retry(throw=False)
                said.__cause__ = said.__cause__ or raised
                raised, kind = said, type(said)
            elif raised is said:  # retry() gave up: autoretry_for does not apply
                return self._fail(job, said)
        if raised is None:
            return self._returned(job, run.value, self._clock.monotonic() - started)
        if ending.caused(raised) and job.max_crashes > 1:
            return Released(reason="the program ended in order while it ran")
        if not run.entered and not issubclass(kind, HourwheelError):
            return self._hold(job, f"it could not be started: {failure_of(raised).message or kind.__name__}")
        return self._raised(job, task, run, raised, kind)

    def _raised(self, job: Job, task: Task[..., Any], run: Run, raised: Any, kind: type) -> Outcome:
        if issubclass(kind, Retry):
            return self._retry(job, task, raised)
        if issubclass(kind, Snooze):
            return self._snoozed(job, raised)
        unreadable = not run.entered and issubclass(kind, PayloadError)  # a retry would not help
        if not unreadable and task.retrying.covers(raised):
            return self._retry(job, task, Retry(exc=raised), asked_for=False)
        return self._fail(job, raised)

    def _returned(self, job: Job, value: Any, seconds: float) -> Outcome:
        text = "null"
        if value is not None:
            try:
                text = encode_returned(value, ignored=job.ignore_result)
            except Exception as error:
                return self._fail(job, error, "it has returned, but its result cannot be stored; it is not retried")
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
        """Postpone a job that could not be started for a reason that is not its own."""
        due_ms = self._clock.now_ms() + HELD_MS
        log.held(job, due_ms, reason)
        return Snoozed(due_ms=due_ms, reason=cut(reason, MESSAGE_MOST))

    def refuse(self, job: Job, reason: str) -> Released:
        """Release a job that this pool cannot run."""
        if self.refused.add(job.task):
            log.refused(job, reason)
        return Released(reason=f"not run in the pool that took it: {reason}")

    def put_off(self, job: Job, reason: str) -> Snoozed:
        """Postpone a job that this worker process cannot run; another one may be able to."""
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
            return self._fail(job, error, "it asked for a retry that is not possible")
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
    """Call the function and return its result; ``soft_s`` is for coroutines."""
    context.enter(job)
    args, kwargs = job.call
    run.entered = True
    value = task.entry(*args, **kwargs)
    if type(value) is CoroutineType:
        value = run_in_loop(value if soft_s is None else within(value, soft_s))
    return value
