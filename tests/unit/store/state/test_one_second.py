"""A scan for one second of the ring finds what a look at all jobs would."""

from __future__ import annotations

from pathlib import Path

import pytest
from hourwheel import Filter, Job, State
from hourwheel.clock import MAX_MS
from hourwheel.contract import Store
from hourwheel.store import JsonStore, MemoryStore

NOW = 1_800_000_000_000
UNFINISHED = frozenset({State.SCHEDULED, State.RUNNING})


@pytest.fixture(params=["memory", "journal", "snapshot"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Jobs of the last second of time and of others, some running or over; in memory, or in the file's two parts."""
    path = tmp_path / "tasks.json"
    made: Store = MemoryStore() if request.param == "memory" else JsonStore(path, durability="os")
    last = [Job(id=f"last-{n}", task="t" if n else "u", due_ms=MAX_MS - n * 300) for n in range(5)]
    made.add([*last, *[Job(id=f"soon-{n}", task="t", due_ms=NOW + n * 500) for n in range(20)]], NOW)
    made.claim("me", NOW + 1_000, 2)
    made.cancel(["last-1"], NOW)
    if request.param == "snapshot":
        made.close()
        made = JsonStore(path, durability="os")
    return made


@pytest.mark.parametrize(
    ("from_ms", "before_ms"),
    [
        (MAX_MS, None),
        (MAX_MS - 999, None),
        (MAX_MS - 1_300, MAX_MS - 999),
        (NOW + 5_000, NOW + 6_000),
        (NOW, NOW + 1_000),
    ],
)
@pytest.mark.parametrize("states", [UNFINISHED, frozenset({State.SCHEDULED}), None])
def test_it_finds_what_a_look_at_all_jobs_finds(
    store: Store, from_ms: int, before_ms: int | None, states: frozenset[State] | None
) -> None:
    found = store.scan(Filter(due_from_ms=from_ms, due_before_ms=before_ms, states=states))
    end_ms = MAX_MS + 1 if before_ms is None else before_ms
    expected = [job for job in store.scan() if from_ms <= job.due_ms < end_ms and (not states or job.state in states)]
    assert found == expected
    assert found != [] or from_ms <= NOW, "the first two run"
    store.close()
