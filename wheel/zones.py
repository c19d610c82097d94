"""Time zones: which are accepted, and how they are kept.

A zone is part of a schedule's spec, so it must have a name that means the same in all processes. It is kept as the
ZoneInfo of that name, or as a fixed offset from UTC. pytz zones are converted: used directly as a tzinfo, they mean
local mean time, which went out of use a century ago (for Berlin, 53 minutes ahead of UTC).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from .errors import InvalidValue

_RULE: Final = 'the name of a time zone such as "Europe/Berlin", a ZoneInfo of that name, or a datetime.timezone'
_LOOKS: Final = [datetime(year, month, 1, tzinfo=UTC) for year in range(1970, 2038) for month in range(1, 13)]
"""The instants at which to check whether an offset is really fixed."""


def checked_zone(value: object) -> tzinfo:
    """Return a time zone in the form in which it is kept.

    Raises:
        InvalidValue: there is no zone of that name, or a tzinfo has neither a name nor a fixed offset.

    >>> checked_zone("Europe/Berlin"), str(checked_zone(timezone(timedelta(hours=2), "CEST")))
    (zoneinfo.ZoneInfo(key='Europe/Berlin'), 'UTC+02:00')
    """
    if isinstance(value, str):
        return _named(value, value)
    if not isinstance(value, tzinfo):
        raise InvalidValue.of("timezone", _RULE, value)
    name = getattr(value, "key", None) or getattr(value, "zone", None)  # zoneinfo; pytz
    if isinstance(name, str):
        return _named(name, value)
    fixed = _fixed(value)
    if fixed is None:
        raise InvalidValue.of("timezone", f"{_RULE}; pass its name", value)
    return UTC if not fixed else timezone(fixed)


def _named(name: str, value: object) -> tzinfo:
    if name == "UTC":
        return UTC  # needs no time zone data
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise InvalidValue.of("timezone", _RULE, value) from None


def _fixed(zone: tzinfo) -> timedelta | None:
    """Return the offset from UTC of a zone whose offset never changes; None for other zones."""
    try:
        offset = zone.utcoffset(None)
        always = offset is not None and all(when.astimezone(zone).utcoffset() == offset for when in _LOOKS)
    except Exception:  # from a user's tzinfo class
        return None
    return offset if always else None


def refuse_local_mean_time(when: datetime, name: str) -> None:
    """Refuse a datetime that got a pytz zone as its tzinfo directly: its offset is not the zone's real offset.

    Raises:
        InvalidValue: it is such a datetime.
    """
    normalize = getattr(when.tzinfo, "normalize", None)
    if callable(normalize) and normalize(when).utcoffset() != when.utcoffset():
        raise InvalidValue.of(
            name, f"a time with the real offset of its zone: use {name}=zone.localize(...) or zoneinfo.ZoneInfo", when
        )
