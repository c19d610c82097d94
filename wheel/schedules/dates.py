"""Dates: every n days, weeks or months at a time of day.

Days, weeks and months are counted from the start of the schedule or, without one, from 1 January 1970. Weeks begin on
Monday. A month that does not have a day, such as the 31st, has no fire on it, as in cron.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from ..clock import MAX_MS, as_datetime, instant_ms
from ..errors import InvalidValue
from .cron_calendar import Calendar
from .cron_fields import Cronfield, calendar_of, text_of, weekdays_of
from .local_time import FAR, by_calendar

COUNT_MOST: Final = 10_000
_SECOND: Final = timedelta(seconds=1)
_AT: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_WEEKDAYS: Final = "sun mon tue wed thu fri sat".split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The days of a calendar in each nth unit: the nth day, week or month."""

    unit: str
    count: int
    phase: int
    """Which of the units, counted from year 1, modulo ``count``."""
    days: Calendar

    def after(self, since: datetime) -> datetime | None:
        """Return the first match later than ``since``, to the second, or None if there is none."""
        found = self.days.after(since)
        while found is not None and (ahead := (self.phase - number_of(self.unit, found)) % self.count):
            first = _first_day(self.unit, number_of(self.unit, found) + ahead)
            if first is None:
                return None
            found = self.days.after(datetime.combine(first, time()) - _SECOND)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """A rule of ``every``: each nth day, week or month at a time of day in a time zone."""

    unit: str
    count: int
    text: str
    """The rule as text, without the time zone."""
    days: Calendar
    start_ms: int | None
    """When to count from."""
    zone: tzinfo | None

    def __str__(self) -> str:
        return self.text if self.zone is None else f"{self.text} {self.zone}"

    @property
    def steps(self) -> Steps:
        """The dates in the time zone."""
        since = as_datetime(self.start_ms or 0).astimezone(self.zone or UTC)
        first = since if self.start_ms is not None else datetime(1970, 1, 1)  # noqa: DTZ001 - naive local time
        return Steps(unit=self.unit, count=self.count, phase=number_of(self.unit, first) % self.count, days=self.days)

    def after(self, ms: int) -> int | None:
        """The first fire later than ``ms``, in milliseconds since the epoch."""
        start = as_datetime(min(ms, MAX_MS))
        found = None if start >= FAR else by_calendar(self.steps, start, self.zone or UTC)
        return None if found is None else instant_ms(found)

    def localized(self, zone: tzinfo) -> Dates:
        """The rule in a time zone, unless it has one."""
        return self if self.zone is not None else replace(self, zone=zone)


def dates_of(
    units: dict[str, float],
    at: str | time | None,
    on: Cronfield | None,
    day: Cronfield | None,
    start_ms: int | None,
    zone: tzinfo | None,
) -> Dates:
    """Check the arguments of ``every`` that go by the calendar. ``units``: how many days, weeks and months.

    Raises:
        InvalidValue: one has the wrong type or is out of range, they contradict each other, or no day ever matches.
    """
    unit, count = _unit(units, on, day)
    moment = _time(at)
    days = "*" if unit != "months" else text_of("day", 1 if day is None else day)
    weekdays = "*" if unit != "weeks" else _weekdays("mon" if on is None else on)
    calendar = calendar_of(
        [str(moment.second), str(moment.minute), str(moment.hour), days, "*", weekdays], either=False
    )
    where = f" on {weekdays}" if unit == "weeks" else f" on {days}" if unit == "months" else ""
    text = f"every {count} {unit}{where} at {moment:%H:%M:%S}"
    made = Dates(unit=unit, count=count, text=text, days=calendar, start_ms=start_ms, zone=zone)
    if made.steps.after(datetime(1970, 1, 1)) is None:  # noqa: DTZ001 - naive local time
        raise InvalidValue.of("every", "a rule that matches some day", text)
    return made


def number_of(unit: str, day: date) -> int:
    """The number of a day, week or month, counted from year 1."""
    if unit == "months":
        return day.year * 12 + day.month - 1
    return day.toordinal() if unit == "days" else (day.toordinal() - 1) // 7


def _first_day(unit: str, number: int) -> date | None:
    try:
        if unit == "months":
            return date(number // 12, number % 12 + 1, 1)
        return date.fromordinal(number if unit == "days" else number * 7 + 1)
    except (ValueError, OverflowError):  # after the year 9999
        return None


def _unit(units: dict[str, float], on: Cronfield | None, day: Cronfield | None) -> tuple[str, int]:
    given = {unit: count for unit, count in units.items() if count != 0}
    unit = next(iter(given), "weeks" if on is not None else "months" if day is not None else "days")
    count = given.get(unit, 1)
    if len(given) > 1 or unit not in ("days", "weeks", "months"):
        raise InvalidValue.of("every", "one of days, weeks or months if it has at, on, day or months", given)
    if type(count) is not int or not 1 <= count <= COUNT_MOST:
        raise InvalidValue.of(unit, f"a whole number from 1 to {COUNT_MOST:,} if it goes by the calendar", count)
    if on is not None and unit != "weeks":
        raise InvalidValue.of("on", "left out without weeks, for which it gives the days", on)
    if day is not None and unit != "months":
        raise InvalidValue.of("day", "left out without months, for which it gives the day", day)
    return unit, count


def _weekdays(on: Cronfield) -> str:
    """Weekdays as text that is the same however they were written.

    >>> _weekdays("Thursday,1,mon")
    'mon,thu'
    """
    return ",".join(_WEEKDAYS[number] for number in weekdays_of("on", on))


def _time(at: object) -> time:
    if at is None:
        return time()
    if isinstance(at, time) and at.tzinfo is None:
        return at.replace(microsecond=0, fold=0)
    found = _AT.fullmatch(at) if isinstance(at, str) else None
    if found is None:
        raise InvalidValue.of("at", 'a time of day such as "07:30" or "07:30:15", or a time without a time zone', at)
    hour, minute, second = (int(part or 0) for part in found.groups())
    return time(hour, minute, second)
