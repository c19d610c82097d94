"""Schedules: when what repeats is due. Pure: a schedule is asked for its next instant after another one.

An instant is the same for every process that asks, whenever it asks: ``every`` counts from an anchor that stands
still, never from the start of a process. So the fires of a schedule can be told apart by their instants alone.

Daylight saving, for ``crontab`` (an ``every`` does not know of it):

    the hour is named ("30 2 * * *")    once a day, whatever the day. If the clocks skip that time, at the first instant
                                        after the gap; if they show it twice, at the first of the two.
    every hour ("*/15 * * * *")         as time passes: nothing for an hour that is skipped, and in the hour that comes
                                        twice as often as in any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from .clock import MAX_MS, as_datetime, deadline_ms, instant_ms
from .errors import InvalidValue

Seconds = float | timedelta

_LEAST_MS: Final = 100
_TRIES: Final = 10_000
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
        anchor: an aware datetime that is one of the fires; by default the epoch, so that ``every(minutes=5)`` fires on
            the full five minutes, and ``every(days=1)`` at midnight UTC.

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
            raise InvalidValue.of("every", "a tenth of a second or more", total)
        self._anchor_ms = 0 if anchor is None else instant_ms(anchor, "anchor") % self._every_ms
        self.spec = f"every {self._every_ms} ms" + (f" from {self._anchor_ms}" if self._anchor_ms else "")

    def __repr__(self) -> str:
        return f"<every {timedelta(milliseconds=self._every_ms)}>"

    def after(self, ms: int) -> int | None:
        """See Schedule.after."""
        found = ((ms - self._anchor_ms) // self._every_ms + 1) * self._every_ms + self._anchor_ms
        return found if found <= MAX_MS else None

    def localized(self, zone: tzinfo) -> every:  # noqa: ARG002 - of Schedule
        """See Schedule.localized."""
        return self


class crontab:  # noqa: N801 - Celery's name
    """Fires when a clock on the wall shows certain times.

    Args:
        minute: Celery's fields: a number, ``"*"``, ``"*/15"``, ``"8-18"``, ``"1,3,5"`` or the like. Given a whole
            expression of five fields, ``crontab("30 7 * * 1-5")``, it is that; six have the second first.
        hour, day_of_week, day_of_month, month_of_year: likewise. Where both days are given, both must match, as in
            Celery; in an expression one of them is enough, as in cron.
        timezone: the name of a zone such as "Europe/Berlin", or a tzinfo; by default the scheduler's.

    Raises:
        InvalidValue: a field cannot be read, or no day ever matches.

    >>> crontab(minute=30, hour=7, day_of_week="mon-fri", timezone="Europe/Berlin")
    <crontab 0 30 7 * * mon-fri Europe/Berlin>
    """

    __slots__ = ("_by_name", "_days", "_expression", "_zone", "spec")

    def __init__(
        self,
        minute: int | str = "*",
        hour: int | str = "*",
        day_of_week: int | str = "*",
        day_of_month: int | str = "*",
        month_of_year: int | str = "*",
        *,
        timezone: str | tzinfo | None = None,
    ) -> None:
        words = str(minute).split()
        rest = (hour, day_of_week, day_of_month, month_of_year)
        if len(words) > 1 and rest != ("*", "*", "*", "*"):
            raise InvalidValue.of("minute", "one field, or a whole expression and nothing else", minute)
        if len(words) < 2:
            words = [str(part).strip() for part in (minute, hour, day_of_month, month_of_year, day_of_week)]
            if any(len(word.split()) != 1 for word in words):
                raise InvalidValue.of("crontab", "made of fields without blanks", words)
            both = not words[2].startswith("*") and not words[4].startswith("*")
        else:
            both = False
        if len(words) == 5:
            words.insert(0, "0")
        self._days: str | None = words[5] if both else None
        if both:
            words[5] = "*"
        self._expression = " ".join(words)
        self._by_name = not (words[2] if len(words) == 6 else "*").startswith("*")
        """Whether hours are named, so that it fires once a day however often the clocks show that time."""
        self._zone = None if timezone is None else checked_zone(timezone)
        self.spec = self._spec()
        _refuse_never(self._expression, self._days)

    def _spec(self) -> str:
        days = "" if self._days is None else f" and {self._days}"
        return f"crontab {self._expression}{days}" + ("" if self._zone is None else f" {self._zone}")

    def __repr__(self) -> str:
        return f"<{self.spec}>"

    def localized(self, zone: tzinfo) -> crontab:
        """See Schedule.localized."""
        if self._zone is not None:
            return self
        made = crontab.__new__(crontab)
        made._expression, made._days, made._by_name = self._expression, self._days, self._by_name
        made._zone = zone
        made.spec = made._spec()
        return made

    def after(self, ms: int) -> int | None:
        """See Schedule.after."""
        zone = self._zone or UTC
        start = as_datetime(ms)
        if start >= _FAR:
            return None
        found = self._named(start, zone) if self._by_name else self._passing(start, zone)
        return None if found is None else instant_ms(found)

    def _named(self, start: datetime, zone: tzinfo) -> datetime | None:
        """By the calendar: each time that the expression names has one instant."""
        since = _wall(start, zone)
        if _offset(start - _DAY, zone) != _offset(start, zone):
            since -= _DAY  # the clocks were set: what they skipped then may come now
        for naive in _times(self._expression, self._days, since):
            instant = _first_instant(naive, zone)
            if instant > start:
                return instant
        return None

    def _passing(self, start: datetime, zone: tzinfo) -> datetime | None:
        """By time as it passes: each instant at which the clocks show what the expression says."""
        offset = _offset(start, zone)
        since = start.replace(tzinfo=None) + offset
        while True:
            naive = next(_times(self._expression, self._days, since), None)
            if naive is None:
                return None
            instant = (naive - offset).replace(tzinfo=UTC)
            if _offset(instant, zone) == offset:
                return instant
            start = _transition(start, instant, zone)
            offset = _offset(start, zone)
            since = start.replace(tzinfo=None) + offset - timedelta(seconds=1)


def checked_zone(value: Any) -> tzinfo:
    """A time zone.

    Raises:
        InvalidValue: there is none of that name.
    """
    if isinstance(value, tzinfo):
        return value
    try:
        return ZoneInfo(value)
    except (ValueError, OSError, TypeError, KeyError):
        raise InvalidValue.of(
            "timezone", 'the name of a time zone such as "Europe/Berlin", or a tzinfo', value
        ) from None


def _offset(instant: datetime, zone: tzinfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def _wall(instant: datetime, zone: tzinfo) -> datetime:
    """What the clocks show then."""
    return instant.astimezone(zone).replace(tzinfo=None)


def _first_instant(naive: datetime, zone: tzinfo) -> datetime:
    """The first instant at which the clocks show that time, or, if they never do, the first after the gap."""
    instant = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall(instant, zone) == naive:
        return instant
    return _transition(naive.replace(tzinfo=zone, fold=1).astimezone(UTC), instant, zone)


def _transition(low: datetime, high: datetime, zone: tzinfo) -> datetime:
    """The first whole second of a new offset between two instants whose offsets differ."""
    low, before = low.replace(microsecond=0), _offset(low, zone)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if _offset(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high


def _times(expression: str, days: str | None, since: datetime) -> Iterator[datetime]:
    """The times later than ``since`` that an expression names, on a clock that is never set."""
    try:
        found = copy(_parsed(expression))
        week = None if days is None else _parsed(f"0 0 * * {days}").weekdays
    except CronSimError as error:
        raise InvalidValue.of("crontab", f"five fields as cron has them ({error})", expression) from None
    found.dt = since.replace(microsecond=0)
    for _ in range(_TRIES):
        try:
            time = next(found)
        except StopIteration:
            return
        if week is None or not week.isdisjoint({time.isoweekday(), time.isoweekday() % 7}):
            yield time


@lru_cache(maxsize=1000)
def _parsed(expression: str) -> CronSim:
    """An expression, to be copied and set to an instant: to read it takes longer than to find the next one."""
    return CronSim(expression, datetime(2024, 1, 1))  # noqa: DTZ001 - a clock that is never set


def _refuse_never(expression: str, days: str | None) -> None:
    if next(_times(expression, days, datetime(2024, 1, 1)), None) is None:  # noqa: DTZ001 - a clock that is never set
        raise InvalidValue.of("crontab", "an expression that names a day", expression)
