"""TravelClock: the clock of travel(). It is moved ahead by hand, and never goes back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any, Final, Protocol

from ..clock import Clock, as_datetime, instant_ms
from ..errors import InvalidValue

NS_IN_MS: Final = 1_000_000


class Frozen(Protocol):
    """The object that freezegun's freeze_time() or time-machine's travel() yields."""

    def move_to(self, moment: Any, /) -> object:
        """Set the program's time."""


class TravelClock(Clock):
    """A clock that is ahead of another one by as much as it was moved; or, with ``frozen``, moves that one."""

    def __init__(self, base: Clock, frozen: Frozen | None, pass_time: Callable[[float], float]) -> None:
        """Make a clock.

        Args:
            base: the clock that it follows.
            frozen: moves ``base``, if given.
            pass_time: see Passing.
        """
        self._base = base
        self._frozen = frozen
        self._ahead_ns = 0
        self.pass_time = pass_time

    def now_ns(self) -> int:
        return (self._base.now_ns() + 500) // 1000 * 1000 + self._ahead_ns  # freezegun's floats are off by up to 128 ns

    def monotonic(self) -> float:
        return self._base.monotonic() + self._ahead_ns / 1_000_000_000

    def move_to(self, instant_ns: int) -> None:
        """Move the clock to an instant, unless it is already later."""
        if instant_ns <= self.now_ns():
            return
        if self._frozen is None:
            self._ahead_ns += instant_ns - self.now_ns()
        else:
            self._frozen.move_to(as_datetime(-(-instant_ns // NS_IN_MS)))


def stands_still(clock: Clock) -> bool:
    """Whether the clock is moved by hand: a FakeClock, or frozen time."""
    before_ns = clock.now_ns()
    threading.Event().wait(0.001)  # a millisecond of real time
    return clock.now_ns() == before_ns


def moment_ms(when: datetime | str, zone: tzinfo, name: str) -> int:
    """Return an aware datetime or ISO text in milliseconds since the epoch. Text without an offset is in ``zone``.

    >>> moment_ms("1970-01-01 00:01", UTC, "start"), moment_ms("1970-01-01T01:00+01:00", UTC, "start")
    (60000, 0)
    """
    if not isinstance(when, str):
        return instant_ms(when, name)
    try:
        found = datetime.fromisoformat(when)
    except ValueError:
        raise InvalidValue.of(name, 'a date and time such as "2026-03-29 01:59"', when) from None
    return instant_ms(found if found.tzinfo is not None else found.replace(tzinfo=zone), name)
