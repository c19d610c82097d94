"""Waiting for a job to end: between two looks at the store, and knowing when to give up."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Final, Protocol

from .clock import Clock, Passing
from .contract import Store, Wakeup
from .errors import InvalidValue
from .events import Events
from .options import Seconds

_ONE_SECOND: Final = timedelta(seconds=1)
_FIRST_WAIT_S: Final = 0.002
_LONGEST_WAIT_S: Final = 0.1
"""Between two looks at the store: a missed wake-up, or a store that has none, costs so much at most."""


class Keeper(Protocol):
    """What a result needs of a scheduler."""

    @property
    def store(self) -> Store:
        """Where the jobs are."""

    @property
    def clock(self) -> Clock:
        """Where time comes from."""

    @property
    def on(self) -> Events:
        """The hooks to tell."""


class Patience:
    """Waits between two looks at a store, and knows when to give up.

    Time that has passed is what the clock says, or the sum of the waits if that is more: a clock that stands still
    (freezegun, FakeClock) must not make a timeout last for ever. A clock that lets time pass (Passing) does so instead.
    """

    def __init__(self, keeper: Keeper, timeout: Seconds | None) -> None:
        self._left_s = seconds_of(timeout)
        self._clock = keeper.clock
        self._last = self._clock.monotonic()
        self._passing = self._clock if isinstance(self._clock, Passing) else None
        store = keeper.store
        self._sleep = store.wait if isinstance(store, Wakeup) else _sleep
        self._nap_s = _FIRST_WAIT_S

    def wait(self) -> bool:
        """Sleep until it may be worth a look; False if the time is over."""
        if self._left_s <= 0.0:
            return False
        if self._passing is not None:
            self._left_s -= self._passing.pass_time(self._left_s)
            return True
        nap_s = self._next_nap_s()
        self._passed(0.0 if self._sleep(nap_s) else nap_s)
        return True

    async def await_(self) -> bool:
        """The same in a coroutine, which lets the event loop go on."""
        if self._left_s <= 0.0:
            return False
        if self._passing is not None:
            self._left_s -= await asyncio.to_thread(self._passing.pass_time, self._left_s)
            return True
        nap_s = self._next_nap_s()
        await asyncio.sleep(nap_s)
        self._passed(nap_s)
        return True

    def _next_nap_s(self) -> float:
        nap_s = min(self._nap_s, self._left_s)
        self._nap_s = min(self._nap_s * 2.0, _LONGEST_WAIT_S)
        return nap_s

    def _passed(self, slept_s: float) -> None:
        now = self._clock.monotonic()
        self._left_s -= max(slept_s, now - self._last)
        self._last = now


def _sleep(seconds: float) -> bool:
    threading.Event().wait(seconds)
    return False


def seconds_of(timeout: Seconds | None) -> float:
    """A timeout in seconds; None is for ever."""
    if timeout is None:
        return float("inf")
    seconds = timeout / _ONE_SECOND if isinstance(timeout, timedelta) else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise InvalidValue.of("timeout", "a number of seconds or a timedelta, zero or more, or None", timeout)
    return seconds
