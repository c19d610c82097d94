"""Tasks: decorated functions, and the ways to call one later.

What a call does, whichever way it is made: check the arguments against the signature, write them as strict JSON,
make a Job, give it to the scheduler. Everything that can be found out when the function is decorated is, because
``delay()`` is the hot path: what it does outside of the store costs a few microseconds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Final, cast

from ..errors import SchedulerError
from ..job import Claim, Job, Noted
from ..payload import encode, encode_call
from ..results.result import AsyncResult
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
from .options.time_limits import limits_of
from .options.times import Seconds, checked_time
from .sender import P, R_co, Sender
from .signature import given, takes, twin

if TYPE_CHECKING:
    from typing import Unpack


class Task(Sender[P, R_co]):
    """A function that can be called later. Made by ``@app.task`` and ``@task``; called, it runs here and now.

    >>> remind(1, "x")
    'X'
    """

    def __init__(
        self, fn: Callable[..., R_co], scheduler: Carrier | None, *, bind: bool = False, **options: Unpack[TaskOptions]
    ) -> None:
        """The task of a function; see TaskDecorator, which registers it too.

        Args:
            fn: the function.
            scheduler: what carries its calls; None for the default scheduler at the time of each call.
            bind: pass the task to the function, before the other arguments.
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
        """When it is run again, and how long after."""
        self.limits: Final = limits_of(**{name: rest.pop(name, None) for name in LIMIT_OPTIONS})
        """How long a run may take."""
        self.fn: Final = fn
        self.bind: Final = bind
        self.countdown, self.eta = checked_time(rest.pop("countdown", None), None)
        self.plan = replace(Plan().but(rest), said=frozenset())  # what idles in all calls may be of use in one
        self._task = self
        self._scheduler = scheduler
        self.check = partial(twin(fn), self) if bind else twin(fn)
        self._takes_no_countdown = not takes(fn, "countdown")
        self._takes_no_eta = not takes(fn, "eta")
        update_wrapper(self, fn, updated=())

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function, here and now; nothing is stored."""
        return self.fn(self, *args, **kwargs) if self.bind else self.fn(*args, **kwargs)

    @property
    def job(self) -> Job | None:
        """The job that the calling code runs in, for functions with ``bind``; None in a plain call."""
        return current_job()

    @property
    def request(self) -> Request:
        """The same under the names that Celery's users know: id, args, retries, called_directly ..."""
        return Request(current_job())

    @property
    def max_retries(self) -> int | None:
        """How often a job is tried again; None for no end."""
        return self.retrying.max_retries

    @property
    def default_retry_delay(self) -> Seconds:
        """How long until the next attempt, in seconds, if nothing else says."""
        return self.retrying.delay

    def update_state(self, *, state: str | None = None, meta: Any = None) -> None:
        """Say how far the running job has come, in a function with ``bind``; ``hourwheel jobs`` and results show it.

        Args:
            state: a word of your own, such as "PROGRESS"; the job's state goes on being "running".
            meta: anything that is strict JSON.

        Raises:
            PayloadError: meta is not strict JSON.
            SchedulerError: no job runs here, or this job has lost its claim: what it does is not wanted any more.

        >>> @app.task(bind=True)
        ... def copy(self, count):
        ...     for done in range(count):
        ...         self.update_state(meta={"done": done, "of": count})
        """
        job = current_job()
        if job is None:
            raise SchedulerError("update_state() says how far a job has come, and no job runs here")
        note = encode({"state": state, "meta": meta} if state is not None else meta, "meta")
        claim = Claim(job, job.token, job.owner or "", job.lease_until_ms)
        scheduler = self.scheduler
        if scheduler.store.settle([(claim, Noted(note=note))], scheduler.clock.now_ms()):
            raise SchedulerError(f"job {job.id} has lost its claim: another worker runs it, or it was settled")

    def is_cancelled(self) -> bool:
        """Whether the running job has been asked to end (by cancel(), which cannot stop it): a look at the store.

        A function that looks now and then, and returns or raises early, can be cancelled while it runs. False outside
        of a job.

        >>> @app.task(bind=True)
        ... def copy(self, count):
        ...     for done in range(count):
        ...         if self.is_cancelled():
        ...             raise Snooze(0)  # give up: a job that was cancelled does not run again
        """
        job = current_job()
        found = None if job is None else self.scheduler.store.get(job.id)
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
        """Be run again later: in a function with ``bind``, ``raise self.retry(exc=error, countdown=60)``.

        The delay is, in this order: ``eta`` or ``countdown``; the task's ``retry_backoff`` (which Celery ignores here,
        silently); its ``default_retry_delay``. Attempts are counted in the store, so they survive restarts.

        Args:
            args: positional arguments for the next attempt; None for the same.
            kwargs: keyword arguments, likewise.
            exc: why; raised as it is when no attempt is left, and then not tried again by ``autoretry_for``. By default
                the exception that is being handled. A class is taken, if it is made without arguments.
            throw: raise the Retry here; otherwise return it: the job is run again when the function has ended, in
                whatever way, and what it returns is not kept.
            eta: an aware datetime.
            countdown: seconds, or a timedelta.
            max_retries: in the place of the task's own.
            options: ``queue``, ``priority`` and ``expires`` of the next attempts; expires counts from now.

        Raises:
            Retry: to be let through.
            MaxRetriesExceeded: no attempt is left, and there is no ``exc``.
            InvalidValue: an argument breaks its rule.

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
                cause = MaxRetriesExceeded(f"{self.name} was run {1 if job is None else job.attempt} times")
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
        """Calls as jobs that are not stored yet, all made at one instant, for a scheduler to add in one write.

        Args:
            calls: (args, kwargs) of each.
            options: see CallOptions.

        Returns:
            The jobs, and the plan, which says whether they are fresh and what happens on a conflict.

        Raises:
            TypeError, PayloadError: as delay() does; no job is made.
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
        """What carries the calls.

        Raises:
            NoScheduler: the task is a shared one, and there is no scheduler yet.
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
            return AsyncResult(held.id, scheduler)
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
    """Store a call of the task of that name, which need not be known here."""
    if plan.said:
        plan.refuse_idle()
    if scheduler.routes is not None:
        plan = scheduler.routes.place(name, plan)
    now_ns = scheduler.clock.now_ns()
    job = plan.job(name, encode_call(args, kwargs), now_ns, scheduler.result_ttl_ms, countdown, eta)
    if plan.link or plan.link_error:
        return AsyncResult(send_linked(scheduler, [job], plan)[0], scheduler)
    return AsyncResult(scheduler.submit(job, fresh=plan.fresh, on_conflict=plan.on_conflict), scheduler)
