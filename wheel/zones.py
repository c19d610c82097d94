"""Zones: the time zones that are taken, and in which form they are kept.

A zone is a name that all processes read alike: in a schedule's spec it says when the schedule fires. So it is kept as
the zoneinfo of its name, or as a fixed distance from UTC. Objects of pytz are turned into these: used as a tzinfo they
mean local mean time, which was given up a century ago (in Berlin 53 minutes ahead of UTC).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from .errors import InvalidValue

_RULE: Final = 'the name of a time zone such as "Europe/Berlin", a ZoneInfo of that name, or a datetime.timezone'
_LOOKS: Final = [datetime(year, month, 1, tzinfo=UTC) for year in range(1970, 2038) for month in range(1, 13)]
"""When it is looked whether a zone that says it is fixed is."""


def checked_zone(value: object) -> tzinfo:
    """A time zone, in the form in which it is kept.

    Raises:
        InvalidValue: there is none of that name, or it is of a kind that cannot be told to other processes.

    >>> checked_zone("Europe/Berlin"), str(checked_zone(timezone(timedelta(hours=2), "CEST")))
    (zoneinfo.ZoneInfo(key='Europe/Berlin'), 'UTC+02:00')
    """
    if isinstance(value, str):
        return _named(value, value)
    if not isinstance(value, tzinfo):
        raise InvalidValue.of("timezone", _RULE, value)
    name = getattr(value, "key", None) or getattr(value, "zone", None)  # of zoneinfo; of pytz
    if isinstance(name, str):
        return _named(name, value)
    fixed = _fixed(value)
    if fixed is None:
        raise InvalidValue.of("timezone", f"{_RULE}: write its name", value)
    return UTC if not fixed else timezone(fixed)


def _named(name: str, value: object) -> tzinfo:
    if name == "UTC":
        return UTC  # also where there is no time zone data
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise InvalidValue.of("timezone", _RULE, value) from None


def _fixed(zone: tzinfo) -> timedelta | None:
    """The distance from UTC of a zone that never changes it; None for any other."""
    try:
        offset = zone.utcoffset(None)
        always = offset is not None and all(when.astimezone(zone).utcoffset() == offset for when in _LOOKS)
    except Exception:  # what utcoffset() of somebody else's class raises, nobody knows
        return None
    return offset if always else None


def refuse_local_mean_time(when: datetime, name: str) -> None:
    """Refuse a datetime into which a pytz zone was put by hand: its time is not that of the zone's clocks.

    Raises:
        InvalidValue: it is one.
    """
    normalize = getattr(when.tzinfo, "normalize", None)
    if callable(normalize) and normalize(when).utcoffset() != when.utcoffset():
        raise InvalidValue.of(
            name, f"a time of its zone: write {name}=zone.localize(...), or use zoneinfo.ZoneInfo", when
        )
