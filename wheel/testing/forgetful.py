"""Forgetful: a memory store in which a finished job is gone at the very moment its time is over."""

from __future__ import annotations

from ..clock import Clock
from ..contract import Filter
from ..job import FINISHED, Job
from ..store.memory import MemoryStore

_EVERYTHING = Filter()


class Forgetful(MemoryStore):
    """Keeps the ring of a journey."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    @property
    def unrun(self) -> int:
        """How many jobs have ended unrun so far: they were cancelled or replaced, or it was too late for them."""
        counts = self._state.counts
        return counts.cancelled + counts.expired

    def get(self, id: str) -> Job | None:
        """See Store.get."""
        job = super().get(id)
        return None if job is None or self._is_over(job, self._clock.now_ms()) else job

    def scan(self, filter: Filter = _EVERYTHING, limit: int | None = None) -> list[Job]:
        """See Store.scan."""
        if filter.states is None or filter.states & FINISHED:
            self.drop_over()
        return super().scan(filter, limit)

    def drop_over(self) -> None:
        """Drop what is over."""
        self._changing(lambda state: state.forget(self._clock.now_ms(), self.failed_ttl_ms))
