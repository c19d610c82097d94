"""FakeClock: a clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from ..clock import instant_ms
from ..errors import InvalidValue

NEW_YEAR_2026_MS: Final = 1_767_225_600_000
_NS_IN_MS: Final = 1_000_000


class FakeClock:
    """A Clock for tests: time passes when ``advance`` is called, and the wall clock is set by ``travel``.

    >>> clock = FakeClock(0)
    >>> clock.advance(1.5)
    >>> clock.now_ms(), clock.monotonic()
    (1500, 1.5)
    >>> clock.travel(60_000)
    >>> clock.now_ms(), clock.monotonic()
    (60000, 1.5)
    """

    def __init__(self, start: datetime | int = NEW_YEAR_2026_MS) -> None:
        """Make a clock that shows ``start``: an aware datetime, or milliseconds since the epoch."""
        self._wall_ns = _wall_ns(start)
        self._monotonic_ns = 0

    def now_ms(self) -> int:
        """Wall time, in whole milliseconds since the epoch, rounded down."""
        return self._wall_ns // _NS_IN_MS

    def now_ns(self) -> int:
        """Wall time in nanoseconds since the epoch."""
        return self._wall_ns

    def monotonic(self) -> float:
        """The seconds by which the clock was advanced; travel() does not change it."""
        return self._monotonic_ns / 1_000_000_000

    def advance(self, seconds: float | timedelta) -> None:
        """Advance both the wall clock and the monotonic clock by ``seconds``, zero or more."""
        passed_ns = _passed_ns(seconds)
        self._wall_ns += passed_ns
        self._monotonic_ns += passed_ns

    def travel(self, to: datetime | int) -> None:
        """Set the wall clock forwards or back, as an operator or NTP would. The monotonic clock does not change.

        Args:
            to: an aware datetime, or milliseconds since the epoch.
        """
        self._wall_ns = _wall_ns(to)


def _passed_ns(seconds: float | timedelta) -> int:
    number = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < float("inf"):
        raise InvalidValue.of("seconds", "a number of seconds, zero or more, or a timedelta", seconds)
    return round(number * 1_000_000_000)


def _wall_ns(moment: datetime | int) -> int:
    if isinstance(moment, datetime):
        return instant_ms(moment, "moment") * _NS_IN_MS
    if type(moment) is not int or moment < 0:
        raise InvalidValue.of("moment", "an aware datetime or milliseconds since the epoch", moment)
    return moment * _NS_IN_MS
