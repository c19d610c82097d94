"""Local time: the instants at which the clocks of a time zone show what a calendar asks for.

    the hour is given ("30 2 * * *")    Fires once a day. A time that the clocks skip fires at the first instant after
                                        the gap; a time that occurs twice fires at the first of the two.
    any hour ("*/15 * * * *")           Fires as time passes: not in an hour that is skipped, and in both passes of an
                                        hour that is repeated.

The code relies on at most one change of a zone's offset a day. In every known zone, changes are a week or more apart.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Protocol

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
FAR: Final = datetime(9990, 1, 1, tzinfo=UTC)
"""Nothing fires from here on: datetime ends with 9999, and this leaves room for converting between zones."""


class Days(Protocol):
    """A calendar: dates and times, without regard to time zones."""

    def after(self, since: datetime) -> datetime | None:
        """Return the first match later than ``since``, to the second, or None if there is none."""


def by_calendar(calendar: Days, start: datetime, zone: tzinfo) -> datetime | None:
    """The next fire if the hour is given: when the clocks first show the time, or first go past it."""
    offset, before = _offset(start, zone), _offset(start - _DAY, zone)
    since = start.replace(tzinfo=None) + offset
    if before > offset:  # the clocks were set back: times that they showed before must not fire again
        since = max(since, _transition(start - _DAY, start, zone).replace(tzinfo=None) - _SECOND + before)
    naive = calendar.after(since)
    return None if naive is None else _first_instant(naive, zone)


def as_time_passes(calendar: Days, start: datetime, zone: tzinfo) -> datetime | None:
    """The next fire for any hour: every instant at which the clocks show a matching time."""
    offset = _offset(start, zone)
    since = start.replace(tzinfo=None) + offset
    while (naive := calendar.after(since)) is not None:
        instant = (naive - offset).replace(tzinfo=UTC)
        look = min(instant, start + _DAY)
        if _offset(look, zone) != offset:
            start = _transition(start, look, zone)
            if instant < start:
                return instant
            since = start.replace(tzinfo=None) + _offset(start, zone) - _SECOND
        elif look == instant:
            return instant
        else:  # nothing matches for days: skip most of them, whatever offset changes there are in between
            start = max(look, instant - 2 * _DAY)
            since = start.replace(tzinfo=None) + _offset(start, zone)
        offset = _offset(start, zone)
    return None


def _offset(instant: datetime, zone: tzinfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def _first_instant(naive: datetime, zone: tzinfo) -> datetime:
    """The first instant at which the clocks show a time or, if they skip it, the first instant after the gap."""
    instant = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == naive:
        return instant
    return _transition(naive.replace(tzinfo=zone, fold=1).astimezone(UTC), instant, zone)


def _transition(low: datetime, high: datetime, zone: tzinfo) -> datetime:
    """The whole second between ``low`` and ``high`` at which the offset changes."""
    low, before = low.replace(microsecond=0), _offset(low, zone)
    while high - low > _SECOND:
        middle = (low + (high - low) // 2).replace(microsecond=0)
        if _offset(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high
