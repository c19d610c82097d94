"""Limits: how many jobs may run at once, and how many may start per second, minute, hour or day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from ...errors import InvalidValue
from ...job import Bound
from ...payload import comes_back

_PERIODS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_RATE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(?:/([smhd]))?")
_MOST: Final = 1_000_000
_NAME_MOST: Final = 200
_OURS: Final = ("task:", "queue:", "schedule:", "running:")
"""Prefixes of names that Hourwheel itself uses, for the limits of single tasks and for pauses."""


class Limit:
    """A limit that several tasks share. The store enforces it across threads and processes.

    Args:
        name: its name in the store. All jobs with a limit of this name count together.
        rate: how many may start: "10/s", "10/m", "10/h", "10/d", or a number per second. Starts are spaced evenly.
        concurrency: how many may run at once.

    Raises:
        InvalidValue: an argument is not valid, or neither rate nor concurrency is given.

    >>> smtp = Limit("smtp", rate="30/m", concurrency=2)
    >>> smtp.bounds
    (Bound(name='smtp', most=30, per_ms=60000), Bound(name='smtp', most=2, per_ms=0))
    """

    __slots__ = ("bounds", "name")

    def __init__(self, name: str, *, rate: str | float | None = None, concurrency: int | None = None) -> None:
        if type(name) is not str or not 1 <= len(name) <= _NAME_MOST or not comes_back(name):
            raise InvalidValue.of("name", f"text of 1 to {_NAME_MOST} characters", name)
        if name.startswith(_OURS):
            raise InvalidValue.of("name", f"one that does not start with {', '.join(_OURS)}, which are reserved", name)
        if rate is None and concurrency is None:
            raise InvalidValue("pass rate or concurrency, or both")
        self.name: Final = name
        self.bounds: Final = bounds_of(name, rate, concurrency)

    def __repr__(self) -> str:
        return f"Limit({self.name!r}, {', '.join(in_words(bound) for bound in self.bounds)})"


def bounds_of(name: str, rate: str | float | None, concurrency: int | None) -> tuple[Bound, ...]:
    """Return the bounds that a job stores for a limit."""
    bounds: list[Bound] = []
    if rate is not None:
        bounds.append(Bound(name, *checked_rate(rate)))
    if concurrency is not None:
        bounds.append(Bound(name, checked_concurrency(concurrency)))
    return tuple(bounds)


def checked_rate(value: object) -> tuple[int, int]:
    """Parse a rate into (number of starts, milliseconds).

    >>> checked_rate("10/m"), checked_rate(0.5)
    ((10, 60000), (1, 2000))
    """
    found = _RATE.fullmatch(str(value)) if type(value) in (str, int, float) else None
    count = float(found[1]) if found is not None else 0.0
    if found is None or not 0 < count <= _MOST:
        raise InvalidValue.of(
            "rate_limit", f'a number per second up to {_MOST}, or "10/s", "10/m", "10/h", "10/d"', value
        )
    per_ms = _PERIODS_MS[found[2] or "s"]
    return (int(count), per_ms) if count.is_integer() else (1, round(per_ms / count))


def checked_concurrency(value: object) -> int:
    """Return a concurrency limit if it is a whole number of 1 or more."""
    if type(value) is not int or not 1 <= value <= _MOST:
        raise InvalidValue.of("concurrency", f"a whole number from 1 to {_MOST}", value)
    return value


def checked_limits(value: Any) -> tuple[Bound, ...]:
    """Return the bounds of one Limit or several."""
    limits = value if isinstance(value, Sequence) else (value,)
    if not all(isinstance(limit, Limit) for limit in limits):
        raise InvalidValue.of("limits", "a Limit, or a list of them", value)
    return tuple(bound for limit in limits for bound in limit.bounds)


def in_words(bound: Bound) -> str:
    """Format a bound as text.

    >>> in_words(Bound("smtp", 30, 60_000)), in_words(Bound("smtp", 2))
    ('30/m', '2 at once')
    """
    if not bound.per_ms:
        return f"{bound.most} at once"
    for letter, per_ms in _PERIODS_MS.items():
        if bound.per_ms == per_ms:
            return f"{bound.most}/{letter}"
    return f"{bound.most} in {bound.per_ms / 1000:g} s"
