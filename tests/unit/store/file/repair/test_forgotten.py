"""repair() of a store in which jobs were forgotten: they stay so, and nobody is told that they are lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hourwheel.job import Succeeded
from hourwheel.store import JsonStore
from hourwheel.store.file.repair import repair
from hourwheel.testing import FakeClock
from hourwheel.turn import effects

from .conftest import NOW_MS, Made, job, jobs_in


@pytest.fixture
def left(tmp_path: Path) -> Made:
    """A snapshot with "old", a journal in which "old" and "new" are forgotten and "kept" has ended."""
    path = tmp_path / "tasks.json"
    store = JsonStore(path, durability="os", clock=FakeClock(NOW_MS))
    store.add([job("old", NOW_MS, payload='[["old secret"],{}]')], 0)
    _finish_all(store)
    store.compact()
    store.add([job("new", NOW_MS), job("kept", NOW_MS)], 0)
    _finish_all(store)
    store.forget(["old", "new"])
    jobs = {found.id: found for found in store.scan(limit=100)}
    store.close()
    return Made(path, jobs)


def _finish_all(store: JsonStore) -> None:
    store.settle(effects([(claim, Succeeded()) for claim in store.claim("worker", NOW_MS, 10)]), NOW_MS + 1)


def test_a_forgotten_job_does_not_come_back(left: Made) -> None:
    found = repair(left.path, f"{left.path}.copy")
    assert jobs_in(str(found.output)) == left.jobs
    assert list(left.jobs) == ["kept"]


@pytest.mark.parametrize("words", [b'"op":"claim"', b'"op":"settle"', b'"id":"new"'])
def test_a_forgotten_job_stays_forgotten_whatever_else_is_lost_of_it(left: Made, words: bytes) -> None:
    at = left.journal.read_bytes().index(words)
    left.damage(left.journal, at, b"#" * 5)
    found = repair(left.path)
    assert jobs_in(str(found.output)).keys() <= {"kept"}
    assert found.salvage.lost_jobs.keys() <= {"kept"}
    assert found.violations == []


def test_a_forgotten_job_that_is_damaged_in_the_snapshot_is_not_called_lost(left: Made) -> None:
    left.damage(left.path, left.path.read_bytes().index(b"old secret"), b"#" * 30)
    found = repair(left.path)
    assert found.salvage.lost_jobs == {}
    assert jobs_in(str(found.output)).keys() == {"kept"}


def test_the_text_of_a_forgotten_job_is_gone_after_the_next_compaction(left: Made) -> None:
    assert b"old secret" in left.path.read_bytes()
    store = JsonStore(left.path, durability="os", clock=FakeClock(NOW_MS))
    store.compact()
    store.close()
    assert all(b"old secret" not in data for data in left.files().values())
