"""Bounds: from when, until when and how often a schedule fires, and by how much its fires are spread."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ..clock import deadline_ms, instant_ms
from ..errors import InvalidValue
from ..tasks.options.times import Seconds, span

TIMES_MOST: Final = 10_000
"""To know the last of so many fires, they are counted."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a schedule. Instants are in milliseconds since the epoch."""

    start_ms: int | None = None
    """No fire is earlier."""
    end_ms: int | None = None
    """No fire is later."""
    times: int | None = None
    """How many fires there are from the start on."""
    jitter_ms: int = 0
    """Each fire is delayed by a fixed time below this; see jitter.py."""

    def __str__(self) -> str:
        parts = (("start", self.start_ms), ("end", self.end_ms), ("times", self.times), ("jitter", self.jitter_ms))
        return "".join(f" {name} {value}" for name, value in parts if value or (value == 0 and name != "jitter"))


def bounds_of(
    start: datetime | None, end: datetime | None, times: int | None, jitter: Seconds | None, *, counted: bool = False
) -> Bounds:
    """Check the bounds of a schedule. ``counted``: it has a first fire without a start, so that ``times`` can be used.

    Raises:
        InvalidValue: one has the wrong type or is out of range, or they contradict each other.
    """
    start_ms = None if start is None else instant_ms(start, "start")
    end_ms = None if end is None else instant_ms(end, "end")
    if start_ms is not None and end_ms is not None and end_ms < start_ms:
        raise InvalidValue.of("end", f"later than start, {start}", end)
    if times is not None:
        if type(times) is not int or not 1 <= times <= TIMES_MOST:
            raise InvalidValue.of("times", f"a whole number from 1 to {TIMES_MOST:,}; for more, use end", times)
        if start_ms is None and not counted:
            rule = "given with start, an aware datetime to count from, so that all processes count the same fires"
            raise InvalidValue.of("times", rule, times)
    return Bounds(start_ms, end_ms, times, 0 if jitter is None else deadline_ms(0, span("jitter", jitter, least=1)))


class Bounded:
    """A schedule within bounds. Its class says, in ``_unbounded``, when it would fire without them."""

    __slots__ = ("_bounds", "_last_ms")

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._last_ms: int | None = None
        """The last of so many ``times``, once they have been counted."""

    def _unbounded(self, ms: int) -> int | None:
        raise NotImplementedError

    @property
    def jitter_ms(self) -> int:
        """By how much a fire may be delayed, in milliseconds."""
        return self._bounds.jitter_ms

    def after(self, ms: int) -> int | None:
        """See Schedule.after."""
        bounds = self._bounds
        found = self._unbounded(ms if bounds.start_ms is None else max(ms, bounds.start_ms - 1))
        if found is None or (bounds.end_ms is not None and found > bounds.end_ms):
            return None
        return found if bounds.times is None or found <= self._last_of(bounds.times) else None

    def _last_of(self, times: int) -> int:
        if self._last_ms is None:
            last_ms = (self._bounds.start_ms or 0) - 1
            for _ in range(times):
                following = self._unbounded(last_ms)
                if following is None:
                    break
                last_ms = following
            self._last_ms = last_ms
        return self._last_ms
