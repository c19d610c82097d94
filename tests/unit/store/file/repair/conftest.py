"""A small store with something in each of its sections and in its journal, and its files as bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hourwheel.job import Failed, Failure, Job, Succeeded
from hourwheel.store import JsonStore
from hourwheel.testing import FakeClock
from hourwheel.turn import effects

NOW_MS = 1_900_000_000_250
DAY_MS = 86_400_000


@dataclass
class Made:
    """A closed store."""

    path: Path
    jobs: dict[str, Job]

    @property
    def journal(self) -> Path:
        found = sorted(self.path.parent.glob("tasks.json.journal.*"))
        assert len(found) == 1
        return found[0]

    def files(self) -> dict[str, bytes]:
        """Every file of the store but the new one."""
        return {p.name: p.read_bytes() for p in self.path.parent.iterdir() if "repaired" not in p.name}

    def damage(self, path: Path, at: int, new: bytes) -> None:
        data = bytearray(path.read_bytes())
        data[at : at + len(new)] = new
        path.write_bytes(data)


def job(id: str, due_ms: int, **fields: object) -> Job:
    fields.setdefault("payload", '[[1,"x"],{}]')
    return Job(id=id, task="app.remind", due_ms=due_ms, created_ms=NOW_MS, result_ttl_ms=DAY_MS, **fields)  # type: ignore[arg-type]


def jobs_in(path: str | os.PathLike[str]) -> dict[str, Job]:
    store = JsonStore(path, durability="os", clock=FakeClock(NOW_MS))
    try:
        assert store.check() == []
        return {found.id: found for found in store.scan(limit=10_000)}
    finally:
        store.close()


@pytest.fixture(autouse=True)
def with_its_journal(not_folded: None) -> None:
    """Damage is done to journals, too."""


@pytest.fixture
def make(tmp_path: Path) -> Callable[[], Made]:
    """Snapshot: s0 finished, s1 running, s2 failed, s3..s9 scheduled. Journal: n0..n5 added, n0 done, n1 running,
    n2 cancelled, n3 moved, s3 claimed and done."""

    def make() -> Made:
        path = tmp_path / "tasks.json"
        store = JsonStore(path, durability="os", clock=FakeClock(NOW_MS))
        store.add([job(f"s{i}", NOW_MS + 500 * i, key=f"key{i}" if i % 3 == 0 else None) for i in range(10)], 0)
        claims = {claim.job.id: claim for claim in store.claim("worker-a", NOW_MS + 1000, 3)}
        failed = Failed(error=Failure("ValueError", "no", "Traceback ..."))
        store.settle(effects([(claims["s0"], Succeeded(returned='{"a":1}')), (claims["s2"], failed)]), NOW_MS + 1001)
        store.compact()
        for i in range(6):
            store.add([job(f"n{i}", NOW_MS + 250 * i)], 0, fresh=True)
        claims = {claim.job.id: claim for claim in store.claim("worker-b", NOW_MS + 250, 2)}
        store.settle(effects([(claims["n0"], Succeeded())]), NOW_MS + 300)
        store.cancel(["n2"], NOW_MS + 301)
        store.reschedule(["n3"], NOW_MS + DAY_MS, NOW_MS + 302)[0]
        [claim] = [c for c in store.claim("worker-b", NOW_MS + 1500, 3) if c.job.id == "s3"]
        store.settle(effects([(claim, Succeeded(returned="3"))]), NOW_MS + 1501)
        jobs = {found.id: found for found in store.scan(limit=100)}
        store.close()
        return Made(path, jobs)

    return make


@pytest.fixture
def made(make: Callable[[], Made]) -> Made:
    return make()
