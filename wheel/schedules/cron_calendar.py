"""Calendar: which days and times a crontab names, on a clock that is never set.

The days of a month are the bits of a number, which depends on its first weekday and its length alone: there are 28
kinds of months. So the next day is found by months, not by minutes, and whether there is any at all is known for
certain: in 400 years, after which the calendar repeats, each month has begun on each weekday, February in both lengths.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import isleap
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

LAST: Final = -1
"""In the place of a day: the last of the month; of a weekday's number: the last in the month."""
LAST_WEEKDAY: Final = -2
"""In the place of a day: the last of the month from Monday to Friday."""

_LENGTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY: Final = 2
_SATURDAY: Final = 6
_LAST_YEAR: Final = 9990
"""No datetime is later than 9999, and the clocks of a zone may be set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The days and times of a crontab. Weekdays are counted from Sunday, 0."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    """Of the month; with LAST and LAST_WEEKDAY."""
    months: tuple[int, ...]
    weekdays: frozenset[int]
    nth: frozenset[tuple[int, int]]
    """(weekday, which of the month it is)."""
    either: bool
    """Whether a day of the month or a weekday is enough; else both must match."""
    _kinds: dict[tuple[int, int], int] = field(default_factory=dict, compare=False, repr=False)
    """The days of each kind of month, as far as they were asked for."""

    def ever(self) -> bool:
        """Whether there is any day."""
        return any(
            self._days(first, length)
            for month in self.months
            for length in ({28, 29} if month == _FEBRUARY else {_LENGTHS[month - 1]})
            for first in range(7)
        )

    def after(self, since: datetime) -> datetime | None:
        """The first time later than another, both to the second; None if there is none until the year 9990."""
        if self._has(since):
            time = self._time_after(since.hour, since.minute, since.second)
            if time is not None:
                return datetime(since.year, since.month, since.day, *time)  # noqa: DTZ001 - what the clock shows
        day = self._day_after(since.year, since.month, since.day)
        if day is None:
            return None
        return datetime(*day, self.hours[0], self.minutes[0], self.seconds[0])  # noqa: DTZ001

    def _time_after(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        """The first time of a day after another one."""
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
        """The first day after another one."""
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
        """The days of a month of a kind, as bits."""
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
    """The last day from Monday to Friday of a month whose last day is the weekday ``last``."""
    return length - {0: 2, _SATURDAY: 1}.get(last % 7, 0)
