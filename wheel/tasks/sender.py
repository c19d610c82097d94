"""The ways to call a task later: delay() and apply_async(), and after(), at() and options() before them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, ParamSpec, TypeAlias, TypeVar, overload

from ..clock import instant_ms
from ..contract import Filter, Found
from ..errors import InvalidValue, WrongUse
from ..job import State
from ..results.result import AsyncResult
from ..wrong_use import OF_TASK, NoOperand, lacks
from .canvas import Signature
from .on_commit import django_commit
from .options.plan import CallOptions, Plan
from .options.times import Seconds, checked_time, span
from .signature import given

if TYPE_CHECKING:
    from typing import Unpack

    from .task import Task

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
Args: TypeAlias = Sequence[Any] | None
Kwargs: TypeAlias = Mapping[str, Any] | None
OfCoroutine: TypeAlias = "Sender[P, Coroutine[Any, Any, R]]"
"""Of a coroutine function: the result of its job is what the coroutine returns, so each way to call it later has an
overload. (``R | Coroutine[Any, Any, R]`` in one signature is enough for pyright; mypy infers nothing from it.)"""
_SCHEDULED: Final = frozenset({State.SCHEDULED})
_RUNNING: Final = frozenset({State.RUNNING})


@lacks("a task", OF_TASK)
class Sender(NoOperand, Generic[P, R_co]):
    """The ways to call a task later. Base class of Task, and of what after(), at() and options() return."""

    _task: Task[P, R_co]
    plan: Plan
    """The options of the calls."""
    countdown: Seconds | None
    """The default countdown of calls."""
    eta: datetime | None
    """The default eta of calls."""

    @overload
    def delay(self: OfCoroutine[P, R], /, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]: ...
    @overload
    def delay(self, /, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R_co]: ...
    @overload
    def delay(self: OfCoroutine[P, R], /, *args: Any, countdown: Seconds | None, **kwargs: Any) -> AsyncResult[R]: ...
    @overload
    def delay(self, /, *args: Any, countdown: Seconds | None, **kwargs: Any) -> AsyncResult[R_co]: ...
    @overload
    def delay(self: OfCoroutine[P, R], /, *args: Any, eta: datetime | None, **kwargs: Any) -> AsyncResult[R]: ...
    @overload
    def delay(self, /, *args: Any, eta: datetime | None, **kwargs: Any) -> AsyncResult[R_co]: ...
    def delay(self, /, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
        """Call the task later: as soon as a worker is free, or at a given time.

        ``countdown`` (seconds or a timedelta) or ``eta`` (an aware datetime) sets the time, unless the function has a
        parameter of that name: then it is passed to the function, and you set the time with after(), at() or
        apply_async(). ``**kwargs`` does not count as such a parameter. Type checkers check the function's arguments
        only in calls without countdown and eta; use after() and at() to have them checked.

        Args:
            args: the function's positional arguments.
            kwargs: its keyword arguments.

        Returns:
            A handle to the job, which is durably stored.

        Raises:
            TypeError: the arguments do not fit the function's signature.
            PayloadError: an argument is not strict JSON.
            InvalidValue: countdown or eta is not valid.
            NoScheduler: the task is shared and there is no scheduler yet.
            StoreError: the store cannot accept the job.

        >>> remind.delay(1, "x", countdown=900).state
        'scheduled'
        """
        countdown, eta = self._time_in(kwargs) if kwargs else (self.countdown, self.eta)
        return self._task._send(self.plan, args, kwargs, countdown, eta)

    def _time_in(self, kwargs: dict[str, Any]) -> tuple[Seconds | None, datetime | None]:
        """Take countdown and eta out of the keyword arguments, unless the function has parameters of these names."""
        countdown = kwargs.pop("countdown", None) if self._task._takes_no_countdown else None
        eta = kwargs.pop("eta", None) if self._task._takes_no_eta else None
        return (self.countdown, self.eta) if countdown is None and eta is None else (countdown, eta)

    @overload
    def apply_async(
        self: OfCoroutine[P, R], args: Args = None, kwargs: Kwargs = None, **options: Unpack[CallOptions]
    ) -> AsyncResult[R]: ...
    @overload
    def apply_async(
        self, args: Args = None, kwargs: Kwargs = None, **options: Unpack[CallOptions]
    ) -> AsyncResult[R_co]: ...
    def apply_async(self, args: Args = None, kwargs: Kwargs = None, **options: Unpack[CallOptions]) -> AsyncResult[Any]:
        """Call the task later, as in Celery: arguments as a tuple and a dict, options as keyword arguments.

        Args:
            args: the function's positional arguments.
            kwargs: its keyword arguments.
            options: see CallOptions.

        Raises:
            InvalidValue: an option is not valid, or both countdown and eta are given.
            TypeError, PayloadError, NoScheduler, StoreError: as for delay().

        >>> remind.apply_async((1, "x"), countdown=900, expires=3600).cancel()
        <Found.SCHEDULED: 'scheduled'>
        """
        return self._task._send(*self._asked(args, kwargs, options))

    def _asked(
        self, args: Args, kwargs: Kwargs, options: Mapping[str, Any]
    ) -> tuple[Plan, tuple[Any, ...], dict[str, Any], Seconds | None, datetime | None]:
        positional, named = given(args, kwargs)
        rest = dict(options)
        countdown, eta = rest.pop("countdown", None), rest.pop("eta", None)
        if countdown is None and eta is None:
            countdown, eta = self.countdown, self.eta
        plan = self.plan.but(rest) if rest else self.plan
        return plan, positional, named, countdown, eta

    @overload
    def delay_on_commit(self: OfCoroutine[P, R], /, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]: ...
    @overload
    def delay_on_commit(self, /, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R_co]: ...
    @overload
    def delay_on_commit(
        self: OfCoroutine[P, R], /, *args: Any, countdown: Seconds | None, **kwargs: Any
    ) -> AsyncResult[R]: ...
    @overload
    def delay_on_commit(self, /, *args: Any, countdown: Seconds | None, **kwargs: Any) -> AsyncResult[R_co]: ...
    @overload
    def delay_on_commit(
        self: OfCoroutine[P, R], /, *args: Any, eta: datetime | None, **kwargs: Any
    ) -> AsyncResult[R]: ...
    @overload
    def delay_on_commit(self, /, *args: Any, eta: datetime | None, **kwargs: Any) -> AsyncResult[R_co]: ...
    def delay_on_commit(self, /, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
        """Like delay(), but store the job after Django's current transaction is committed.

        A job that is stored inside the transaction could run before its rows are visible, and would run even if they
        are rolled back. The arguments are checked now, countdown is counted from now, and the id is known now (Celery's
        delay_on_commit returns nothing). Outside of a transaction the job is stored immediately.

        If the store cannot accept the job, the commit raises, although the rows are stored. If the process dies between
        the commit and storing the job, the call is lost; docs/web-frameworks.md has a remedy.

        Args:
            args: the function's positional arguments.
            kwargs: its keyword arguments, and ``countdown`` (seconds or a timedelta) or ``eta`` as for delay().

        Returns:
            A handle to the job. Before the commit, and after a rollback, its state is "unknown". With a ``key`` that
            another job has, a job of this id is never stored; use pending() then.

        Raises:
            SchedulerError: Django is not installed.
            TypeError, PayloadError, InvalidValue, NoScheduler: as for delay().

        >>> from django.db import transaction
        >>> with transaction.atomic():
        ...     result = remind.delay_on_commit(1, "x", countdown=900)
        ...     result.state
        'unknown'
        >>> result.state
        'scheduled'
        """
        countdown, eta = self._time_in(kwargs)
        return self._task._send(self.plan, args, kwargs, countdown, eta, django_commit(None))

    @overload
    def apply_async_on_commit(
        self: OfCoroutine[P, R],
        args: Args = None,
        kwargs: Kwargs = None,
        *,
        using: str | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncResult[R]: ...
    @overload
    def apply_async_on_commit(
        self, args: Args = None, kwargs: Kwargs = None, *, using: str | None = None, **options: Unpack[CallOptions]
    ) -> AsyncResult[R_co]: ...
    def apply_async_on_commit(
        self, args: Args = None, kwargs: Kwargs = None, *, using: str | None = None, **options: Unpack[CallOptions]
    ) -> AsyncResult[Any]:
        """Like apply_async(), but store the job after Django's current transaction is committed.

        Args:
            args: the function's positional arguments.
            kwargs: its keyword arguments.
            using: the name of the database of the transaction; None for the default one.
            options: see CallOptions.

        Raises:
            SchedulerError, TypeError, PayloadError, InvalidValue, NoScheduler: as for delay_on_commit().

        >>> remind.apply_async_on_commit((1, "x"), countdown=900).state
        'scheduled'
        """
        return self._task._send(*self._asked(args, kwargs, options), django_commit(using))

    @overload
    async def adelay(self: OfCoroutine[P, R], /, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]: ...
    @overload
    async def adelay(self, /, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R_co]: ...
    async def adelay(self, /, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
        """Like delay(), for coroutines: storing the job does not block the event loop.

        >>> asyncio.run(remind.after(900).adelay(1, "x")).state
        'scheduled'
        """
        return await asyncio.to_thread(self.delay, *args, **kwargs)

    @overload
    async def aapply_async(
        self: OfCoroutine[P, R], args: Args = None, kwargs: Kwargs = None, **options: Unpack[CallOptions]
    ) -> AsyncResult[R]: ...
    @overload
    async def aapply_async(
        self, args: Args = None, kwargs: Kwargs = None, **options: Unpack[CallOptions]
    ) -> AsyncResult[R_co]: ...
    async def aapply_async(
        self, args: Args = None, kwargs: Kwargs = None, **options: Unpack[CallOptions]
    ) -> AsyncResult[Any]:
        """Like apply_async(), for coroutines."""
        return await asyncio.to_thread(self.apply_async, args, kwargs, **options)

    @overload
    def pending(self: OfCoroutine[P, R]) -> AsyncResult[R] | None: ...
    @overload
    def pending(self) -> AsyncResult[R_co] | None: ...
    def pending(self) -> AsyncResult[Any] | None:
        """Return a handle to the unfinished job with the key of options(); None if there is none.

        If one job is scheduled and others with the key are running, it is the scheduled one; otherwise the newest
        running one.

        Raises:
            InvalidValue: no key was passed to options().
        """
        key = self.plan.key
        if key is None:
            raise InvalidValue(
                "a task has no job of its own: keep the result of delay(), or pass a key first, task.options(key=...)"
            )
        scheduler = self._task.scheduler
        found = scheduler.store.scan(Filter(key=key, states=_SCHEDULED), 1)
        if not found:  # several may be running: each was replaced while it ran
            running = scheduler.store.scan(Filter(key=key, states=_RUNNING))
            found = [max(running, key=lambda job: job.token)] if running else []
        return scheduler.result_type(found[0].id, scheduler) if found else None

    def cancel(self) -> Found:
        """Cancel the unfinished job with the key of options(). Returns Found.UNKNOWN if there is none.

        >>> remind.options(key=("cart", 7)).after(1800).delay(7, "your cart").state
        'scheduled'
        >>> remind.options(key=("cart", 7)).cancel()
        <Found.SCHEDULED: 'scheduled'>
        """
        found = self.pending()
        return Found.UNKNOWN if found is None else found.cancel()

    @overload
    def s(self: OfCoroutine[P, R], /, *args: Any, **kwargs: Any) -> Signature[R]: ...
    @overload
    def s(self, /, *args: Any, **kwargs: Any) -> Signature[R_co]: ...
    def s(self, /, *args: Any, **kwargs: Any) -> Signature[Any]:
        """Return a Signature: a call for chain(), group() and chord(). It gets the results of earlier calls.

        >>> remind.s(1, "x").delay().state
        'scheduled'
        """
        return self.signature(args, kwargs)

    @overload
    def si(self: OfCoroutine[P, R], /, *args: Any, **kwargs: Any) -> Signature[R]: ...
    @overload
    def si(self, /, *args: Any, **kwargs: Any) -> Signature[R_co]: ...
    def si(self, /, *args: Any, **kwargs: Any) -> Signature[Any]:
        """Like s(), but the call gets no results of earlier calls ("immutable")."""
        return self.signature(args, kwargs, immutable=True)

    @overload
    def signature(
        self: OfCoroutine[P, R],
        args: Args = None,
        kwargs: Kwargs = None,
        *,
        immutable: bool = False,
        **options: Unpack[CallOptions],
    ) -> Signature[R]: ...
    @overload
    def signature(
        self, args: Args = None, kwargs: Kwargs = None, *, immutable: bool = False, **options: Unpack[CallOptions]
    ) -> Signature[R_co]: ...
    def signature(
        self, args: Args = None, kwargs: Kwargs = None, *, immutable: bool = False, **options: Unpack[CallOptions]
    ) -> Signature[Any]:
        """Like s() or si(), with options; see CallOptions."""
        call = self.options(**options) if options else self
        return self._task.signature_type(self._task, *given(args, kwargs), call, immutable=immutable)

    def after(self, delay: Seconds) -> Call[P, R_co]:
        """Return the task with a delay in seconds, or a timedelta, for its calls.

        >>> remind.after(900).delay(1, "x").state
        'scheduled'
        """
        return Call(self._task, self.plan, span("delay", delay), None)

    def at(self, when: datetime) -> Call[P, R_co]:
        """Return the task with a due time, an aware datetime, for its calls. A past time means as soon as possible.

        >>> remind.at(datetime(2030, 1, 1, tzinfo=UTC)).delay(1, "x").state
        'scheduled'
        """
        instant_ms(when, "when")
        return Call(self._task, self.plan, None, when)

    def options(self, **options: Unpack[CallOptions]) -> Call[P, R_co]:
        """Return the task with these options for its calls, added to earlier ones.

        Raises:
            InvalidValue: an option is not valid, or both countdown and eta are given.

        >>> remind.options(queue="mail", priority=5).after(900).delay(1, "x").job().queue
        'mail'
        """
        rest: dict[str, Any] = dict(options)
        countdown, eta = checked_time(rest.pop("countdown", None), rest.pop("eta", None))
        if countdown is None and eta is None:
            countdown, eta = self.countdown, self.eta
        return Call(self._task, self.plan.but(rest), countdown, eta)


class Call(Sender[P, R_co]):
    """A task with options for its calls. It can be called any number of times."""

    __slots__ = ("_task", "countdown", "eta", "plan")

    def __init__(self, task: Task[P, R_co], plan: Plan, countdown: Seconds | None, eta: datetime | None) -> None:
        self._task = task
        self.plan = plan
        self.countdown = countdown
        self.eta = eta

    def __repr__(self) -> str:
        return f"<Call of {self._task.name}>"

    if not TYPE_CHECKING:  # checkers report it

        def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
            """Say that .delay is missing."""
            raise WrongUse("a task with options is not a call yet; write task.after(...).delay(...), with .delay")
