"""Retries: the exceptions that a task raises to run again (Retry, Snooze), and the policy for automatic retries.

The policy is part of the task, not stored with jobs, so a deployed change also applies to jobs that are already stored.
The store counts the attempts of a job, before each of them, so the count survives crashes.
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
from .plan import Plan, truth
from .times import NOT_BOTH, Seconds, span

if TYPE_CHECKING:
    from typing import Unpack


class RetryOptions(TypedDict, total=False):
    """The options that a retry may change, besides the time and the arguments; see Options."""

    queue: str | None
    priority: int | None
    expires: Seconds | datetime | None


def reason_of(exc: object) -> BaseException:
    """Return an exception, given itself or its class.

    Raises:
        InvalidValue: it is neither, or the class cannot be called without arguments.
    """
    rule = "an exception, or a class of exceptions that can be called without arguments"
    try:
        found = exc() if isinstance(exc, type) else exc
    except Exception:
        raise InvalidValue.of("exc", rule, exc) from None
    if not isinstance(found, BaseException):
        raise InvalidValue.of("exc", rule, exc)
    return found


class Retry(HourwheelError):
    """Raise this in a task to run the job again, because this attempt failed.

    ``self.retry(...)`` of a task with ``bind`` raises it, too. Raise it ``from`` the exception that was the reason, so
    that the job shows that as its error. After ``max_retries`` retries, the job fails with that error instead.

    Args:
        message: the reason, as text.
        countdown: seconds until the next attempt, or a timedelta. Without countdown and eta, the delay is that of the
            task's ``retry_backoff`` or ``default_retry_delay``.
        eta: when to make the next attempt, an aware datetime.
        exc: the exception that was the reason, if you do not ``raise ... from`` it; or a class that can be called
            without arguments.
        max_retries: replaces the task's own.
        args: positional arguments for the next attempt; None for the same as now.
        kwargs: keyword arguments for the next attempt; None for the same as now.
        options: ``queue``, ``priority`` and ``expires`` of the next attempts, see Options; expires counts from now.

    Raises:
        InvalidValue, PayloadError: an argument is not valid.

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
            raise InvalidValue.of("message", "text; pass seconds as countdown=", message)
        if countdown is not None and eta is not None:
            raise InvalidValue(NOT_BOTH)
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
        """Return when the next attempt is due, in milliseconds since the epoch."""
        if self.eta is not None:
            return self.eta
        return deadline_ms(now_ns, default_delay_s if self.countdown is None else self.countdown)

    def changes(self, now_ns: int) -> dict[str, Any]:
        """Return the other changes for the next attempts, as fields of job.Retried."""
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
        """Whether the next attempt has other arguments."""
        return self.new_args is not None or self.new_kwargs is not None

    def payload(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """Return the arguments of the next attempt as JSON text, or None if they are those of this one, given here."""
        if self.new_args is None and self.new_kwargs is None:
            return None
        new_kwargs = kwargs if self.new_kwargs is None else dict(self.new_kwargs)
        return encode_call(args if self.new_args is None else tuple(self.new_args), new_kwargs)


class Snooze(HourwheelError):
    """Raise this in a task to run the job later. The attempt does not count.

    Args:
        countdown: seconds from now, or a timedelta.
        eta: an aware datetime, instead of countdown.
        reason: text that is shown with the job.

    Raises:
        InvalidValue: neither or both of countdown and eta are given, or one is not valid.

    >>> raise Snooze(60, reason="the shop is closed")
    Traceback (most recent call last):
    hourwheel.Snooze: the shop is closed
    """

    def __init__(
        self, countdown: Seconds | None = None, *, eta: datetime | None = None, reason: str | None = None
    ) -> None:
        if (countdown is None) is (eta is None):
            raise InvalidValue(NOT_BOTH if eta is not None else "pass countdown or eta")
        if reason is not None and type(reason) is not str:
            raise InvalidValue.of("reason", "text", reason)
        super().__init__(reason or "not yet")
        self.reason = reason
        self.countdown = None if countdown is None else span("countdown", countdown)
        self.eta = None if eta is None else instant_ms(eta)

    def due_ms(self, now_ns: int) -> int:
        """Return when the job is due again, in milliseconds since the epoch."""
        return deadline_ms(now_ns, self.countdown or 0) if self.eta is None else self.eta


class MaxRetriesExceeded(HourwheelError):
    """``self.retry()`` was called after ``max_retries`` retries, without an exception to raise instead."""


for _kind in (Retry, Snooze, MaxRetriesExceeded):
    _kind.__module__ = "hourwheel"  # stores contain this name; see errors.py


# ---- the policy ------------------------------------------------------------------------------------------

Errors = tuple[type[BaseException], ...]

OPTIONS: Final = frozenset(
    "max_retries default_retry_delay autoretry_for dont_autoretry_for retry_backoff retry_backoff_max retry_jitter "
    "retry_kwargs retries retry_delay".split()
)
"""The options of a task that set its policy; the last two are huey's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When and how often the jobs of a task are retried."""

    max_retries: int | None = 3
    delay: Seconds = 180
    backoff: float = 0.0
    """The first of delays that double, in seconds; 0 to use ``delay`` each time."""
    backoff_max: float = 600.0
    jitter: bool | None = None
    """Whether to randomize delays that double; None for automatic retries only, not for Retry."""
    on: Errors = ()
    never: Errors = ()

    def covers(self, error: BaseException) -> bool:
        """Whether to retry automatically after ``error``."""
        kind = type(error)  # not isinstance(), which looks at __class__
        return issubclass(kind, self.on) and not issubclass(kind, self.never)

    def exhausted(self, retries: int, most: int | None = None) -> bool:
        """Whether no attempt is left; ``most`` replaces max_retries."""
        limit = self.max_retries if most is None else most
        return limit is not None and retries >= limit

    def wait(self, retries: int, draw: Callable[[], float] = random.random, *, asked: bool = False) -> Seconds:
        """Return the delay before the next attempt.

        It doubles with each retry, up to ``backoff_max``. With jitter it is drawn uniformly between zero and that value
        ("full jitter"), so that jobs that failed together because a server was down do not come back together.

        Args:
            retries: how many retries there have been, 0 or more.
            draw: returns a random number from 0 to 1.
            asked: whether the function raised Retry itself.

        >>> [RetryPolicy(backoff=3.0, backoff_max=20.0, jitter=False).wait(n) for n in range(5)]
        [3.0, 6.0, 12.0, 20.0, 20.0]
        >>> RetryPolicy(backoff=3.0, jitter=True).wait(2, lambda: 0.5)
        6.0
        """
        if not self.backoff:
            return self.delay
        doublings = min(retries, 1000)  # 2.0**1024 is too large for a float
        delay = min(self.backoff_max, self.backoff * 2.0**doublings)
        jitter = not asked if self.jitter is None else self.jitter
        return delay * draw() if jitter else delay


def policy_of(options: Mapping[str, Any]) -> RetryPolicy:
    """Return the policy for a task's options. None means "not given"; for max_retries it means "no limit".

    >>> policy_of({"autoretry_for": (OSError,), "retry_backoff": 3, "retry_jitter": False}).wait(2)
    12.0
    """
    merged = {**options, **_of_huey(options), **_of_kwargs(options)}
    backoff = _backoff(merged.get("retry_backoff"))
    at_once = not backoff and merged.get("retry_backoff") is not None and merged["retry_backoff"] is not False
    return RetryPolicy(
        max_retries=_checked_retries(merged.get("max_retries", 3)),
        delay=span("default_retry_delay", _or(merged.get("default_retry_delay"), 0 if at_once else 180)),
        backoff=backoff,
        backoff_max=_number("retry_backoff_max", _or(merged.get("retry_backoff_max"), 600)),
        jitter=None if merged.get("retry_jitter") is None else truth("retry_jitter", merged["retry_jitter"]),
        on=_errors("autoretry_for", merged.get("autoretry_for")),
        never=_errors("dont_autoretry_for", merged.get("dont_autoretry_for")),
    )


def _of_huey(options: Mapping[str, Any]) -> dict[str, Any]:
    """Translate huey's ``retries`` and ``retry_delay`` into Celery's options."""
    retries, delay = options.get("retries"), options.get("retry_delay")
    if retries is None and delay is None:
        return {}
    if retries is None:
        raise InvalidValue("retry_delay needs retries; without retries, pass default_retry_delay")
    for other in ("max_retries", "autoretry_for", "default_retry_delay", "retry_kwargs"):
        if options.get(other) is not None:
            raise InvalidValue(f"pass retries or {other}, not both")
    if delay is not None and options.get("retry_backoff"):
        raise InvalidValue("pass retry_delay or retry_backoff, not both")
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
