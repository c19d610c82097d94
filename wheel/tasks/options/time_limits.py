"""Time limits of a run: a soft one, which the function may catch to clean up, and a hard one, which it cannot.

Which pool can enforce which is said in pool/kinds.py. Here is what they are, and how a coroutine is held to one: an
exception can be raised in it wherever it awaits.
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
"""The options of a task that make its limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a run may take, in seconds; None for as long as it likes."""

    soft_s: float | None = None
    hard_s: float | None = None

    def over(self, general: Limits) -> Limits:
        """These, and the general ones where these say nothing.

        >>> Limits(soft_s=5.0).over(Limits(soft_s=30.0, hard_s=60.0))
        Limits(soft_s=5.0, hard_s=60.0)
        """
        if self is UNLIMITED or general is UNLIMITED:
            return general if self is UNLIMITED else self
        soft_s = general.soft_s if self.soft_s is None else self.soft_s
        return Limits(soft_s=soft_s, hard_s=general.hard_s if self.hard_s is None else self.hard_s)


UNLIMITED: Final = Limits()


class Guard(Protocol):
    """How a pool holds a plain function to limits."""

    def __call__(self, limits: Limits, work: Callable[[], R], /) -> R:
        """Call ``work``; what it returns.

        Not a block of ``with``, for a limit may strike in ``__enter__`` and ``__exit__``.
        """


def limits_of(time_limit: object, soft_time_limit: object) -> Limits:
    """The limits that the two options make, in seconds or as a timedelta.

    Raises:
        InvalidValue: one breaks its rule.

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
    """Await ``work``; from ``soft_s`` seconds on SoftTimeLimitExceeded is raised in it, once, where it awaits.

    An event loop can only cancel. So the task is cancelled, and the CancelledError that arrives here is passed on to
    ``work`` as the other exception; one that came from elsewhere is passed on as it is.
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
        if self._task.uncancel() > 0:  # it is cancelled for another reason as well
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
