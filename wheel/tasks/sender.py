"""The ways to call a task later: delay(), apply_async(), and after(), at(), options() before them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeAlias, TypeVar, overload

from ..clock import instant_ms
from ..contract import Filter, Found
from ..errors import InvalidValue
from ..job import State
from ..results.result import AsyncResult
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
_ALL: Final = 1 << 62


class Sender(Generic[P, R_co]):
    """The ways to call a task later: a Task has them, and so has what after(), at() and options() give."""

    _task: Task[P, R_co]
    plan: Plan
    """What is said of the calls, and of none in particular."""
    countdown: Seconds | None
    """When a call is due that does not say; so is ``eta``."""
    eta: datetime | None

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
        """Call the task later: as soon as a worker is free, or at the time that is given.

        ``countdown`` (seconds or a timedelta) and ``eta`` (an aware datetime) say when, unless the function has a
        parameter of that name: then they are the function's, and after(), at() and apply_async() say when. A
        function's ``**kwargs`` is no parameter of that name. Type checkers check the arguments of a call without
        the two; with them, use after() and at() to have them checked.

        Args:
            args: the function's positional arguments.
            kwargs: its keyword arguments.

        Returns:
            A hold on the job, which is stored, durably.

        Raises:
            TypeError: the arguments do not fit the function's signature.
            PayloadError: an argument is not strict JSON.
            InvalidValue: countdown or eta breaks its rule.
            NoScheduler: the task is a shared one, and there is no scheduler yet.
            StoreError: the store cannot accept the job.

        >>> remind.delay(1, "x", countdown=900).state
        'scheduled'
        """
        countdown, eta = self._time_in(kwargs) if kwargs else (self.countdown, self.eta)
        return self._task._send(self.plan, args, kwargs, countdown, eta)

    def _time_in(self, kwargs: dict[str, Any]) -> tuple[Seconds | None, datetime | None]:
        """When a call is due: taken out of its arguments, unless they are the function's."""
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
    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncResult[Any]:
        """Call the task later, Celery's way: the function's arguments in a tuple and a dict, ours by name.

        Args:
            args: the function's positional arguments.
            kwargs: its keyword arguments.
            options: see CallOptions.

        Raises:
            InvalidValue: an option is not known, or breaks its rule; or both countdown and eta are given.
            TypeError, PayloadError, NoScheduler, StoreError: see delay().

        >>> remind.apply_async((1, "x"), countdown=900, expires=3600).cancel()
        <Found.SCHEDULED: 'scheduled'>
        """
        return self._task._send(*self._asked(args, kwargs, options))

    def _asked(
        self, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None, options: Mapping[str, Any]
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
        """delay(), but the job is stored when Django's current transaction has been committed.

        A job that is stored in the transaction may run before anybody else can see its rows, and runs if they are
        rolled back. The arguments are checked here and now, the time is counted from here, and the id is known at once
        (Celery's returns nothing). Outside of a transaction the job is stored at once.

        If the store cannot accept the job, the one who commits is told, when his rows are stored already. A process
        that dies between the commit and the store loses the call: docs/web-frameworks.md says what to do about that.

        Args:
            args: the function's positional arguments.
            kwargs: its keyword arguments, and ``countdown`` (seconds or a timedelta) or ``eta`` as for delay().

        Returns:
            A hold on the job. Until the commit, and after a rollback, its state is "unknown". If there is a ``key``
            and another job has it, the job with this id is never stored: use pending().

        Raises:
            SchedulerError: Django is not installed.
            TypeError, PayloadError, InvalidValue, NoScheduler: see delay().

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
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        using: str | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncResult[Any]:
        """apply_async(), but the job is stored when Django's current transaction has been committed.

        Args:
            args: the function's positional arguments.
            kwargs: its keyword arguments.
            using: the name of the database whose transaction it is; None for the default one.
            options: see CallOptions.

        Raises:
            SchedulerError, TypeError, PayloadError, InvalidValue, NoScheduler: see delay_on_commit().

        >>> remind.apply_async_on_commit((1, "x"), countdown=900).state
        'scheduled'
        """
        return self._task._send(*self._asked(args, kwargs, options), django_commit(using))

    @overload
    async def adelay(self: OfCoroutine[P, R], /, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]: ...
    @overload
    async def adelay(self, /, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R_co]: ...
    async def adelay(self, /, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
        """delay() for coroutines: the event loop goes on while the job is written and synced.

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
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncResult[Any]:
        """apply_async() for coroutines."""
        return await asyncio.to_thread(self.apply_async, args, kwargs, **options)

    @overload
    def pending(self: OfCoroutine[P, R]) -> AsyncResult[R] | None: ...
    @overload
    def pending(self) -> AsyncResult[R_co] | None: ...
    def pending(self) -> AsyncResult[Any] | None:
        """A hold on the unfinished job with the key of options(); None if there is none.

        It is the one that is scheduled; if there is none, the newest of those that run.

        Raises:
            InvalidValue: there is no key.
        """
        key = self.plan.key
        if key is None:
            raise InvalidValue.of("key", "given in options()", key)
        scheduler = self._task.scheduler
        found = scheduler.store.scan(Filter(key=key, states=_SCHEDULED), 1)
        if not found:  # as many as were replaced while they ran
            running = scheduler.store.scan(Filter(key=key, states=_RUNNING), _ALL)
            found = [max(running, key=lambda job: job.token)] if running else []
        return AsyncResult(found[0].id, scheduler) if found else None

    def cancel(self) -> Found:
        """Cancel the unfinished job with the key of options(); Found.UNKNOWN if there is none.

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
        """A call that is not made yet, for chain(), group() and chord(), where it is given more arguments in front.

        >>> remind.s(1, "x").delay().state
        'scheduled'
        """
        return self.signature(args, kwargs)

    @overload
    def si(self: OfCoroutine[P, R], /, *args: Any, **kwargs: Any) -> Signature[R]: ...
    @overload
    def si(self, /, *args: Any, **kwargs: Any) -> Signature[R_co]: ...
    def si(self, /, *args: Any, **kwargs: Any) -> Signature[Any]:
        """The same, but it is given nothing of what comes before it ("immutable")."""
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
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        immutable: bool = False,
        **options: Unpack[CallOptions],
    ) -> Signature[Any]:
        """A call that is not made yet, with options; see CallOptions."""
        call = self.options(**options) if options else self
        return Signature(self._task, *given(args, kwargs), call, immutable=immutable)

    def after(self, delay: Seconds) -> Call[P, R_co]:
        """The same task, to be called so many seconds (or a timedelta) after the call.

        >>> remind.after(900).delay(1, "x").state
        'scheduled'
        """
        return Call(self._task, self.plan, span("delay", delay), None)

    def at(self, when: datetime) -> Call[P, R_co]:
        """The same task, due at an instant, an aware datetime; as soon as possible if that has passed.

        >>> remind.at(datetime(2030, 1, 1, tzinfo=UTC)).delay(1, "x").state
        'scheduled'
        """
        instant_ms(when, "when")
        return Call(self._task, self.plan, None, when)

    def options(self, **options: Unpack[CallOptions]) -> Call[P, R_co]:
        """The same task, to be called with these options; those that follow take the place of those before.

        Raises:
            InvalidValue: an option is not known, or breaks its rule; or both countdown and eta are given.

        >>> remind.options(queue="mail", priority=5).after(900).delay(1, "x").job().queue
        'mail'
        """
        rest: dict[str, Any] = dict(options)
        countdown, eta = checked_time(rest.pop("countdown", None), rest.pop("eta", None))
        if countdown is None and eta is None:
            countdown, eta = self.countdown, self.eta
        return Call(self._task, self.plan.but(rest), countdown, eta)


class Call(Sender[P, R_co]):
    """A task and how it is to be called. It keeps nothing of a call: use it as often as you like."""

    __slots__ = ("_task", "countdown", "eta", "plan")

    def __init__(self, task: Task[P, R_co], plan: Plan, countdown: Seconds | None, eta: datetime | None) -> None:
        self._task = task
        self.plan = plan
        self.countdown = countdown
        self.eta = eta

    def __repr__(self) -> str:
        return f"<Call of {self._task.name}>"
