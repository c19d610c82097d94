"""Time limits of a run: a soft one, which the function can catch to clean up, and a hard one, which it cannot.

pool/kinds.py says which pools can enforce which. This module has the limits themselves, and the soft limit of
coroutines: an exception is raised where the coroutine awaits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from types import coroutine
from typing import Any, Final, Protocol, TypeVar

from ...clock import deadline_ms
from ...errors import InvalidValue, SoftTimeLimitExceeded

R = TypeVar("R")
T = TypeVar("T")

OPTIONS: Final = frozenset({"time_limit", "soft_time_limit"})
"""The options of a task that set its limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a run may take, in seconds; None for no limit."""

    soft_s: float | None = None
    hard_s: float | None = None

    def over(self, general: Limits) -> Limits:
        """Return these limits, with the general ones where these are None.

        >>> Limits(soft_s=5.0).over(Limits(soft_s=30.0, hard_s=60.0))
        Limits(soft_s=5.0, hard_s=60.0)
        """
        if self is UNLIMITED or general is UNLIMITED:
            return general if self is UNLIMITED else self
        soft_s = general.soft_s if self.soft_s is None else self.soft_s
        return Limits(soft_s=soft_s, hard_s=general.hard_s if self.hard_s is None else self.hard_s)


UNLIMITED: Final = Limits()


class Guard(Protocol):
    """Enforces limits on a plain function; each pool has its own."""

    def __call__(self, limits: Limits, work: Callable[[], R], /) -> R:
        """Call ``work`` and return what it returns.

        A function, not a context manager, because a limit may strike in ``__enter__`` or ``__exit__``.
        """


def limits_of(time_limit: object, soft_time_limit: object) -> Limits:
    """Return the limits for the two options, which are in seconds or timedeltas.

    >>> limits_of(timedelta(minutes=1), 50)
    Limits(soft_s=50.0, hard_s=60.0)
    """
    soft_s, hard_s = _seconds("soft_time_limit", soft_time_limit), _seconds("time_limit", time_limit)
    if soft_s is not None and hard_s is not None and soft_s >= hard_s:
        raise InvalidValue.of("soft_time_limit", f"less than time_limit, {hard_s:g} s", soft_time_limit)
    return UNLIMITED if soft_s is None and hard_s is None else Limits(soft_s=soft_s, hard_s=hard_s)


def _seconds(name: str, value: object) -> float | None:
    if value is None:
        return None
    try:
        length_ms = deadline_ms(0, value)  # type: ignore[arg-type]
    except InvalidValue:
        length_ms = 0
    if length_ms <= 0:
        raise InvalidValue.of(name, "a number of seconds or a timedelta, more than zero", value)
    return length_ms / 1000


# ---- coroutines ------------------------------------------------------------------------------------------


async def within(work: Coroutine[Any, Any, T], soft_s: float) -> T:
    """Await ``work``. After ``soft_s`` seconds, raise SoftTimeLimitExceeded once in it, where it awaits.

    An event loop can only cancel a task. So the task is cancelled, and the resulting CancelledError is replaced by
    SoftTimeLimitExceeded on its way into ``work``. A CancelledError from elsewhere is passed on.
    """
    task = asyncio.current_task()
    assert task is not None
    alarm = _Alarm(task)
    timer = asyncio.get_running_loop().call_later(soft_s, alarm.ring)
    try:
        return await _driven(work, alarm)
    finally:
        timer.cancel()
        alarm.over = True


class _Alarm:
    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self._rung = False
        self.over = False

    def ring(self) -> None:
        if not self.over:
            self._rung = True
            self._task.cancel()

    def translated(self, thrown: BaseException) -> BaseException:
        if not self._rung or not isinstance(thrown, asyncio.CancelledError):
            return thrown
        self._rung = False
        if self._task.uncancel() > 0:  # it was cancelled from elsewhere as well
            return thrown
        return SoftTimeLimitExceeded()


@coroutine
def _driven(work: Coroutine[Any, Any, T], alarm: _Alarm) -> Generator[Any, Any, T]:
    thrown: BaseException | None = None
    while True:
        try:
            awaited = work.send(None) if thrown is None else work.throw(thrown)
        except StopIteration as end:
            value: T = end.value
            return value
        thrown = None
        try:
            yield awaited
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:
            thrown = alarm.translated(error)
