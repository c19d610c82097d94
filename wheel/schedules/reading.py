"""Reading: a schedule made from its description (``Schedule.spec``), as the store keeps it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final

from ..clock import as_datetime
from ..errors import InvalidValue
from ..zones import checked_zone
from .when import Schedule, crontab, every
from .words import BOUNDS, CRONTAB, DATES, INTERVAL

_FIXED: Final = re.compile(r"UTC([+-])(\d\d):(\d\d)(?::(\d\d))?")


def schedule_of(spec: object) -> Schedule:
    """Return the schedule that has this description.

    Raises:
        InvalidValue: it is not one of ``every`` or ``crontab``, as this version writes them.

    >>> schedule_of("crontab 0 30 7 * * mon-fri Europe/Berlin")
    <crontab 0 30 7 * * mon-fri Europe/Berlin>
    """
    found = BOUNDS.fullmatch(spec) if isinstance(spec, str) else None
    try:
        made = None if found is None else _made(found[1], _bounds(found.groups()[1:]))
    except (OverflowError, ValueError):  # a number of hundreds of digits; and what every() and crontab() refuse
        made = None
    if made is None or made.spec != spec:
        raise InvalidValue.of("schedule", "the description of an every(...) or crontab(...)", spec)
    return made


def _made(rule: str, bounds: dict[str, Any]) -> Schedule | None:
    if found := INTERVAL.fullmatch(rule):
        anchor = as_datetime(int(found[2])) if found[2] else None
        return every(timedelta(milliseconds=int(found[1])), anchor=anchor, **bounds)
    if found := DATES.fullmatch(rule):
        count, unit, which, at, zone = found.groups()
        which_days: Any = {"week": {"on": which}, "month": {"day": which}}.get(unit, {})
        times: Any = {f"{unit}s": int(count), **which_days}
        return every(at=at, timezone=_zone(zone), **times, **bounds)
    if found := CRONTAB.fullmatch(rule):
        second, minute, hour, day, month, weekday, zone = found.groups()
        if weekday.startswith("* and "):
            return crontab(minute, hour, weekday[6:], day, month, timezone=_zone(zone), **bounds)
        return crontab(f"{second} {minute} {hour} {day} {month} {weekday}", timezone=_zone(zone), **bounds)
    return None


def _bounds(parts: tuple[str | None, ...]) -> dict[str, Any]:
    start, end, times, jitter = (None if part is None else int(part) for part in parts)
    return {
        "start": _moment(start),
        "end": _moment(end),
        "times": times,
        "jitter": None if jitter is None else timedelta(milliseconds=jitter),
    }


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else as_datetime(ms)


def _zone(text: str | None) -> tzinfo | None:
    if text is None or text == "UTC":
        return None if text is None else UTC
    if fixed := _FIXED.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in fixed.groups()[1:])
        offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return timezone(-offset if fixed[1] == "-" else offset)
    return checked_zone(text)
