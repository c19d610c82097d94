"""Forgetful: a memory store that drops a finished job as soon as its result_ttl is over."""

from __future__ import annotations

from collections.abc import Sequence

from ..clock import Clock
from ..contract import Cursor, Filter
from ..job import FINISHED, Job
from ..store.memory import MemoryStore

_EVERYTHING = Filter()


class Forgetful(MemoryStore):
    """The store of travel()."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    @property
    def unrun(self) -> int:
        """How many jobs have ended without a run so far: they were cancelled, replaced, or expired."""
        counts = self._state.counts
        return counts.cancelled + counts.expired

    def get(self, ids: Sequence[str]) -> list[Job | None]:
        self.tidy(self._clock.now_ms())
        return super().get(ids)

    def scan(self, filter: Filter = _EVERYTHING, limit: int | None = None, *, after: Cursor | None = None) -> list[Job]:
        if filter.states is None or filter.states & FINISHED:
            self.tidy(self._clock.now_ms())
        return super().scan(filter, limit, after=after)
