"""Parse the fields of a crontab into numbers.

The syntax is that of Celery and cron: ``*``, numbers, names, ranges (which may wrap round: ``22-4``, ``fri-mon``),
steps and lists. Two extensions: the last days of a month (``L``, ``LW``, ``5L``) and the nth weekday (``fri#2``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from operator import index
from typing import Any, Final, NamedTuple

from ..errors import InvalidValue
from .cron_calendar import LAST, LAST_WEEKDAY, Calendar

Cronfield = int | str | Iterable[int]

_MONTHS: Final = tuple("january february march april may june july august september october november december".split())
_WEEKDAYS: Final = tuple("sunday monday tuesday wednesday thursday friday saturday".split())
_SHORTEST_NAME: Final = 3
_STEP: Final = re.compile(r"([^/]+)/([0-9]{1,9})")
_RANGE: Final = re.compile(r"([0-9A-Za-z]+)-([0-9A-Za-z]+)")
_NTH: Final = re.compile(r"([0-9A-Za-z]+)#([1-5])")


class Field(NamedTuple):
    """The name of a field, and the values that it may have."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    also: str = ""
    """What it accepts besides numbers, for the error message."""


_SECOND: Final = Field("second", 0, 59)
_MINUTE: Final = Field("minute", 0, 59)
_HOUR: Final = Field("hour", 0, 23)
_DAY: Final = Field("day_of_month", 1, 31, (), ", L or LW (the last day, the last from Monday to Friday)")
_MONTH: Final = Field("month_of_year", 1, 12, _MONTHS, " or names")
_WEEKDAY: Final = Field("day_of_week", 0, 7, _WEEKDAYS, " or names (0 and 7 are Sunday), 5L (the last Friday), fri#2")
FIELDS: Final = (_SECOND, _MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)
"""In the order of an expression."""


def calendar_of(words: Iterable[str], *, either: bool) -> Calendar:
    """Parse six fields into a Calendar.

    Args:
        words: the text of each field, in the order of FIELDS.
        either: whether one of the two days is enough if both are given, as in cron.

    >>> calendar_of(["0", "*/30", "22-1", "*", "*", "fri-sun"], either=True).hours
    (0, 1, 22, 23)
    """
    second, minute, hour, day, month, weekday = (_read(field, word) for field, word in zip(FIELDS, words, strict=True))
    return Calendar(
        seconds=tuple(sorted(_numbers(second))),
        minutes=tuple(sorted(_numbers(minute))),
        hours=tuple(sorted(_numbers(hour))),
        days=frozenset(_numbers(day)),
        months=tuple(sorted(_numbers(month))),
        weekdays=frozenset(number % 7 for number in weekday if isinstance(number, int)),
        nth=frozenset((one[0] % 7, one[1]) for one in weekday if not isinstance(one, int)),
        either=either,
    )


def text_of(name: str, value: Any) -> str:
    """Turn a field as Celery accepts it (a number, a collection of numbers, text) into text without blanks.

    >>> text_of("minute", range(0, 60, 20)), text_of("hour", "8, 17")
    ('0,20,40', '8,17')
    """
    if isinstance(value, str):
        return closed_up(value).strip()
    if not isinstance(value, (bool, float)):
        try:
            return str(index(value))
        except TypeError:
            pass
        if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray)):
            parts = list(value)
            if parts and all(isinstance(one, str) or not isinstance(one, Iterable) for one in parts):
                return ",".join(text_of(name, one) for one in parts)
    raise InvalidValue.of(name, 'a whole number, text such as "*/15", or a list of them', value)


def weekdays_of(name: str, value: Any) -> list[int]:
    """The weekdays that a field gives, as numbers; Sunday is 0.

    >>> weekdays_of("on", "mon-wed,Fri"), weekdays_of("on", ["sun", 3])
    ([1, 2, 3, 5], [0, 3])
    """
    field = _WEEKDAY._replace(name=name, also=" or names (0 and 7 are Sunday)")
    return sorted({number % 7 for number in _numbers(_read(field, text_of(name, value)))})


def closed_up(text: str) -> str:
    """Remove the blanks around commas. cron does not accept them, but Celery does."""
    return re.sub(r"\s*,\s*", ",", text)


def _numbers(items: set[int | tuple[int, int]]) -> set[int]:
    return {item for item in items if isinstance(item, int)}


def _read(field: Field, text: str) -> set[int | tuple[int, int]]:
    found: set[int | tuple[int, int]] = set()
    for part in text.split(","):
        items = _part(field, part)
        if not items:
            rule = f"made of numbers from {field.low} to {field.high}{field.also}, with * - / and commas"
            raise InvalidValue.of(field.name, rule, text)
        found.update(items)
    return found


def _part(field: Field, part: str) -> Sequence[int | tuple[int, int]]:
    """Parse the text between two commas; nothing if it cannot be parsed."""
    if stepped := _STEP.fullmatch(part):
        step = int(stepped[2])
        items = _span(field, stepped[1])
        if items and stepped[1].isdigit():
            items = list(range(items[0], field.high + 1))  # 5/15 is 5-59/15
        elif stepped[1].isalpha():
            return []  # ambiguous: in Celery mon/2 is Monday, in cron every second day from Monday on
        return items[::step] if step else []
    return _special(field, part) or _span(field, part)


def _span(field: Field, text: str) -> list[int]:
    if text == "*":
        return list(range(field.low, _highest(field) + 1))
    if ends := _RANGE.fullmatch(text):
        low, high = _number(field, ends[1]), _number(field, ends[2])
        if low is None or high is None:
            return []
        if low <= high:
            return list(range(low, high + 1))
        if field is _WEEKDAY and low == 7:
            return list(range(high + 1))
        return [*range(low, _highest(field) + 1), *range(field.low, high + 1)]
    number = _number(field, text)
    return [] if number is None else [number]


def _highest(field: Field) -> int:
    return 6 if field is _WEEKDAY else field.high


def _special(field: Field, text: str) -> Sequence[int | tuple[int, int]]:
    word = text.upper()
    if field is _DAY:
        return {"L": [LAST], "LW": [LAST_WEEKDAY]}.get(word, [])
    if field is not _WEEKDAY:
        return []
    if nth := _NTH.fullmatch(text):
        day, number = _number(field, nth[1]), int(nth[2])
        return [] if day is None else [(day, number)]
    if word.endswith("L") and (day := _number(field, text[:-1])) is not None:
        return [(day, LAST)]
    return []


def _number(field: Field, text: str) -> int | None:
    if text.isascii() and text.isdigit():
        number = int(text[:9])  # int() of very long text is slow; nine digits are out of range anyway
        return number if field.low <= number <= field.high and len(text) < 9 else None
    if len(text) >= _SHORTEST_NAME:
        for number, name in enumerate(field.names, start=field.low):
            if name.startswith(text.lower()):
                return number
    return None
