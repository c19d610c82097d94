"""Waiting for a job to end: how long to sleep between two looks at the store, and when to give up."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from datetime import timedelta
from itertools import takewhile
from typing import Final

from ..clock import Passing
from ..contract import Wakeup
from ..errors import Deadlock, InvalidValue, StoreError
from ..job import Claim, Job
from ..tasks.carrier import Carrier
from ..tasks.context import current_job
from ..tasks.options.times import Seconds
from ..turn import Keep
from .deadlock import why_never, words_for
from .waits import HERE

_ONE_SECOND: Final = timedelta(seconds=1)
_FIRST_WAIT_S: Final = 0.002
_LONGEST_WAIT_S: Final = 0.1
"""The longest sleep between two looks at the store. It bounds the delay if a wake-up is missed or not supported."""

_SHORT_LOOK_S: Final = 0.001
_LONG_S: Final = 1.0
_LOOKS_S: Final = 10.0


class Patience:
    """Sleeps between two looks at a store until a timeout is over.

    The time that has passed is what the clock says, or the sum of the sleeps if that is more: with a clock that stands
    still (freezegun, FakeClock) a timeout must end, too. With a Passing clock, time is advanced instead of slept.
    """

    def __init__(self, keeper: Carrier, timeout: Seconds | None) -> None:
        self._left_s = seconds_of(timeout)
        self._clock = keeper.clock
        self._last = self._clock.monotonic()
        self._passing = self._clock if isinstance(self._clock, Passing) else None
        store = keeper.store
        self._sleep = store.wait if isinstance(store, Wakeup) else _sleep
        self._nap_s = _FIRST_WAIT_S

    def wait(self, look_s: float = 0.0) -> bool:
        """Sleep until the next look. Return False if the timeout is over.

        ``look_s``: how long the last look took. Looks take a fifth of the time at most.
        """
        if self._left_s <= 0.0:
            return False
        if self._passing is not None:
            self._left_s -= self._passing.pass_time(self._left_s)
            return True
        nap_s = self._next_nap_s(look_s)
        sleep = self._sleep if look_s < _SHORT_LOOK_S else _sleep  # not woken by each change, if there are many
        self._passed(0.0 if sleep(nap_s) else nap_s)
        return True

    def hurry(self) -> None:
        """Begin with short sleeps again: something has happened, so more may."""
        self._nap_s = _FIRST_WAIT_S

    async def await_(self, look_s: float = 0.0) -> bool:
        """Like wait(), for coroutines."""
        if self._left_s <= 0.0:
            return False
        if self._passing is not None:
            self._left_s -= await asyncio.to_thread(self._passing.pass_time, self._left_s)
            return True
        nap_s = self._next_nap_s(look_s)
        await asyncio.sleep(nap_s)
        self._passed(nap_s)
        return True

    def _next_nap_s(self, look_s: float) -> float:
        nap_s = min(max(self._nap_s, 4.0 * look_s), self._left_s)
        self._nap_s = min(self._nap_s * 2.0, _LONGEST_WAIT_S)
        return nap_s

    def _passed(self, slept_s: float) -> None:
        now = self._clock.monotonic()
        self._left_s -= max(slept_s, now - self._last)
        self._last = now


class Awaiting:
    """Marks the job that is running here, if any, as waiting for the first of others, until the block ends.

    See waits.py.
    After a second the wait is also stored, so that ``hourwheel why`` can show it, and deadlocks are looked for.
    """

    def __init__(self, keeper: Carrier, ids: tuple[str, ...], *, blocks: bool) -> None:
        self._keeper = keeper
        self._ids = ids
        self._blocks = blocks
        passing = isinstance(keeper.clock, Passing)
        self._here = None if passing else HERE.get()
        self._me = current_job()
        self._look_at = keeper.clock.monotonic() + _LONG_S if self._me or not passing else float("inf")
        self._stored = False

    def __enter__(self) -> Awaiting:
        if self._me is not None and self._ids == (self._me.id,):
            self._refuse(self._me)
        if self._here is not None:
            self._here.begin(self._ids, blocks=self._blocks)
        return self

    def __exit__(self, *_: object) -> None:
        if self._here is not None:
            self._here.end(self._ids)
        if self._stored:
            self._store_wait()

    def help(self) -> bool:
        """Run an awaited job, or one that it needs, in this thread if possible; return whether one was run."""
        return self._here is not None and any(map(self._here.help, self._ids))

    @property
    def is_long(self) -> bool:
        """Whether it is time to call look()."""
        return self._keeper.clock.monotonic() >= self._look_at

    def look(self) -> None:
        """In a job, store what it waits for. Outside of jobs, warn once if no process could run the awaited job.

        Raises:
            Deadlock: the wait can never end.
        """
        self._look_at = self._keeper.clock.monotonic() + _LOOKS_S
        if self._me is None:
            self._look_at = float("inf")
            self._keeper.warn_if_nobody_runs(self._ids[0])
            return
        self._stored = True
        self._store_wait()
        self._refuse(self._me)

    def _refuse(self, me: Job) -> None:
        found = (why_never(self._keeper.store, me.id, id) for id in self._ids)
        whys = list(takewhile(lambda why: why is not None, found))
        if len(whys) < len(self._ids):
            return
        more = f" and {len(whys) - 1} more" if len(whys) > 1 else ""
        raise Deadlock(f"job {me.id} waits for job {self._ids[0]}{more}, which can never end while it waits: {whys[0]}")

    def _store_wait(self) -> None:
        me = self._me
        assert me is not None
        waits = [] if self._here is None else self._here.waits
        claim = Claim(me, me.token, me.owner or "")
        with suppress(StoreError):  # only informs; the wait goes on without it
            note = Keep(reason=words_for(waits))
            self._keeper.store.settle([(claim, note)], self._keeper.clock.now_ms())


def _sleep(seconds: float) -> bool:
    threading.Event().wait(seconds)
    return False


def seconds_of(timeout: Seconds | None) -> float:
    """Return a timeout in seconds; infinity for None."""
    if timeout is None:
        return float("inf")
    seconds = timeout / _ONE_SECOND if isinstance(timeout, timedelta) else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise InvalidValue.of("timeout", "a number of seconds or a timedelta, zero or more, or None", timeout)
    return seconds
