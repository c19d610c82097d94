"""Calendar: the days and times that a crontab matches, without regard to time zones.

The matching days of a month are the bits of one number. They depend only on the month's first weekday and length, so
there are 28 kinds of months, and the search goes from month to month. It is also certain whether any day matches:
within the 400 years after which the calendar repeats, every month begins on every weekday, February in both lengths.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import isleap
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

LAST: Final = -1
"""As a day: the last day of the month. As the number of a weekday: the last one in the month."""
LAST_WEEKDAY: Final = -2
"""As a day: the last day of the month from Monday to Friday."""

_LENGTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY: Final = 2
_SATURDAY: Final = 6
_LAST_YEAR: Final = 9990
"""datetime ends with 9999; this leaves room for converting between zones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The days and times of a crontab. Sunday is weekday 0."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    """Days of the month, and LAST and LAST_WEEKDAY."""
    months: tuple[int, ...]
    weekdays: frozenset[int]
    nth: frozenset[tuple[int, int]]
    """Pairs (weekday, n): the nth such weekday of the month."""
    either: bool
    """Whether the day of the month or the weekday is enough; otherwise both must match."""
    _kinds: dict[tuple[int, int], int] = field(default_factory=dict, compare=False, repr=False)
    """A cache: (first weekday, length) of a month to its matching days."""

    def ever(self) -> bool:
        """Whether any day matches."""
        return any(
            self._days(first, length)
            for month in self.months
            for length in ({28, 29} if month == _FEBRUARY else {_LENGTHS[month - 1]})
            for first in range(7)
        )

    def after(self, since: datetime) -> datetime | None:
        """Return the first match later than ``since``, to the second, or None if there is none up to the year 9990."""
        if self._has(since):
            time = self._time_after(since.hour, since.minute, since.second)
            if time is not None:
                return datetime(since.year, since.month, since.day, *time)  # noqa: DTZ001 - naive local time
        day = self._day_after(since.year, since.month, since.day)
        if day is None:
            return None
        return datetime(*day, self.hours[0], self.minutes[0], self.seconds[0])  # noqa: DTZ001

    def _time_after(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        """The first matching time of day after another one."""
        if hour in self.hours:
            if minute in self.minutes and second < self.seconds[-1]:
                return hour, minute, self.seconds[bisect_right(self.seconds, second)]
            if minute < self.minutes[-1]:
                return hour, self.minutes[bisect_right(self.minutes, minute)], self.seconds[0]
        if hour < self.hours[-1]:
            return self.hours[bisect_right(self.hours, hour)], self.minutes[0], self.seconds[0]
        return None

    def _has(self, day: datetime) -> bool:
        return day.month in self.months and bool(self._days_of(day.year, day.month) >> day.day & 1)

    def _day_after(self, year: int, month: int, day: int) -> tuple[int, int, int] | None:
        """The first matching day after another one."""
        later = self._days_of(year, month) >> (day + 1) << (day + 1) if month in self.months else 0
        at = bisect_right(self.months, month)
        while not later:
            if at == len(self.months):
                year, at = year + 1, 0
            if year > _LAST_YEAR:
                return None
            month = self.months[at]
            later, at = self._days_of(year, month), at + 1
        return year, month, (later & -later).bit_length() - 1

    def _days_of(self, year: int, month: int) -> int:
        length = 29 if month == _FEBRUARY and isleap(year) else _LENGTHS[month - 1]
        first = date(year, month, 1).isoweekday() % 7
        known = self._kinds.get((first, length))
        return self._days(first, length) if known is None else known

    def _days(self, first: int, length: int) -> int:
        """The matching days of a kind of month, as bits."""
        found = sum(1 << day for day in range(1, length + 1) if self._matches(day, (first + day - 1) % 7, length))
        self._kinds[first, length] = found
        return found

    def _matches(self, day: int, weekday: int, length: int) -> bool:
        of_month = (
            day in self.days
            or (LAST in self.days and day == length)
            or (LAST_WEEKDAY in self.days and day == _last_weekday(weekday + length - day, length))
        )
        of_week = (
            weekday in self.weekdays
            or (weekday, (day + 6) // 7) in self.nth
            or ((weekday, LAST) in self.nth and day + 7 > length)
        )
        return of_month or of_week if self.either else of_month and of_week


def _last_weekday(last: int, length: int) -> int:
    """The last day from Monday to Friday in a month that ends on weekday ``last``."""
    return length - {0: 2, _SATURDAY: 1}.get(last % 7, 0)
