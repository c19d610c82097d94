"""Results: what schedule_many() gives, a hold on each of its jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar, overload

from .contract import Found
from .options import Seconds
from .result import AsyncResult, erasing
from .waiting import Keeper, seconds_of

R = TypeVar("R")


class Results(Sequence[AsyncResult[R]], Generic[R]):
    """A sequence of AsyncResult. It keeps the ids only: a hold is made when it is asked for."""

    __slots__ = ("_keeper", "ids")

    def __init__(self, ids: Sequence[str], keeper: Keeper) -> None:
        self.ids = ids
        """The ids of the jobs, in the order of the calls."""
        self._keeper = keeper

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> AsyncResult[R]: ...
    @overload
    def __getitem__(self, index: slice) -> Results[R]: ...
    def __getitem__(self, index: int | slice) -> AsyncResult[R] | Results[R]:
        if isinstance(index, slice):
            return Results(self.ids[index], self._keeper)
        return AsyncResult(self.ids[index], self._keeper)

    def __repr__(self) -> str:
        return f"<Results: {len(self.ids)} jobs>"

    def get(self, timeout: Seconds | None = None, *, propagate: bool = True) -> list[R]:
        """Wait for all jobs to end, and return what they returned, in the order of the calls.

        Args:
            timeout: for all of them together, in seconds or as a timedelta.
            propagate: raise the error of the first that did not succeed; or put it into the list.

        Raises:
            JobFailed, JobCancelled, JobExpired, UnknownJob, ResultTimeout: see AsyncResult.get.
        """
        clock = self._keeper.clock
        until = None if timeout is None else clock.monotonic() + seconds_of(timeout)
        found = []
        for one in self:
            left = None if until is None else max(0.0, until - clock.monotonic())
            found.append(one.get(left, propagate=propagate))
        return found

    async def aget(self, timeout: Seconds | None = None, *, propagate: bool = True) -> list[R]:  # noqa: ASYNC109 - as get()
        """get() for coroutines."""
        clock = self._keeper.clock
        until = None if timeout is None else clock.monotonic() + seconds_of(timeout)
        found = []
        for one in self:
            left = None if until is None else max(0.0, until - clock.monotonic())
            found.append(await one.aget(left, propagate=propagate))
        return found

    def ready(self) -> bool:
        """Whether all have ended, in whatever way."""
        return all(one.ready() for one in self)

    def successful(self) -> bool:
        """Whether all functions have returned."""
        return all(one.successful() for one in self)

    def failed(self) -> bool:
        """Whether one of them has failed."""
        return any(one.failed() for one in self)

    def waiting(self) -> bool:
        """Whether one of them has not ended."""
        return not self.ready()

    def completed_count(self) -> int:
        """How many have succeeded."""
        return sum(one.successful() for one in self)

    def cancel(self) -> list[Found]:
        """End those that have not begun, in one durable write; for each how it was found, see AsyncResult.cancel."""
        found = self._keeper.store.cancel(list(self.ids), self._keeper.clock.now_ms())
        for id, stood in zip(self.ids, found, strict=True):
            if stood is Found.SCHEDULED:
                self._keeper.on.cancelled.tell(id)
        return found

    def revoke(self) -> list[Found]:
        """cancel(), as Celery calls it."""
        return self.cancel()

    def forget(self) -> list[Found]:
        """Drop those that have finished, in one durable write; for each how it was found, see AsyncResult.forget."""
        return erasing(self._keeper.store).forget(list(self.ids))
