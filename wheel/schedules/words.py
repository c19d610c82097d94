"""Words: a schedule's description (``Schedule.spec``) as a person would say it. Pure.

The description is the text that is stored with each fire, so it can be put into words without the program that has the
schedule. What has no plain words stays as it is.
"""

from __future__ import annotations

import re
from typing import Final

from ..clock import as_datetime

_UNITS: Final = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000))
BOUNDS: Final = re.compile(r"(.*?)(?: start (\d+))?(?: end (\d+))?(?: times (\d+))?(?: jitter (\d+))?")
INTERVAL: Final = re.compile(r"every (\d+) ms(?: from (\d+))?")
DATES: Final = re.compile(r"every (\d+) (day|week|month)s(?: on (\S+))? at (\S+?)(?::00)?(?: (\S+))?")
CRONTAB: Final = re.compile(r"crontab (\S+) (\S+) (\S+) (\S+) (\S+) ((?:\* and )?\S+)(?: (\S+))?")
_DAYS: Final = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_WEEKDAY: Final = r"(?:[0-7]|[A-Za-z]{3,9})"
_WEEKDAYS: Final = re.compile(rf"{_WEEKDAY}(?:-{_WEEKDAY})?(?:,{_WEEKDAY}(?:-{_WEEKDAY})?)*")
_NUMBER: Final = re.compile(r"\d+")
_NUMBERS: Final = re.compile(r"\d+(?:,\d+){0,3}")
_STEPS: Final = re.compile(r"\*/(\d+)")


def words_of(spec: str) -> str:
    """A description in words; unchanged if there are none for it.

    >>> words_of("every 300000 ms")
    'every 5 minutes'
    >>> words_of("crontab 0 30 7 * * mon-fri Europe/Berlin")
    'every Monday to Friday at 07:30 (Europe/Berlin)'
    >>> words_of("crontab 0 0 8-18/2 * * * UTC")
    'crontab 0 8-18/2 * * * (UTC)'
    """
    try:
        return _words_of(spec) or spec
    except (OverflowError, ValueError):  # somebody has edited the store, and written a number of hundreds of digits
        return spec


def _words_of(spec: str) -> str | None:
    bounded = BOUNDS.fullmatch(spec)
    words = None if bounded is None else _unbounded(bounded[1])
    if bounded is None or words is None:
        return None
    start, end, times, jitter = (None if part is None else int(part) for part in bounded.groups()[1:])
    words += "" if start is None else f", from {moment(start)}"
    words += "" if end is None else f", until {moment(end)}"
    words += "" if times is None else f", {times} times" if times > 1 else ", once"
    return words if jitter is None else f"{words}, delayed by up to {_counted(jitter)}"


def _unbounded(spec: str) -> str | None:
    if found := INTERVAL.fullmatch(spec):
        since = f", from {moment(int(found[2]))}" if found[2] else ""
        return f"every {length(int(found[1]))}{since}"
    if found := DATES.fullmatch(spec):
        return _of_dates(int(found[1]), *found.groups()[1:])
    if found := CRONTAB.fullmatch(spec):
        return _of_crontab(list(found.groups()[:6]), found[7])
    return None


def length(ms: int) -> str:
    """A duration in the largest unit of which it is a whole number, to follow "every".

    >>> length(300_000), length(3_600_000), length(5_400_000), length(172_800_000), length(1_500)
    ('5 minutes', 'hour', '90 minutes', '2 days', '1.5 seconds')
    """
    return _counted(ms).removeprefix("1 ")


def _counted(ms: int) -> str:
    name, size = next((unit for unit in _UNITS if ms % unit[1] == 0), _UNITS[-1])
    return f"{ms // size if ms % size == 0 else ms / size} {name}{'s' * (ms != size)}"


def moment(ms: int) -> str:
    """An instant in UTC, without what is zero at its end.

    >>> moment(1_767_252_600_000), moment(1_767_252_600_500)
    ('2026-01-01 07:30 UTC', '2026-01-01 07:30:00.500 UTC')
    """
    text = as_datetime(ms).strftime("%Y-%m-%d %H:%M:%S") + (f".{ms % 1000:03}" if ms % 1000 else "")
    return f"{text.removesuffix(':00')} UTC"


def _of_dates(count: int, unit: str, days: str | None, at: str, zone: str | None) -> str:
    which = f"every {unit if count == 1 else f'{count} {unit}s'}"
    if unit == "week" and days:
        which = f"every {_weekdays(days)}" if count == 1 else f"{which} on {_weekdays(days)}"
    elif unit == "month" and days:
        which += " on the last day" if days.upper() == "L" else f" on day {_listed(days.split(','))}"
    return f"{which} at {at}{f' ({zone})' if zone else ''}"


def _of_crontab(fields: list[str], zone: str | None) -> str:
    second, minute, hour, day, month, weekday = fields
    where = f" ({zone})" if zone else ""
    if (day, month, weekday) == ("*", "*", "*") and second == "0" and (often := _often(minute, hour)):
        return often
    days = None if month != "*" else _days(day, weekday)
    times = _times(second, minute, hour)
    if days is None or times is None:
        return f"crontab {' '.join(fields[second == '0' :])}{where}"
    return f"{days} at {times}{where}"


def _often(minute: str, hour: str) -> str | None:
    """Several times an hour, or once: what does not depend on a time zone that is whole hours from UTC."""
    if hour != "*":
        return None
    if minute == "*":
        return "every minute"
    if (steps := _STEPS.fullmatch(minute)) and int(steps[1]) and 60 % int(steps[1]) == 0:
        return f"every {length(int(steps[1]) * 60_000)}"
    if not _NUMBER.fullmatch(minute):
        return None
    return "every hour" if int(minute) == 0 else f"every hour at minute {int(minute)}"


def _days(day: str, weekday: str) -> str | None:
    """Which days, by one of the two fields."""
    if weekday == "*":
        if _NUMBERS.fullmatch(day):
            return f"every month on day {_listed([str(int(number)) for number in day.split(',')])}"
        return {"*": "every day", "L": "every month on the last day"}.get(day.upper())
    return f"every {_weekdays(weekday)}" if day == "*" and _WEEKDAYS.fullmatch(weekday) else None


def _weekdays(field: str) -> str:
    return _listed([" to ".join(map(_weekday, part.split("-"))) for part in field.split(",")])


def _weekday(text: str) -> str:
    if text.isdigit():
        return _DAYS[int(text)]
    return next((name for name in _DAYS if name.lower().startswith(text.lower())), text)


def _times(second: str, minute: str, hour: str) -> str | None:
    """Times of the day: at most four hours with one minute."""
    if not (_NUMBER.fullmatch(second) and _NUMBER.fullmatch(minute) and _NUMBERS.fullmatch(hour)):
        return None
    rest = f":{int(minute):02}" + (f":{int(second):02}" if int(second) else "")
    return _listed([f"{int(number):02}{rest}" for number in hour.split(",")])


def _listed(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
