"""Clocks and rounding. This is the only module that reads the time.

Instants are whole milliseconds since the epoch, in UTC. *The current time rounds down, deadlines round up*: when the
rounded clock has reached an instant, so has the real one. So nothing starts early.

Wall time decides what is due; monotonic time decides how long to sleep. An operator or NTP may set the wall clock, but
the monotonic clock never goes back, so a clock change cannot lengthen a sleep. The ticker sleeps for at most a second
and then reads the wall clock again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, runtime_checkable

from .errors import InvalidValue
from .zones import refuse_local_mean_time

MAX_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, the latest instant that a datetime can represent."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS_IN_MS: Final = 1_000_000


class Clock(Protocol):
    """A source of time. Tests use one that they move by hand."""

    def now_ms(self) -> int:
        """Wall time, in whole milliseconds since the epoch, rounded down."""
        return self.now_ns() // _NS_IN_MS

    def now_ns(self) -> int:
        """Wall time, in nanoseconds since the epoch; deadlines are computed from it and rounded up."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back, to measure sleeps."""


@runtime_checkable
class Passing(Protocol):
    """A clock that can advance time itself, so that a caller who waits need not sleep."""

    def pass_time(self, most_s: float) -> float:
        """Advance time until something happens, by at most ``most_s`` seconds. Returns by how many."""


class SystemClock:
    """The system's clocks."""

    def now_ms(self) -> int:
        """See Clock.now_ms."""
        return time.time_ns() // _NS_IN_MS

    def now_ns(self) -> int:
        """See Clock.now_ns."""
        return time.time_ns()

    def monotonic(self) -> float:
        """See Clock.monotonic."""
        return time.monotonic()


class Following(Clock):
    """A clock that follows the wall clock of another machine, the server that keeps the store.

    Args:
        clock: the clock of this machine.
        told: asks the server for its time, in milliseconds since the epoch; returns None if it has no clock.
    """

    def __init__(self, clock: Clock, told: Callable[[], int | None]) -> None:
        self._clock = clock
        self._told = told
        self._ahead_ns = 0
        """How far the other clock is ahead of ours."""
        self.look()

    def look(self) -> None:
        """Compare the clocks. The answer is taken as the server's time halfway through the call."""
        before_ns = self._clock.now_ns()
        told_ms = self._told()
        if told_ms is not None:
            self._ahead_ns = told_ms * _NS_IN_MS - (before_ns + self._clock.now_ns()) // 2

    def now_ns(self) -> int:
        """See Clock.now_ns."""
        return self._clock.now_ns() + self._ahead_ns

    def monotonic(self) -> float:
        """See Clock.monotonic."""
        return self._clock.monotonic()


def deadline_ms(now_ns: int, seconds: float | timedelta) -> int:
    """Return the instant ``seconds`` after ``now_ns``, rounded up to a whole millisecond.

    Args:
        now_ns: the current time, in nanoseconds since the epoch.
        seconds: how long from now: a number of seconds or a timedelta, zero or more.

    Returns:
        Milliseconds since the epoch.

    Raises:
        InvalidValue: the delay is negative, not finite, or leads beyond the year 9999.

    >>> deadline_ms(1_000_000, 0.0015)
    3
    """
    if isinstance(seconds, timedelta):
        delay_ns = (seconds // timedelta(microseconds=1)) * 1000
    elif type(seconds) is int:
        delay_ns = seconds * 1_000_000_000
    else:
        delay_ns = _float_ns(seconds)
    due_ms = -((-now_ns - delay_ns) // _NS_IN_MS)
    if delay_ns < 0 or due_ms > MAX_MS:
        raise InvalidValue.of("countdown", "a number of seconds from 0 to the year 9999", seconds)
    return due_ms


def _float_ns(seconds: object) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise InvalidValue.of("countdown", "a number of seconds or a timedelta", seconds)
    try:
        return round(seconds * 1_000_000_000)
    except (OverflowError, ValueError):
        raise InvalidValue.of("countdown", "a finite number of seconds", seconds) from None


def instant_ms(when: datetime, name: str = "eta") -> int:
    """Return an aware datetime as milliseconds since the epoch, rounded up.

    Raises:
        InvalidValue: the datetime is naive (the message shows the fix), or before 1970.

    >>> instant_ms(datetime(1970, 1, 1, 0, 0, 1, 500, tzinfo=UTC))
    1001
    """
    if not isinstance(when, datetime):
        raise InvalidValue.of(name, "an aware datetime", when)
    if when.tzinfo is None or when.utcoffset() is None:
        raise InvalidValue(
            f"{name} must be an aware datetime, got {when!r}; add a time zone: "
            f"{name}={name}.astimezone() for local time, {name}.replace(tzinfo=UTC) for UTC"
        )
    refuse_local_mean_time(when, name)
    ms = -((_EPOCH - when) // timedelta(milliseconds=1))
    if not 0 <= ms <= MAX_MS:
        raise InvalidValue.of(name, "between 1970 and the year 9999", when)
    return ms


def as_datetime(ms: int) -> datetime:
    """Return the aware UTC datetime of an instant in milliseconds since the epoch."""
    return _EPOCH + timedelta(milliseconds=ms)
