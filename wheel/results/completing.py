"""as_completed: results in the order in which their jobs end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, Final, Generic, TypeVar

from ..errors import InvalidValue, ResultTimeout
from ..job import Job
from ..tasks.options.times import Seconds
from .many import Results
from .result import AsyncResult
from .waiting import Awaiting, Patience, seconds_of

R = TypeVar("R")

_RULE: Final = "an iterable of results, such as [task.delay(1), task.delay(2)] or group(...).delay()"


def as_completed(results: Iterable[AsyncResult[R]], timeout: Seconds | None = None) -> Completing[R]:
    """Yield results in the order in which their jobs end, each as soon as it is known: with ``for`` or ``async for``.

    All jobs are looked up together, however many there are. A result is yielded whether its job succeeded, failed, was
    cancelled or expired: its ``get()`` returns or raises at once. A job that the store does not have is yielded, too,
    and its ``get()`` raises UnknownJob. A result that is given twice is yielded once.

    Args:
        results: the results of calls of one scheduler. Those of nested groups are yielded one by one.
        timeout: how long to wait for all of them together, counted from this call, in seconds or as a timedelta; None
            for no limit. The time that your loop takes counts, too.

    Raises:
        InvalidValue: an argument is not valid.
        ResultTimeout: while iterating, if jobs have not ended within the timeout. They are not cancelled.
        Deadlock, SchedulerError: while iterating, as for AsyncResult.get.

    >>> for result in as_completed([remind.after(0.2).delay(1, "later"), remind.delay(2, "soon")], timeout=5):
    ...     print(result.get())
    SOON
    LATER
    """
    return Completing(results, timeout)


class Completing(Iterator[AsyncResult[R]], AsyncIterator[AsyncResult[R]], Generic[R]):
    """What as_completed() returns: an iterator, and an asynchronous one."""

    def __init__(self, results: Iterable[AsyncResult[R]], timeout: Seconds | None) -> None:
        seconds_of(timeout)
        self._left: dict[str, AsyncResult[R]] = {one.id: one for one in _flat(results)}
        """The jobs that had not ended when they were looked up last."""
        self._ended: deque[AsyncResult[R]] = deque()
        """Those that have, and were not yielded yet."""
        self._look_s = 0.0
        """How long the last look took."""
        self._timeout = timeout
        if self._left:
            self._keeper = next(iter(self._left.values()))._keeper
            self._patience = Patience(self._keeper, timeout)
        if any(one._keeper.store is not self._keeper.store for one in self._left.values()):
            raise InvalidValue("results must be of calls of one scheduler: use as_completed() once for each scheduler")

    def __repr__(self) -> str:
        return f"<as_completed: {len(self._left) + len(self._ended)} jobs left>"

    def __iter__(self) -> Completing[R]:
        return self

    def __aiter__(self) -> Completing[R]:
        return self

    def __next__(self) -> AsyncResult[R]:
        if self._is_to_look and not self._take(self._look()):
            with self._awaiting(blocks=True) as awaiting:
                while not self._take(found := self._look()):
                    if awaiting.is_long:
                        awaiting.look()
                    if not awaiting.help() and not self._patience.wait(self._look_s):
                        raise self._too_late(found)
        if not self._ended:
            raise StopIteration
        return self._ended.popleft()

    async def __anext__(self) -> AsyncResult[R]:
        if self._is_to_look and not self._take(await asyncio.to_thread(self._look)):
            with self._awaiting(blocks=False) as awaiting:
                while not self._take(found := await asyncio.to_thread(self._look)):
                    if awaiting.is_long:
                        await asyncio.to_thread(awaiting.look)
                    if not awaiting.help() and not await self._patience.await_(self._look_s):
                        raise self._too_late(found)
        if not self._ended:
            raise StopAsyncIteration
        return self._ended.popleft()

    @property
    def _is_to_look(self) -> bool:
        return bool(self._left) and not self._ended

    def _look(self) -> Sequence[Job | None]:
        """The jobs that are left, as they are now."""
        monotonic = self._keeper.clock.monotonic
        before = monotonic()
        found = self._keeper.store.get(list(self._left))
        self._look_s = monotonic() - before
        return found

    def _take(self, found: Sequence[Job | None]) -> bool:
        """Take those of the jobs that have ended, the earliest first; return whether there are any."""
        ended = [
            (job.finished_ms or 0 if job is not None else 0, id)
            for id, job in zip(list(self._left), found, strict=True)
            if job is None or job.finished
        ]
        ended.sort(key=lambda one: one[0])
        self._ended.extend(self._left.pop(id) for _, id in ended)
        if ended:
            self._patience.hurry()
        return bool(ended)

    def _awaiting(self, *, blocks: bool) -> Awaiting:
        return Awaiting(self._keeper, tuple(self._left), blocks=blocks)

    def _too_late(self, found: Iterable[Job | None]) -> ResultTimeout:
        job = next(job for job in found if job is not None)
        others = len(self._left) - 1
        why = self._keeper.why_not_ended(job)
        jobs = f"job {job.id} of {job.task}" + (f" and {others} more" if others else "")
        message = f"{jobs} {'have' if others else 'has'} not ended after {self._timeout} s"
        return ResultTimeout(f"{message}. {why}" if why else message)


def _flat(results: Any) -> Iterator[AsyncResult[Any]]:
    if isinstance(results, (AsyncResult, str)) or not isinstance(results, Iterable):
        raise InvalidValue.of("results", _RULE, results)
    for one in results:
        if isinstance(one, AsyncResult):
            yield one
        elif isinstance(one, Results):
            yield from _flat(one)
        else:
            raise InvalidValue.of("results", _RULE, one)
