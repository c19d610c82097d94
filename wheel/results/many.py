"""Results: handles to the jobs of schedule_many() or a group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar, overload

from ..contract import Found
from ..shape import Shape, leaves, renumbered
from ..tasks.carrier import Carrier
from ..tasks.options.times import Seconds
from .members import upto
from .result import AsyncResult
from .waiting import seconds_of

R_co = TypeVar("R_co", covariant=True)


class Results(Sequence[AsyncResult[R_co]], Generic[R_co]):
    """A sequence of AsyncResult, one for each call. It stores only ids and makes the AsyncResult when you index it.

    If groups are nested, the results are, too: the item of an inner group is a Results.
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
            return self._keeper.result_type(self.ids[part], self._keeper)
        return self._part(tuple(part))

    def _others(self) -> list[AsyncResult[Any]]:
        """Jobs that must succeed but whose results are not returned: those before an empty group."""
        if self._keeper is None or isinstance(self._shape, range):
            return []
        given = {*leaves(self._shape)}
        return [self._keeper.result_type(id, self._keeper) for place, id in enumerate(self.ids) if place not in given]

    def _part(self, shape: Shape) -> Results[R_co]:
        places = {place: number for number, place in enumerate(dict.fromkeys(leaves(shape)))}
        return type(self)([self.ids[place] for place in places], self._keeper, renumbered(shape, places))

    def __repr__(self) -> str:
        return f"<Results: {len(self)} jobs>"

    def get(self, timeout: Seconds | None = None, *, propagate: bool = True) -> list[R_co]:
        """Wait for all jobs to end, and return their results in the order of the calls.

        Args:
            timeout: how long to wait for all of them together, in seconds or as a timedelta; None for no limit.
            propagate: whether to raise the error of the first job that did not succeed. If False, errors are items of
                the list.

        Raises:
            JobFailed, JobCancelled, JobExpired, UnknownJob, ResultTimeout: see AsyncResult.get.
        """
        found = [one.get(left, propagate=propagate) for one, left in self._each(timeout)]
        return found[: len(self)]

    async def aget(self, timeout: Seconds | None = None, *, propagate: bool = True) -> list[R_co]:  # noqa: ASYNC109 - as get()
        """Like get(), for coroutines."""
        found = [await one.aget(left, propagate=propagate) for one, left in self._each(timeout)]
        return found[: len(self)]

    def _each(self, timeout: Seconds | None) -> Iterator[tuple[Any, float | None]]:
        """Each job, with what is left of the timeout when it is its turn; those that are only to succeed are last."""
        if self._keeper is None:
            return
        clock = self._keeper.clock
        until = None if timeout is None else clock.monotonic() + seconds_of(timeout)
        for one in chain(self, self._others()):
            yield one, None if until is None else max(0.0, until - clock.monotonic())

    def members(self) -> list[AsyncResult[Any]]:
        """Return these jobs and all jobs that they wait or waited for; see AsyncResult.members.

        In a group of chains, these are the jobs of all its chains.
        """
        keeper = self._keeper
        return [] if keeper is None else [keeper.result_type(id, keeper) for id in upto(keeper.store, self.ids)]

    def ready(self) -> bool:
        """Return whether all jobs have ended: succeeded, failed, cancelled or expired."""
        return all(one.ready() for one in (*self, *self._others()))

    def successful(self) -> bool:
        """Return whether all jobs have succeeded."""
        return all(one.successful() for one in (*self, *self._others()))

    def failed(self) -> bool:
        """Return whether any job has failed."""
        return any(one.failed() for one in (*self, *self._others()))

    def waiting(self) -> bool:
        """Return whether any job has not ended."""
        return not self.ready()

    def completed_count(self) -> int:
        """Return how many jobs have succeeded."""
        return sum(one.successful() for one in self)

    def cancel(self) -> list[Found]:
        """Cancel the jobs that have not started, in one durable write; see AsyncResult.cancel."""
        if self._keeper is None:
            return []
        found = self._keeper.store.cancel(list(self.ids), self._keeper.clock.now_ms())
        for id, state in zip(self.ids, found, strict=True):
            if state is Found.SCHEDULED:
                self._keeper.on.cancelled.tell(id)
        return found

    revoke = cancel
    """Celery's name for it."""

    def forget(self) -> list[Found]:
        """Drop the jobs that have finished, in one durable write; see AsyncResult.forget."""
        return [] if self._keeper is None else self._keeper.store.forget(list(self.ids))
