"""``every`` and ``crontab``: when a periodic task is due.

A schedule is a pure function from one instant to the next fire after it. All processes compute the same instants,
whenever they start: ``every`` counts from a fixed anchor, not from the start of the process. A fire can therefore be
identified by its schedule and its instant.

What happens to times of day when the clocks change is in local_time.py.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final, Protocol

from ..clock import MAX_MS, as_datetime, deadline_ms, instant_ms
from ..errors import InvalidValue
from ..zones import checked_zone
from .bounds import Bounded, bounds_of
from .cron_calendar import Calendar
from .cron_fields import Cronfield, calendar_of, closed_up, text_of
from .dates import Dates, dates_of
from .local_time import FAR, as_time_passes, by_calendar

Seconds = float | timedelta

_LEAST_MS: Final = 100
_SECONDS: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400, "weeks": 604_800, "months": 0}


class Schedule(Protocol):
    """What a schedule must provide. Any object with these members can be one.

    It may also have ``jitter_ms``: each fire is delayed by a time below this, see ``crontab``.
    """

    spec: str
    """A description. Two schedules with the same text must fire at the same instants."""

    def after(self, ms: int) -> int | None:
        """Return the first fire later than ``ms`` (both in milliseconds since the epoch), or None if there is none."""

    def localized(self, zone: tzinfo) -> Schedule:
        """Return this schedule in ``zone``, or unchanged if it already has a time zone."""


class _Interval:
    """A rule of ``every``: a fixed interval, counted from an instant."""

    __slots__ = ("_every_ms", "_from_ms")

    def __init__(self, every_ms: int, from_ms: int) -> None:
        self._every_ms = every_ms
        self._from_ms = from_ms

    def __str__(self) -> str:
        return f"every {self._every_ms} ms" + (f" from {self._from_ms}" if self._from_ms else "")

    def __repr__(self) -> str:
        since = f" from {as_datetime(self._from_ms)}" if self._from_ms else ""
        return f"every {timedelta(milliseconds=self._every_ms)}{since}"

    def after(self, ms: int) -> int | None:
        if ms < self._from_ms:
            return self._from_ms
        found = ((ms - self._from_ms) // self._every_ms + 1) * self._every_ms + self._from_ms
        return found if found <= MAX_MS else None

    def localized(self, zone: tzinfo) -> _Interval:  # noqa: ARG002 - it needs none
        return self


class every(Bounded):  # noqa: N801 - called like a function, as Celery's crontab is
    """A schedule that fires at a fixed interval, or every n days, weeks or months at a time of day.

    Args:
        seconds: the interval in seconds, or a timedelta.
        minutes, hours, days, weeks: added to ``seconds``. The sum, rounded to a millisecond, must be at least 0.1 s.
        months: every so many months. This and the next three go by the calendar of a time zone; then days, weeks or
            months is a whole number (1 if left out), and the only one that is given.
        at: the time of day, such as "07:30" or "07:30:15", or a time. The default is midnight.
        on: with weeks, the weekdays: "mon", "mon,thu", "mon-fri", or a list. The default is Monday.
        day: with months, the days of the month: a number, "L" for the last day, "1,15", or a list. The default is 1.
        timezone: the name of a zone such as "Europe/Berlin", or a tzinfo. The default is the scheduler's.
        anchor: the first fire of an interval, as an aware datetime. The default is ``start``, or else the epoch:
            ``every(minutes=5)`` fires at :00, :05 and so on, and ``every(days=1)`` at midnight UTC.
        start: no fire is earlier than this aware datetime. Days, weeks and months are counted from it.
        end: no fire is later than this aware datetime.
        times: how many fires there are from the start on, at most 10,000; needs ``start`` or ``anchor``.
        jitter: delay each fire by a random time below this, in seconds or as a timedelta; see crontab.

    Raises:
        InvalidValue: an argument has the wrong type, or the interval is too short or too long, or no day matches.

    >>> every(minutes=5).after(60_001)
    300000
    >>> every(weeks=2, on="mon,thu", at="07:30", timezone="Europe/Berlin")
    <every 2 weeks on mon,thu at 07:30:00 Europe/Berlin>
    """

    __slots__ = ("_rule", "spec")

    def __init__(
        self,
        seconds: Seconds = 0,
        *,
        minutes: float = 0,
        hours: float = 0,
        days: float = 0,
        weeks: float = 0,
        months: int = 0,
        at: str | time | None = None,
        on: Cronfield | None = None,
        day: Cronfield | None = None,
        timezone: str | tzinfo | None = None,
        anchor: datetime | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        times: int | None = None,
        jitter: Seconds | None = None,
    ) -> None:
        own = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        units = {"seconds": own, "minutes": minutes, "hours": hours, "days": days, "weeks": weeks, "months": months}
        if any(type(count) not in (int, float) for count in units.values()):
            raise InvalidValue.of("every", "numbers of seconds, minutes, hours, days, weeks or months", units)
        bounds = bounds_of(start, end, times, jitter, counted=anchor is not None)
        self._rule: _Interval | Dates
        if months or at is not None or on is not None or day is not None:
            if anchor is not None:
                raise InvalidValue.of("anchor", "left out if it goes by the calendar; use start", anchor)
            zone = None if timezone is None else checked_zone(timezone)
            self._rule = dates_of(units, at, on, day, bounds.start_ms, zone)
        else:
            if timezone is not None:
                raise InvalidValue.of("timezone", "left out without at, on, day or months", timezone)
            first_ms = bounds.start_ms or 0 if anchor is None else instant_ms(anchor, "anchor")
            self._rule = _Interval(_interval_ms(units), first_ms)
            if bounds.start_ms == first_ms:  # which is the first fire anyway
                bounds = replace(bounds, start_ms=None)
        super().__init__(bounds)
        self.spec = f"{self._rule}{self._bounds}"

    def __repr__(self) -> str:
        return f"<{self._rule if isinstance(self._rule, Dates) else repr(self._rule)}{self._bounds}>"

    def __eq__(self, other: object) -> bool:
        return self.spec == other.spec if isinstance(other, every) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.spec)

    def _unbounded(self, ms: int) -> int | None:
        return self._rule.after(ms)

    def localized(self, zone: tzinfo) -> every:
        """See Schedule.localized."""
        rule = self._rule.localized(zone)
        if rule is self._rule:
            return self
        made = copy(self)
        made._rule, made._last_ms = rule, None
        made.spec = f"{rule}{self._bounds}"
        return made


def _interval_ms(units: dict[str, float]) -> int:
    total = sum(count * _SECONDS[unit] for unit, count in units.items())
    try:
        deadline_ms(0, total)
        every_ms = round(total * 1000)  # rounding up, as for deadlines, would add 1 ms to some long floats
    except InvalidValue:
        every_ms = 0
    if every_ms < _LEAST_MS:
        raise InvalidValue.of("every", "an interval from 0.1 s up to the year 9999", total)
    return every_ms


class crontab(Bounded):  # noqa: N801 - Celery's name
    """A schedule that fires at times of day and dates in a time zone.

    Args:
        minute: a field as in Celery: a number, ``"*"``, ``"*/15"``, ``"8-18"``, ``"1,3,5"``, ``[0, 30]`` and so on. Or
            a whole cron expression: five fields (``crontab("30 7 * * 1-5")``), six with the seconds first, or a name
            such as ``"@daily"``; ``"CRON_TZ=Europe/Berlin 30 7 * * *"`` names the time zone, too.
        hour, day_of_week, day_of_month, month_of_year: fields like ``minute``. If both days are given, both must match,
            as in Celery. In a whole expression either is enough, as in cron.
        timezone: the name of a zone such as "Europe/Berlin", or a tzinfo. The default is the scheduler's.
        start: no fire is earlier than this aware datetime.
        end: no fire is later than this aware datetime.
        times: how many fires there are from ``start`` on, at most 10,000.
        jitter: delay each fire by a random time below this, in seconds or as a timedelta, but never up to the next one.
            The time depends on the names of the schedule and of the fire alone, so that all processes agree.

    Raises:
        InvalidValue: a field cannot be parsed, or the fields never match.

    >>> crontab(minute=30, hour=7, day_of_week="mon-fri", timezone="Europe/Berlin")
    <crontab 0 30 7 * * mon-fri Europe/Berlin>
    """

    __slots__ = ("_calendar", "_fields", "_named", "_over_ms", "_zone", "spec")

    def __init__(
        self,
        minute: Cronfield = "*",
        hour: Cronfield = "*",
        day_of_week: Cronfield = "*",
        day_of_month: Cronfield = "*",
        month_of_year: Cronfield = "*",
        *,
        timezone: str | tzinfo | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        times: int | None = None,
        jitter: Seconds | None = None,
    ) -> None:
        super().__init__(bounds_of(start, end, times, jitter))
        text = closed_up(minute).strip() if isinstance(minute, str) else ""
        whole = len(text.split()) > 1 or text.startswith("@")
        if whole:
            rest = (hour, day_of_week, day_of_month, month_of_year)
            if not all(isinstance(field, str) and field == "*" for field in rest):
                raise InvalidValue.of("minute", "one field, or a whole expression without other fields", minute)
            words, own_zone = _expression(text)
            if own_zone is not None and timezone is not None:
                raise InvalidValue.of("timezone", "left out if the expression names a zone", timezone)
            timezone = own_zone if timezone is None else timezone
        else:
            fields = {"minute": minute, "hour": hour, "day_of_month": day_of_month}
            fields |= {"month_of_year": month_of_year, "day_of_week": day_of_week}
            words = ["0", *(text_of(name, field) for name, field in fields.items())]
        both = not words[3].startswith("*") and not words[5].startswith("*")
        self._calendar: Calendar = calendar_of(words, either=both and whole)
        if not self._calendar.ever():
            raise InvalidValue.of("crontab", "an expression that matches some day", " ".join(words[1:]))
        self._named = not words[2].startswith("*")
        """Whether the hour is given. If so, a time that occurs twice a day fires once."""
        if both and not whole:
            words[5] = f"* and {words[5]}"
        self._fields = " ".join(words)
        self._over_ms = MAX_MS
        """There are no fires from this instant on. Remembered because searching all years takes a second."""
        self._zone = None if timezone is None else checked_zone(timezone)
        self.spec = self._spec()

    def _spec(self) -> str:
        return f"crontab {self._fields}" + ("" if self._zone is None else f" {self._zone}") + str(self._bounds)

    def __repr__(self) -> str:
        return f"<{self.spec}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, crontab):
            return NotImplemented
        return self._means() == other._means()

    def __hash__(self) -> int:
        return hash(self._means())

    def _means(self) -> tuple[object, ...]:
        return self._calendar, self._named, str(self._zone), self._bounds

    def localized(self, zone: tzinfo) -> crontab:
        """See Schedule.localized."""
        if self._zone is not None:
            return self
        made = copy(self)
        made._zone, made._over_ms, made._last_ms = zone, MAX_MS, None
        made.spec = made._spec()
        return made

    def _unbounded(self, ms: int) -> int | None:
        zone = self._zone or UTC
        start = as_datetime(min(ms, MAX_MS))
        if start >= FAR or ms >= self._over_ms:
            return None
        search = by_calendar if self._named else as_time_passes
        found = search(self._calendar, start, zone)
        if found is None:
            self._over_ms = ms
            return None
        return instant_ms(found)


_NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_ZONE_WORDS: Final = ("CRON_TZ=", "TZ=")
_FIVE: Final = "five fields as in cron, or six with the seconds first"
_NOT_HERE: Final = {
    "@reboot": f"{_FIVE}; to run code when a worker starts, use @app.on.worker_ready",
    "@every": f"{_FIVE}; for an interval, use every(...)",
}


def _expression(text: str) -> tuple[list[str], str | None]:
    """Split a whole expression into its six fields and the zone that it names, if any."""
    words, zone = text.split(), None
    for start in _ZONE_WORDS:
        if words[0].upper().startswith(start):
            zone, words = words[0][len(start) :], words[1:]
            break
    if words and words[0].startswith("@"):
        known = _NICKNAMES.get(words[0].lower())
        if known is None or len(words) > 1:
            rule = _NOT_HERE.get(words[0].lower(), f"{_FIVE}, or {', '.join(_NICKNAMES)}")
            raise InvalidValue.of("crontab", rule, text)
        words = known.split()
    if "?" in words:
        rule = f"{_FIVE}; ? is Quartz syntax, which numbers weekdays from 1: use * and names of weekdays"
        raise InvalidValue.of("crontab", rule, text)
    if len(words) == 5:
        words.insert(0, "0")
    if len(words) != 6:
        raise InvalidValue.of("crontab", _FIVE, text)
    return words, zone
