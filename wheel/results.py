"""Results: what schedule_many() gives, a hold on each of its jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar, overload

from .result import AsyncResult
from .waiting import Keeper

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
