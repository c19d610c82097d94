"""Words for the command line: times, in local time or relative to now, and counts.

The Python API refuses datetimes without a time zone. At a terminal people mean local time, so here a time without a
zone is local, and every time that is printed has its zone beside it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from ..clock import as_datetime, instant_ms
from ..errors import InvalidValue

_UNITS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_SPAN: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_SECOND_MS: Final = 1000


def local(ms: int, *, milliseconds: bool = False) -> str:
    """Format an instant in local time with its zone, such as ``2026-11-21 05:50:01 CET``."""
    when = as_datetime(ms)
    try:
        when = when.astimezone()
    except OverflowError:  # the last hours of the year 9999
        pass
    fraction = f".{ms % 1000:03d}" if milliseconds else ""
    return f"{when:%Y-%m-%d %H:%M:%S}{fraction} {when:%Z}"


def utc(ms: int | None) -> str | None:
    """Format an instant for programs: ISO 8601 in UTC, with milliseconds."""
    return None if ms is None else as_datetime(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def span(ms: int) -> str:
    """Format a duration in its two largest units, rounded down.

    >>> span(872_900), span(90_061_000), span(850), span(0)
    ('14m 32s', '1d 1h', '850ms', '0ms')
    """
    if ms < _SECOND_MS:
        return f"{ms}ms"
    parts = []
    for unit, size in _UNITS.items():
        count, ms = divmod(ms, size)
        parts.append(f"{count}{unit}" if count else "")
    first = next(n for n, part in enumerate(parts) if part)
    shown = parts[first : first + 2] if first < 3 else parts[first : first + 1]
    return " ".join(filter(None, shown))


def until(due_ms: int, now_ms: int) -> str:
    """Format a due time relative to now: ``in 14m 32s`` or ``3m 2s late``."""
    return f"in {span(due_ms - now_ms)}" if due_ms > now_ms else f"{span(now_ms - due_ms)} late"


def since(ms: int, now_ms: int) -> str:
    """Format a past instant relative to now: ``3m 2s ago``."""
    return f"{span(max(0, now_ms - ms))} ago"


def from_now(ms: int, now_ms: int) -> str:
    """Format an instant relative to now: ``in 14m 32s`` or ``3m 2s ago``."""
    return f"in {span(ms - now_ms)}" if ms > now_ms else since(ms, now_ms)


def counted(count: int) -> str:
    """A number of jobs in words."""
    return "1 job" if count == 1 else f"{count:,} jobs"


def shortened(text: str, most: int) -> str:
    """Cut a text that has more than so many characters, with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def read_span(text: str) -> int:
    """Parse a duration into milliseconds: ``90`` (seconds), ``15m``, ``1h30m``, ``2d``, ``250ms``.

    >>> read_span("1h30m"), read_span("1.5")
    (5400000, 1500)
    """
    text = text.strip().lower().replace(" ", "")
    if _NUMBER.fullmatch(text):
        return round(float(text) * _SECOND_MS)
    if not _SPAN.fullmatch(text):
        raise InvalidValue.of("a duration", "a number of seconds, or text such as 15m, 1h30m or 2d", text)
    return round(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)))


def read_instant(text: str) -> int:
    """Parse a time into milliseconds since the epoch: ``2026-12-24T18:00`` (local), ``2026-12-24 18:00Z``."""
    try:
        return instant_ms(datetime.fromisoformat(text.strip()).astimezone(), "the time")
    except (ValueError, OverflowError, OSError) as error:
        if isinstance(error, InvalidValue):
            raise
        rule = "a date and time such as 2026-12-24T18:00 (local) or 2026-12-24T18:00Z"
        raise InvalidValue.of("a time", rule, text) from None


def read_either(text: str, now_ms: int) -> int:
    """Parse a time, or a duration from now, into milliseconds since the epoch."""
    if text.strip()[:1].isdigit() and "-" not in text:
        return now_ms + read_span(text)
    return read_instant(text)
