"""Schedules: when what repeats is due. Pure: a schedule is asked for its next instant after another one.

An instant is the same for every process that asks, whenever it asks: ``every`` counts from an anchor that stands
still, never from the start of a process. So the fires of a schedule can be told apart by their instants alone.

Daylight saving, for ``crontab`` (an ``every`` does not know of it):

    the hour is named ("30 2 * * *")    once a day, whatever the day. If the clocks skip that time, at the first instant
                                        after the gap; if they show it twice, at the first of the two.
    every hour ("*/15 * * * *")         as time passes: nothing for an hour that is skipped, and in the hour that comes
                                        twice as often as in any other.

In all zones a week at least lies between two times at which the clocks are set, so a day has at most one of them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Protocol

from ..clock import MAX_MS, as_datetime, deadline_ms, instant_ms
from ..errors import InvalidValue
from ..zones import checked_zone
from .cron_calendar import Calendar
from .cron_fields import Cronfield, calendar_of, closed_up, text_of

Seconds = float | timedelta

_LEAST_MS: Final = 100
_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_FAR: Final = datetime(9990, 1, 1, tzinfo=UTC)


class Schedule(Protocol):
    """What repeats."""

    spec: str
    """What it is, as text: two schedules with the same text fire at the same instants."""

    def after(self, ms: int) -> int | None:
        """The first fire later than an instant (milliseconds since the epoch); None if there is none any more."""

    def localized(self, zone: tzinfo) -> Schedule:
        """The same in that zone, unless it has one of its own."""


class every:  # noqa: N801 - called like a function, as Celery's crontab is
    """Fires at whole multiples of a length of time.

    Args:
        seconds: how long, in seconds, or a timedelta; with
        minutes, hours, days, weeks: added to it. A tenth of a second at least, to the nearest millisecond.
        anchor: an aware datetime that is the first of the fires; by default the epoch, so that ``every(minutes=5)``
            fires on the full five minutes, and ``every(days=1)`` at midnight UTC.

    Raises:
        InvalidValue: an argument breaks its rule.

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
            self._every_ms = round(total * 1000)  # not up, as a deadline: a long float is not quite what was written
        except InvalidValue:
            self._every_ms = 0
        if self._every_ms < _LEAST_MS:
            raise InvalidValue.of("every", "from a tenth of a second to the year 9999", total)
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
    """Fires when a clock on the wall shows certain times.

    Args:
        minute: Celery's fields: a number, ``"*"``, ``"*/15"``, ``"8-18"``, ``"1,3,5"``, ``[0, 30]`` or the like. Given
            a whole expression of five fields, ``crontab("30 7 * * 1-5")``, it is that; six have the second first. Names
            (``"@daily"``) and a zone in front (``"CRON_TZ=Europe/Berlin 30 7 * * *"``) are read, too.
        hour, day_of_week, day_of_month, month_of_year: likewise. Where both days are given, both must match, as in
            Celery; in an expression one of them is enough, as in cron.
        timezone: the name of a zone such as "Europe/Berlin", or a tzinfo; by default the scheduler's.

    Raises:
        InvalidValue: a field cannot be read, or no day ever matches.

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
                raise InvalidValue.of("minute", "one field, or a whole expression and nothing else", minute)
            words, told = _expression(text)
            if told is not None and timezone is not None:
                raise InvalidValue.of("timezone", "absent where the expression names a zone", timezone)
            timezone = told if timezone is None else timezone
        else:
            fields = {"minute": minute, "hour": hour, "day_of_month": day_of_month}
            fields |= {"month_of_year": month_of_year, "day_of_week": day_of_week}
            words = ["0", *(text_of(name, field) for name, field in fields.items())]
        both = not words[3].startswith("*") and not words[5].startswith("*")
        self._calendar: Calendar = calendar_of(words, either=both and whole)
        if not self._calendar.ever():
            raise InvalidValue.of("crontab", "an expression that names a day", " ".join(words[1:]))
        self._named = not words[2].startswith("*")
        """Whether hours are named, so that it fires once a day however often the clocks show that time."""
        if both and not whole:
            words[5] = f"* and {words[5]}"
        self._fields = " ".join(words)
        self._over_ms = MAX_MS
        """From then on it is known that nothing comes: to look through all years takes a second."""
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
        made = crontab.__new__(crontab)
        made._calendar, made._fields, made._named = self._calendar, self._fields, self._named
        made._zone, made._over_ms = zone, MAX_MS
        made.spec = made._spec()
        return made

    def after(self, ms: int) -> int | None:
        """See Schedule.after."""
        zone = self._zone or UTC
        start = as_datetime(min(ms, MAX_MS))
        if start >= _FAR or ms >= self._over_ms:
            return None
        found = self._by_calendar(start, zone) if self._named else self._as_time_passes(start, zone)
        if found is None:
            self._over_ms = ms
            return None
        return instant_ms(found)

    def _by_calendar(self, start: datetime, zone: tzinfo) -> datetime | None:
        """Each time that the fields name has one instant: when the clocks show it first, or have passed it."""
        offset, before = _offset(start, zone), _offset(start - _DAY, zone)
        since = start.replace(tzinfo=None) + offset
        if before > offset:  # the clocks were set back: what they had shown before is over, though they show it again
            since = max(since, _transition(start - _DAY, start, zone).replace(tzinfo=None) - _SECOND + before)
        naive = self._calendar.after(since)
        return None if naive is None else _first_instant(naive, zone)

    def _as_time_passes(self, start: datetime, zone: tzinfo) -> datetime | None:
        """Each instant at which the clocks show what the fields say; day by day where the clocks are set."""
        offset = _offset(start, zone)
        since = start.replace(tzinfo=None) + offset
        while (naive := self._calendar.after(since)) is not None:
            instant = (naive - offset).replace(tzinfo=UTC)
            look = min(instant, start + _DAY)
            if _offset(look, zone) != offset:
                start = _transition(start, look, zone)
                if instant < start:
                    return instant
                since = start.replace(tzinfo=None) + _offset(start, zone) - _SECOND
            elif look == instant:
                return instant
            else:  # nothing is shown before that day, whatever the clocks do meanwhile
                start = max(look, instant - 2 * _DAY)
                since = start.replace(tzinfo=None) + _offset(start, zone)
            offset = _offset(start, zone)
        return None


_NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_ZONE_WORDS: Final = ("CRON_TZ=", "TZ=")
_FIVE: Final = "five fields as cron has them, or six with the second first"
_NOT_HERE: Final = {
    "@reboot": f"{_FIVE}; what is to run at each start is called at the start: @app.on.worker_ready",
    "@every": f"{_FIVE}; for a length of time there is every(...)",
}


def _expression(text: str) -> tuple[list[str], str | None]:
    """The six fields of a whole expression, and the zone that it names."""
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
        rule = f"{_FIVE}; ? is Quartz's, which counts weekdays from 1: write * and names"
        raise InvalidValue.of("crontab", rule, text)
    if len(words) == 5:
        words.insert(0, "0")
    if len(words) != 6:
        raise InvalidValue.of("crontab", _FIVE, text)
    return words, zone


def _offset(instant: datetime, zone: tzinfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def _first_instant(naive: datetime, zone: tzinfo) -> datetime:
    """The first instant at which the clocks show that time, or, if they never do, the first after the gap."""
    instant = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == naive:
        return instant
    return _transition(naive.replace(tzinfo=zone, fold=1).astimezone(UTC), instant, zone)


def _transition(low: datetime, high: datetime, zone: tzinfo) -> datetime:
    """The first whole second of a new offset between two instants whose offsets differ."""
    low, before = low.replace(microsecond=0), _offset(low, zone)
    while high - low > _SECOND:
        middle = (low + (high - low) // 2).replace(microsecond=0)
        if _offset(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high
