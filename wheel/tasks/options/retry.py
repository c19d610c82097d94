"""What a task raises to be run again later (Retry, Snooze), and the policy by which it is run again unasked.

The policy belongs to the task and not to the job: what is deployed holds for the jobs that wait already. What a job
carries is how often it has run, which the store counts before each run, so the count survives whatever happens.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypedDict

from ...clock import deadline_ms, instant_ms
from ...errors import HourwheelError, InvalidValue
from ...payload import encode_call
from ..signature import given
from .plan import Plan
from .times import Seconds, span

if TYPE_CHECKING:
    from typing import Unpack


class RetryOptions(TypedDict, total=False):
    """What a retry may change of its job, beside its time and arguments; see Options."""

    queue: str | None
    priority: int | None
    expires: Seconds | datetime | None


def reason_of(exc: object) -> BaseException:
    """The exception that is meant by one, or by its class.

    Raises:
        InvalidValue: it is neither, or the class cannot be made without arguments.
    """
    rule = "an exception, or a class of exceptions that is made without arguments"
    try:
        found = exc() if isinstance(exc, type) else exc
    except Exception:
        raise InvalidValue.of("exc", rule, exc) from None
    if not isinstance(found, BaseException):
        raise InvalidValue.of("exc", rule, exc)
    return found


class Retry(HourwheelError):
    """Raised by a task: this attempt failed, run the job again.

    ``self.retry(...)`` of a task with ``bind`` raises it, too.

    Raise it ``from`` the exception that was the reason, so that the job shows that one as its error. When
    ``max_retries`` runs have been tried again already, the job fails with it.

    Args:
        message: why, for people.
        countdown: seconds until the next attempt. If neither is given, the task's ``retry_backoff`` says how long,
            or its ``default_retry_delay``.
        eta: the aware datetime of the next attempt, in the place of countdown.
        exc: the exception that was the reason, where ``raise ... from`` does not say it; or its class, if that is made
            without arguments.
        max_retries: in the place of the task's own.
        args: positional arguments for the next attempt, in the place of those of this one.
        kwargs: keyword arguments, likewise.
        options: ``queue``, ``priority`` and ``expires`` of the next attempts, see Options; expires counts from now.

    Raises:
        InvalidValue, PayloadError: an argument breaks its rule.

    >>> raise Retry("the gateway is busy", countdown=30)
    Traceback (most recent call last):
    hourwheel.Retry: the gateway is busy
    """

    def __init__(
        self,
        message: str = "",
        *,
        countdown: float | timedelta | None = None,
        eta: datetime | None = None,
        exc: BaseException | type[BaseException] | None = None,
        max_retries: int | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[RetryOptions],
    ) -> None:
        if type(message) is not str:  # as in Retry(60)
            raise InvalidValue.of("message", "text; seconds are given as countdown=", message)
        if countdown is not None and eta is not None:
            raise InvalidValue.of("countdown", "absent when eta is given", countdown)
        if max_retries is not None and (type(max_retries) is not int or max_retries < 0):
            raise InvalidValue.of("max_retries", "a whole number, 0 or more", max_retries)
        deadline_ms(0, countdown or 0)
        given(args, kwargs)
        for name in options:
            if name not in RetryOptions.__annotations__:
                raise InvalidValue.of("option", f"one of {', '.join(sorted(RetryOptions.__annotations__))}", name)
        super().__init__(message)
        self.countdown = countdown
        self.eta = None if eta is None else instant_ms(eta)
        self.max_retries = max_retries
        self.new_args = args
        self.new_kwargs = kwargs
        self._plan = Plan().but(options)
        self._priority = options.get("priority")
        if exc is not None:
            self.__cause__ = reason_of(exc)

    def due_ms(self, now_ns: int, default_delay_s: Seconds) -> int:
        """When the next attempt is due, in milliseconds since the epoch.

        Args:
            now_ns: the present, in nanoseconds since the epoch.
            default_delay_s: the delay, in seconds, if the exception does not say when.
        """
        if self.eta is not None:
            return self.eta
        return deadline_ms(now_ns, default_delay_s if self.countdown is None else self.countdown)

    def changes(self, now_ns: int) -> dict[str, Any]:
        """What else is to be another one in the next attempts: fields of job.Retried."""
        plan, found = self._plan, dict[str, Any]()
        if plan.placed:
            found["queue"] = plan.queue
        if self._priority is not None:
            found["priority"] = self._priority
        if plan.expires is not None:
            found["expires_ms"] = deadline_ms(now_ns, plan.expires)
        elif plan.expires_ms is not None:
            found["expires_ms"] = plan.expires_ms
        return found

    @property
    def changes_call(self) -> bool:
        """Whether the arguments of the next attempt are others."""
        return self.new_args is not None or self.new_kwargs is not None

    def payload(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """The arguments of the next attempt as JSON text, where they are others than those of this one, given here."""
        if self.new_args is None and self.new_kwargs is None:
            return None
        new_kwargs = kwargs if self.new_kwargs is None else dict(self.new_kwargs)
        return encode_call(args if self.new_args is None else tuple(self.new_args), new_kwargs)


class Snooze(HourwheelError):
    """Raised by a task: not yet, run the job later. The attempt is not counted.

    Args:
        countdown: seconds, or a timedelta; or
        eta: an aware datetime.
        reason: for people; it is shown with the job.

    >>> raise Snooze(60, reason="the shop is closed")
    Traceback (most recent call last):
    hourwheel.Snooze: the shop is closed
    """

    def __init__(
        self, countdown: Seconds | None = None, *, eta: datetime | None = None, reason: str | None = None
    ) -> None:
        if (countdown is None) is (eta is None):
            raise InvalidValue.of("countdown", "given, or eta, and not both", countdown)
        if reason is not None and type(reason) is not str:
            raise InvalidValue.of("reason", "text", reason)
        super().__init__(reason or "not yet")
        self.reason = reason
        self.countdown = None if countdown is None else span("countdown", countdown)
        self.eta = None if eta is None else instant_ms(eta)

    def due_ms(self, now_ns: int) -> int:
        """When the job is due again, in milliseconds since the epoch."""
        return deadline_ms(now_ns, self.countdown or 0) if self.eta is None else self.eta


class MaxRetriesExceeded(HourwheelError):
    """``self.retry()`` was called once more than ``max_retries`` allows, with no exception to raise instead."""


for _kind in (Retry, Snooze, MaxRetriesExceeded):
    _kind.__module__ = "hourwheel"  # as in errors.py: by this name they stand in stores


# ---- the policy ------------------------------------------------------------------------------------------

Errors = tuple[type[BaseException], ...]

OPTIONS: Final = frozenset(
    {
        "max_retries",
        "default_retry_delay",
        "autoretry_for",
        "dont_autoretry_for",
        "retry_backoff",
        "retry_backoff_max",
        "retry_jitter",
        "retry_kwargs",
        "retries",
        "retry_delay",
    }
)
"""The options of a task that make its policy; the last two are huey's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When a task is run again, and how long after."""

    max_retries: int | None = 3
    delay: Seconds = 180
    backoff: float = 0.0
    """The first delay of those that double, in seconds; 0 to wait ``delay`` each time."""
    backoff_max: float = 600.0
    jitter: bool | None = None
    """Whether delays that double are drawn; None for those of ``on`` only, not for those that a function asks for."""
    on: Errors = ()
    never: Errors = ()

    def covers(self, error: BaseException) -> bool:
        """Whether a function that raised ``error`` is to be run again unasked."""
        kind = type(error)  # an exception may claim to be of another class, or fail when it is asked
        return issubclass(kind, self.on) and not issubclass(kind, self.never)

    def exhausted(self, retries: int, most: int | None = None) -> bool:
        """Whether there is no attempt left; ``most`` stands in the place of max_retries."""
        limit = self.max_retries if most is None else most
        return limit is not None and retries >= limit

    def wait(self, retries: int, draw: Callable[[], float] = random.random, *, asked: bool = False) -> Seconds:
        """How long until the next attempt. Pure, but for ``draw``.

        The delay doubles from attempt to attempt, up to ``backoff_max``. With jitter it is drawn evenly from zero to
        that value ("full jitter"): jobs that failed together, because a server was down, do not come back together.

        Args:
            retries: how many attempts have been tried again already, 0 or more.
            draw: gives a number from 0 to 1.
            asked: by Retry, for itself.

        >>> [RetryPolicy(backoff=3.0, backoff_max=20.0, jitter=False).wait(n) for n in range(5)]
        [3.0, 6.0, 12.0, 20.0, 20.0]
        >>> RetryPolicy(backoff=3.0, jitter=True).wait(2, lambda: 0.5)
        6.0
        """
        if not self.backoff:
            return self.delay
        doublings = min(retries, 1000)  # 2.0**1024 is too much for a float
        delay = min(self.backoff_max, self.backoff * 2.0**doublings)
        jitter = not asked if self.jitter is None else self.jitter
        return delay * draw() if jitter else delay


def policy_of(options: Mapping[str, Any]) -> RetryPolicy:
    """The policy that a task's options make; None stands for "not given", but for max_retries, where it is "no end".

    Raises:
        InvalidValue: an option breaks its rule, or contradicts another.

    >>> policy_of({"autoretry_for": (OSError,), "retry_backoff": 3, "retry_jitter": False}).wait(2)
    12.0
    """
    said = {**options, **_of_huey(options), **_of_kwargs(options)}
    backoff = _backoff(said.get("retry_backoff"))
    at_once = not backoff and said.get("retry_backoff") is not None and said["retry_backoff"] is not False
    return RetryPolicy(
        max_retries=_checked_retries(said.get("max_retries", 3)),
        delay=span("default_retry_delay", _or(said.get("default_retry_delay"), 0 if at_once else 180)),
        backoff=backoff,
        backoff_max=_number("retry_backoff_max", _or(said.get("retry_backoff_max"), 600)),
        jitter=None if said.get("retry_jitter") is None else _truth("retry_jitter", said["retry_jitter"]),
        on=_errors("autoretry_for", said.get("autoretry_for")),
        never=_errors("dont_autoretry_for", said.get("dont_autoretry_for")),
    )


def _of_huey(options: Mapping[str, Any]) -> dict[str, Any]:
    """``retries`` and ``retry_delay``, as Celery would say it: any exception is tried again so often."""
    retries, delay = options.get("retries"), options.get("retry_delay")
    if retries is None and delay is None:
        return {}
    if retries is None:
        raise InvalidValue.of("retry_delay", "given with retries; without it, default_retry_delay is meant", delay)
    for other in ("max_retries", "autoretry_for", "default_retry_delay", "retry_kwargs"):
        if options.get(other) is not None:
            raise InvalidValue.of("retries", f"absent when {other} is given", retries)
    if delay is not None and options.get("retry_backoff"):
        raise InvalidValue.of("retry_delay", "absent when retry_backoff is given, which says how long", delay)
    if _checked_retries(retries, "retries") == 0:
        return {"max_retries": 0}
    return {"max_retries": retries, "default_retry_delay": _or(delay, 0), "autoretry_for": (Exception,)}


def _of_kwargs(options: Mapping[str, Any]) -> dict[str, Any]:
    found = options.get("retry_kwargs")
    if found is None:
        return {}
    if not isinstance(found, Mapping) or not set(found) <= {"max_retries", "countdown"}:
        raise InvalidValue.of("retry_kwargs", "a dict of max_retries and countdown", found)
    names = {"max_retries": "max_retries", "countdown": "default_retry_delay"}
    return {names[name]: value for name, value in found.items()}


def _checked_retries(most: object, name: str = "max_retries") -> int | None:
    if most is not None and (type(most) is not int or most < 0):
        raise InvalidValue.of(name, "a whole number, zero or more, or None", most)
    return most


def _backoff(value: object) -> float:
    if value is None or type(value) is bool:
        return float(bool(value))
    return _number("retry_backoff", value, least=0.0)


def _number(name: str, value: object, least: float = 5e-324) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < float("inf"):
        above = "zero or more" if not least else "more than zero"
        raise InvalidValue.of(name, f"a number of seconds, {above}", value)
    return float(value)


def _truth(name: str, value: object) -> bool:
    if type(value) is not bool:
        raise InvalidValue.of(name, "True or False", value)
    return value


def _errors(name: str, value: object) -> Errors:
    if value is None:
        return ()
    found = (value,) if isinstance(value, type) else value
    if not isinstance(found, (tuple, list, set, frozenset)) or not all(
        isinstance(one, type) and issubclass(one, BaseException) for one in found
    ):
        raise InvalidValue.of(name, "exception classes in a tuple", value)
    return tuple(found)


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
