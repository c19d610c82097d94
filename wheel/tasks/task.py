"""Task: a decorated function that can be called later.

Every call checks the arguments against the function's signature, encodes them as strict JSON, makes a Job, and passes
it to the scheduler. Whatever can be computed when the function is decorated is computed then, because ``delay()`` is
the hot path: outside of the store it takes a few microseconds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from ..contract import find
from ..errors import SchedulerError
from ..job import Claim, Job
from ..payload import encode, encode_call
from ..results.result import AsyncResult
from ..turn import Keep
from .canvas import Signature
from .carrier import Carrier
from .context import Request, current_job, say
from .default_app import get_default
from .draft import send_linked
from .naming import checked_name, default_name, origin_of
from .on_commit import AfterCommit, Later
from .options.plan import CallOptions, Plan
from .options.retry import OPTIONS as RETRY_OPTIONS
from .options.retry import MaxRetriesExceeded, Retry, RetryOptions, policy_of, reason_of
from .options.task_options import TaskOptions, listed, refuse_unknown
from .options.time_limits import OPTIONS as LIMIT_OPTIONS
from .options.time_limits import Limits, limits_of
from .options.times import Seconds, checked_time
from .sender import P, R_co, Sender
from .signature import given, takes, twin

if TYPE_CHECKING:
    from typing import Unpack


class Task(Sender[P, R_co]):
    """A function that can be called later, made with ``@app.task`` or ``@task``. A plain call runs it now.

    >>> remind(1, "x")
    'X'
    """

    signature_type: ClassVar[type[Signature[Any]]] = Signature
    """What s(), si() and signature() make."""

    plan_type: ClassVar[type[Plan]] = Plan
    """What keeps the options of its calls."""

    exhausted_type: ClassVar[type[MaxRetriesExceeded]] = MaxRetriesExceeded
    """What retry() raises if no attempt is left and there is no other exception."""

    def __init__(
        self, fn: Callable[..., R_co], scheduler: Carrier | None, *, bind: bool = False, **options: Unpack[TaskOptions]
    ) -> None:
        """Make a task of a function, without registering it; see TaskDecorator.

        Args:
            fn: the function.
            scheduler: the scheduler of its calls; None for the default scheduler at the time of each call.
            bind: whether to pass the task to the function as first argument.
            options: see TaskOptions.
        """
        refuse_unknown(options)
        rest: dict[str, Any] = dict(options)
        self.origin: Final = origin_of(fn)
        """(module, qualified name) of the function."""
        name = rest.pop("name", None)
        self.name: Final = default_name(self.origin) if name is None else checked_name("name", name)
        self.aliases: Final = tuple(checked_name("aliases", one) for one in listed(rest.pop("aliases", ())))
        self.retrying: Final = policy_of({name: rest.pop(name) for name in RETRY_OPTIONS & rest.keys()})
        """When and how often jobs are retried."""
        self.limits: Final = limits_of(**{name: rest.pop(name, None) for name in LIMIT_OPTIONS})
        """The time limits of a run."""
        self.fn: Final = fn
        self.bind: Final = bind
        self.entry: Callable[..., Any] = partial(fn, self) if bind else fn
        """What a run calls with the arguments of the job."""
        self.countdown, self.eta = checked_time(rest.pop("countdown", None), None)
        plan = self.plan_type().but(rest)
        self.plan = replace(plan, said=frozenset())  # a call may add the option that one of these needs
        self._task = self
        self._scheduler = scheduler
        self.check = partial(twin(fn), self) if bind else twin(fn)
        self._takes_no_countdown = not takes(fn, "countdown")
        self._takes_no_eta = not takes(fn, "eta")
        update_wrapper(self, fn, updated=())

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function now, in this thread. Nothing is stored."""
        found: R_co = self.entry(*args, **kwargs)
        return found

    @property
    def job(self) -> Job | None:
        """The running job, for functions with ``bind``; None in a plain call."""
        return current_job()

    @property
    def request(self) -> Request:
        """The running job with the attributes of Celery's ``request``: id, args, retries, called_directly and so on."""
        return Request(current_job())

    @property
    def max_retries(self) -> int | None:
        """How often a job is retried; None for no limit."""
        return self.retrying.max_retries

    @property
    def default_retry_delay(self) -> Seconds:
        """The delay before a retry, in seconds, if neither the retry nor a backoff sets one."""
        return self.retrying.delay

    def update_state(self, *, state: str | None = None, meta: Any = None) -> None:
        """Report the progress of the running job. ``result.progress`` and ``hourwheel jobs`` show it.

        Args:
            state: a word of your own, such as "PROGRESS". The job's state is still "running".
            meta: any strict JSON value.

        Raises:
            PayloadError: meta is not strict JSON.
            SchedulerError: called outside of a job, or the job has lost its claim: stop working on it.

        >>> @app.task(bind=True)
        ... def copy(self, count):
        ...     for done in range(count):
        ...         self.update_state(meta={"done": done, "of": count})
        """
        job = current_job()
        if job is None:
            raise SchedulerError("update_state() must be called in a running job")
        note = encode({"state": state, "meta": meta} if state is not None else meta, "meta")
        claim = Claim(job, job.token, job.owner or "")
        scheduler = self.scheduler
        if scheduler.store.settle([(claim, Keep(note=note))], scheduler.clock.now_ms()):
            raise SchedulerError(f"job {job.id} has lost its claim: another worker runs it, or it has ended")

    def as_errback(self, sig: Signature[Any]) -> Signature[Any]:
        """The call of this task that is linked to failures as ``sig``; it gets the id of the job that failed."""
        return sig

    def limits_of(self, job: Job) -> Limits:  # noqa: ARG002 - for those whose calls have limits of their own
        """The time limits of a run of one of its jobs."""
        return self.limits

    def is_cancelled(self) -> bool:
        """Return whether the running job has been cancelled; reads the store. False outside of jobs.

        cancel() cannot stop a running function. A function that calls this now and then, and returns or raises early,
        can be cancelled while it runs.

        >>> @app.task(bind=True)
        ... def copy(self, count):
        ...     for done in range(count):
        ...         if self.is_cancelled():
        ...             raise Snooze(0)  # a cancelled job does not run again
        """
        job = current_job()
        found = None if job is None else find(self.scheduler.store, job.id)
        return found is not None and found.cancel_ms is not None

    def retry(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        exc: BaseException | type[BaseException] | None = None,
        throw: bool = True,
        eta: datetime | None = None,
        countdown: Seconds | None = None,
        max_retries: int | None = None,
        **options: Unpack[RetryOptions],
    ) -> Retry:
        """Retry the running job later: in a function with ``bind``, ``raise self.retry(exc=error, countdown=60)``.

        The delay is ``eta`` or ``countdown``; or else the task's ``retry_backoff`` (which Celery ignores here); or else
        its ``default_retry_delay``. Attempts are counted in the store, so the count survives restarts.

        Args:
            args: positional arguments for the next attempt; None for the same as now.
            kwargs: keyword arguments for the next attempt; None for the same as now.
            exc: the reason, an exception or a class that can be called without arguments; by default the exception that
                is being handled. It is raised if no attempt is left; ``autoretry_for`` does not apply to it then.
            throw: whether to raise the Retry. If False, it is returned, and the job is retried after the function has
                ended in any way; what the function returns is ignored.
            eta: when to retry, an aware datetime.
            countdown: when to retry, in seconds from now or as a timedelta.
            max_retries: replaces the task's own.
            options: ``queue``, ``priority`` and ``expires`` of the next attempts; expires counts from now.

        Raises:
            Retry: do not catch it.
            MaxRetriesExceeded: no attempt is left, and there is no ``exc``.
            InvalidValue: an argument is not valid.

        >>> @app.task(bind=True, retry_backoff=3, max_retries=3)
        ... def send_code(self, mobile):
        ...     try:
        ...         post_sms(mobile)
        ...     except OSError as error:
        ...         raise self.retry(exc=error)
        """
        cause = reason_of(exc) if exc is not None else sys.exc_info()[1]
        asked = Retry(
            countdown=countdown, eta=eta, exc=cause, max_retries=max_retries, args=args, kwargs=kwargs, **options
        )
        job = current_job()
        if job is None or self.retrying.exhausted(job.retries, max_retries):
            if cause is None:
                cause = self.exhausted_type(f"{self.name} was run {1 if job is None else job.attempt} times")
            if job is not None:
                say(job, cause)
            raise cause
        if throw:
            raise asked
        say(job, asked)
        return asked

    def prepare(
        self, calls: Iterable[tuple[Sequence[Any], Mapping[str, Any]]], **options: Unpack[CallOptions]
    ) -> tuple[list[Job], Plan]:
        """Make jobs of calls without storing them, for a scheduler to add in one write.

        Args:
            calls: pairs (args, kwargs).
            options: see CallOptions.

        Returns:
            The jobs, and their plan, which has the arguments ``fresh`` and ``on_conflict`` for Store.add.

        Raises:
            TypeError, PayloadError: as for delay(). No job is made.
        """
        call = self.options(**options) if options else self
        plan, countdown, eta, check, name = call.plan, call.countdown, call.eta, self.check, self.name
        plan.refuse_idle()
        scheduler = self.scheduler
        texts = []
        for one in calls:
            args, kwargs = given(*one)
            check(*args, **kwargs)
            texts.append(encode_call(args, kwargs))
        if scheduler.routes is not None:
            plan = scheduler.routes.place(name, plan)
        now_ns, ttl_ms = scheduler.clock.now_ns(), scheduler.result_ttl_ms
        return plan.jobs(name, texts, now_ns, ttl_ms, countdown, eta), plan

    @property
    def scheduler(self) -> Carrier:
        """The scheduler to which calls go.

        Raises:
            NoScheduler: the task is shared and there is no scheduler yet.
        """
        return get_default() if self._scheduler is None else self._scheduler

    def _send(
        self,
        plan: Plan,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        countdown: Seconds | None,
        eta: datetime | None,
        later: Later | None = None,
    ) -> AsyncResult[R_co]:
        self.check(*args, **kwargs)
        scheduler = self._scheduler
        if scheduler is None:
            scheduler = get_default()
        if later is not None:
            carrier = cast("Carrier", AfterCommit(scheduler, later))
            held = send(carrier, self.name, args, kwargs, plan, countdown, eta)
            return scheduler.result_type(held.id, scheduler)
        return send(scheduler, self.name, args, kwargs, plan, countdown, eta)


def send(
    scheduler: Carrier,
    name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    plan: Plan,
    countdown: Seconds | None = None,
    eta: datetime | None = None,
) -> AsyncResult[Any]:
    """Store a call of a task by its name. The task need not be registered here."""
    if plan.said:
        plan.refuse_idle()
    if scheduler.routes is not None:
        plan = scheduler.routes.place(name, plan)
    now_ns = scheduler.clock.now_ns()
    job = plan.job(name, encode_call(args, kwargs), now_ns, scheduler.result_ttl_ms, countdown, eta)
    if plan.link or plan.link_error:
        return scheduler.result_type(send_linked(scheduler, [job], plan)[0], scheduler)
    return scheduler.result_type(scheduler.submit(job, fresh=plan.fresh, on_conflict=plan.on_conflict), scheduler)
