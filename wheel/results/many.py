"""Results: what schedule_many() and groups give, a hold on each of their jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar, overload

from ..contract import Found
from ..shape import Shape, leaves, renumbered
from ..tasks.carrier import Carrier
from ..tasks.options.times import Seconds
from .result import AsyncResult, erasing
from .waiting import seconds_of

R_co = TypeVar("R_co", covariant=True)


class Results(Sequence[AsyncResult[R_co]], Generic[R_co]):
    """A sequence of AsyncResult. It keeps the ids only: a hold is made when it is asked for.

    Where groups are nested in chains, so are the results: an item is the Results of that group.
    """

    __slots__ = ("_keeper", "_shape", "ids")

    def __init__(self, ids: Sequence[str], keeper: Carrier | None, shape: Shape | None = None) -> None:
        self.ids = ids
        """The ids of the jobs, in the order of the calls."""
        self._keeper = keeper
        self._shape: tuple[Shape, ...] | range = shape if isinstance(shape, tuple) else range(len(ids))

    def __len__(self) -> int:
        return len(self._shape)

    @overload
    def __getitem__(self, index: int) -> AsyncResult[R_co]: ...
    @overload
    def __getitem__(self, index: slice) -> Results[R_co]: ...
    def __getitem__(self, index: int | slice) -> Any:
        part = self._shape[index]
        if isinstance(part, int):
            assert self._keeper is not None
            return AsyncResult(self.ids[part], self._keeper)
        return self._part(tuple(part))

    def _others(self) -> list[AsyncResult[Any]]:
        """Jobs that must succeed, though no result is given of them: what stands before an empty group."""
        if self._keeper is None or isinstance(self._shape, range):
            return []
        given = {*leaves(self._shape)}
        return [AsyncResult(id, self._keeper) for place, id in enumerate(self.ids) if place not in given]

    def _part(self, shape: Shape) -> Results[R_co]:
        places = {place: number for number, place in enumerate(dict.fromkeys(leaves(shape)))}
        return Results([self.ids[place] for place in places], self._keeper, renumbered(shape, places))

    def __repr__(self) -> str:
        return f"<Results: {len(self)} jobs>"

    def get(self, timeout: Seconds | None = None, *, propagate: bool = True) -> list[R_co]:
        """Wait for all jobs to end, and return what they returned, in the order of the calls.

        Args:
            timeout: for all of them together, in seconds or as a timedelta.
            propagate: raise the error of the first that did not succeed; or put it into the list.

        Raises:
            JobFailed, JobCancelled, JobExpired, UnknownJob, ResultTimeout: see AsyncResult.get.
        """
        if self._keeper is None:
            return []
        clock = self._keeper.clock
        until = None if timeout is None else clock.monotonic() + seconds_of(timeout)
        found = []
        for one in self:
            left = None if until is None else max(0.0, until - clock.monotonic())
            found.append(one.get(left, propagate=propagate))
        for other in self._others():
            other.get(None if until is None else max(0.0, until - clock.monotonic()), propagate=propagate)
        return found

    async def aget(self, timeout: Seconds | None = None, *, propagate: bool = True) -> list[R_co]:  # noqa: ASYNC109 - as get()
        """get() for coroutines."""
        if self._keeper is None:
            return []
        clock = self._keeper.clock
        until = None if timeout is None else clock.monotonic() + seconds_of(timeout)
        found = []
        for one in self:
            left = None if until is None else max(0.0, until - clock.monotonic())
            found.append(await one.aget(left, propagate=propagate))
        for other in self._others():
            await other.aget(None if until is None else max(0.0, until - clock.monotonic()), propagate=propagate)
        return found

    def ready(self) -> bool:
        """Whether all have ended, in whatever way."""
        return all(one.ready() for one in (*self, *self._others()))

    def successful(self) -> bool:
        """Whether all functions have returned."""
        return all(one.successful() for one in (*self, *self._others()))

    def failed(self) -> bool:
        """Whether one of them has failed."""
        return any(one.failed() for one in (*self, *self._others()))

    def waiting(self) -> bool:
        """Whether one of them has not ended."""
        return not self.ready()

    def completed_count(self) -> int:
        """How many have succeeded."""
        return sum(one.successful() for one in self)

    def cancel(self) -> list[Found]:
        """End those that have not begun, in one durable write; for each how it was found, see AsyncResult.cancel."""
        if self._keeper is None:
            return []
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
        return [] if self._keeper is None else erasing(self._keeper.store).forget(list(self.ids))
