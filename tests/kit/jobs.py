"""Jobs to put into stores, and what a store holds."""

from __future__ import annotations

from typing import Any

from hourwheel.contract import Filter, Store
from hourwheel.job import Claim, Job
from hourwheel.store import JsonStore
from hourwheel.store.file.epoch import Epoch

NOW = 1_700_000_000_000
"""A present, in milliseconds; no test asks what time it is."""


class StoppedClock:
    """A clock that stands still, so that no result is ever too old to be kept."""

    def now_ms(self) -> int:
        return NOW

    def now_ns(self) -> int:
        return NOW * 1_000_000

    def monotonic(self) -> float:
        return 0.0


def a_job(id: str, due_ms: int = NOW, **fields: Any) -> Job:
    fields.setdefault("created_ms", NOW - 1000)
    return Job(id=id, task="app.remind", due_ms=due_ms, **fields)


def some_jobs(count: int, prefix: str = "job", due_ms: int = NOW, step_ms: int = 0) -> list[Job]:
    return [a_job(f"{prefix}-{number:05}", due_ms + number * step_ms) for number in range(count)]


def epoch_of(store: JsonStore) -> Epoch:
    """The epoch that a store holds open, as far as it has read it."""
    return store._keeper.newest.epoch


def content(store: Store) -> dict[str, Job]:
    """Everything a store holds, by id."""
    return {job.id: job for job in store.scan(Filter(), limit=1 << 30)}


def claim_all(store: Store, owner: str = "owner-1", now_ms: int = NOW) -> list[Claim]:
    return store.claim(owner, now_ms, 1 << 20)
