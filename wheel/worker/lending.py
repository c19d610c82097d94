"""Lending: running the jobs that jobs of a pool wait for in get(), although all workers are busy."""

from __future__ import annotations

from typing import Final

from ..contract import Store, find
from ..job import State
from .pool.protocol import Pool

_LOOKS_MOST: Final = 1_000
"""How many jobs are looked at in one step."""


class Lending:
    """Finds these jobs for one ticker."""

    def __init__(self, store: Store, pool: Pool) -> None:
        self.next_due_ms: int | None = None
        """When the next of these jobs is due."""
        self._store = store
        self._pool = pool

    def room(self, inflight: int) -> int:
        """How many more jobs may be started, so that no more than ``workers`` run without waiting."""
        waits = len(self._pool.waits)
        return self._pool.workers + waits - inflight if waits else 0

    def nap_s(self, sleep_s: float, now_ms: int) -> float:
        """Return ``sleep_s``, or less if one of these jobs is due before."""
        return sleep_s if self.next_due_ms is None else min(sleep_s, max(0, self.next_due_ms - now_ms) / 1000)

    def wanted(self, now_ms: int) -> list[str]:
        """Return the ids of these jobs that are due and not claimed."""
        found, self.next_due_ms = due_for(self._store, self._pool.waits.ids(), now_ms)
        return found


def due_for(store: Store, ids: list[str], now_ms: int) -> tuple[list[str], int | None]:
    """Of these jobs and those that they wait for themselves, return (ids to start now, when the next one is due).

    The ids are of jobs that are due and not claimed.
    """
    found: list[str] = []
    next_due_ms = None
    left, seen = list(ids), set[str]()
    while left and len(seen) < _LOOKS_MOST:
        id = left.pop()
        job = None if id in seen else find(store, id)
        seen.add(id)
        if job is None or job.state is not State.SCHEDULED:
            continue
        if job.after is not None and job.after.left:
            left += job.after.ids
        elif job.due_ms <= now_ms:
            found.append(id)
        elif next_due_ms is None or job.due_ms < next_due_ms:
            next_due_ms = job.due_ms
    return found, next_due_ms
