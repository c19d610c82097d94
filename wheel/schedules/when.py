"""``every`` and ``crontab``: when a periodic task is due.

A schedule is a pure function from one instant to the next fire after it. All processes compute the same instants,
whenever they start: ``every`` counts from a fixed anchor, not from the start of the process. A fire can therefore be
identified by its schedule and its instant.

What happens to times of day when the clocks change is in local_time.py.
"""

from __future__ import annotations

from copy import copy
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Protocol

from ..clock import MAX_MS, as_datetime, deadline_ms, instant_ms
from ..errors import InvalidValue
from ..zones import checked_zone
from .cron_calendar import Calendar
from .cron_fields import Cronfield, calendar_of, closed_up, text_of
from .local_time import as_time_passes, by_calendar

Seconds = float | timedelta

_LEAST_MS: Final = 100
_FAR: Final = datetime(9990, 1, 1, tzinfo=UTC)


class Schedule(Protocol):
    """What a schedule must provide. Any object with these members can be one."""

    spec: str
    """A description. Two schedules with the same text must fire at the same instants."""

    def after(self, ms: int) -> int | None:
        """Return the first fire later than ``ms`` (both in milliseconds since the epoch), or None if there is none."""

    def localized(self, zone: tzinfo) -> Schedule:
        """Return this schedule in ``zone``, or unchanged if it already has a time zone."""


class every:  # noqa: N801 - called like a function, as Celery's crontab is
    """A schedule that fires at a fixed interval.

    Args:
        seconds: the interval in seconds, or a timedelta.
        minutes, hours, days, weeks: added to ``seconds``. The sum, rounded to a millisecond, must be at least 0.1 s.
        anchor: the first fire, as an aware datetime. The default is the epoch: ``every(minutes=5)`` fires at :00, :05
            and so on, and ``every(days=1)`` at midnight UTC.

    Raises:
        InvalidValue: an argument has the wrong type, or the interval is too short or too long.

    >>> every(minutes=5).after(60_001)
    300000
    """

    __slots__ = ("_anchor_ms", "_every_ms", "spec")

    def __init__(
        self,
        seconds: Seconds = 0,
        *,
        minutes: float = 0,
        hours: float = 0,
        days: float = 0,
        weeks: float = 0,
        anchor: datetime | None = None,
    ) -> None:
        own = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        parts = (own, minutes, hours, days, weeks)
        if any(type(part) not in (int, float) for part in parts):
            raise InvalidValue.of("every", "numbers of seconds, minutes, hours, days or weeks", parts)
        total = own + 60 * minutes + 3600 * hours + 86_400 * days + 604_800 * weeks
        try:
            deadline_ms(0, total)
            self._every_ms = round(total * 1000)  # rounding up, as for deadlines, would add 1 ms to some long floats
        except InvalidValue:
            self._every_ms = 0
        if self._every_ms < _LEAST_MS:
            raise InvalidValue.of("every", "an interval from 0.1 s up to the year 9999", total)
        self._anchor_ms = 0 if anchor is None else instant_ms(anchor, "anchor")
        self.spec = f"every {self._every_ms} ms" + (f" from {self._anchor_ms}" if self._anchor_ms else "")

    def __repr__(self) -> str:
        since = f" from {as_datetime(self._anchor_ms)}" if self._anchor_ms else ""
        return f"<every {timedelta(milliseconds=self._every_ms)}{since}>"

    def __eq__(self, other: object) -> bool:
        return self.spec == other.spec if isinstance(other, every) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.spec)

    def after(self, ms: int) -> int | None:
        """See Schedule.after."""
        if ms < self._anchor_ms:
            return self._anchor_ms
        found = ((ms - self._anchor_ms) // self._every_ms + 1) * self._every_ms + self._anchor_ms
        return found if found <= MAX_MS else None

    def localized(self, zone: tzinfo) -> every:  # noqa: ARG002 - of Schedule
        """See Schedule.localized."""
        return self


class crontab:  # noqa: N801 - Celery's name
    """A schedule that fires at times of day and dates in a time zone.

    Args:
        minute: a field as in Celery: a number, ``"*"``, ``"*/15"``, ``"8-18"``, ``"1,3,5"``, ``[0, 30]`` and so on. Or
            a whole cron expression: five fields (``crontab("30 7 * * 1-5")``), six with the seconds first, or a name
            such as ``"@daily"``; ``"CRON_TZ=Europe/Berlin 30 7 * * *"`` names the time zone, too.
        hour, day_of_week, day_of_month, month_of_year: fields like ``minute``. If both days are given, both must match,
            as in Celery. In a whole expression either is enough, as in cron.
        timezone: the name of a zone such as "Europe/Berlin", or a tzinfo. The default is the scheduler's.

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
    ) -> None:
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
        return f"crontab {self._fields}" + ("" if self._zone is None else f" {self._zone}")

    def __repr__(self) -> str:
        return f"<{self.spec}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, crontab):
            return NotImplemented
        return (self._calendar, self._named, str(self._zone)) == (other._calendar, other._named, str(other._zone))

    def __hash__(self) -> int:
        return hash((self._calendar, self._named, str(self._zone)))

    def localized(self, zone: tzinfo) -> crontab:
        """See Schedule.localized."""
        if self._zone is not None:
            return self
        made = copy(self)
        made._zone, made._over_ms = zone, MAX_MS
        made.spec = made._spec()
        return made

    def after(self, ms: int) -> int | None:
        """See Schedule.after."""
        zone = self._zone or UTC
        start = as_datetime(min(ms, MAX_MS))
        if start >= _FAR or ms >= self._over_ms:
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
