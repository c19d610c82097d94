"""The world: one course of events for each history, however it is played, over any store."""

from __future__ import annotations

from typing import Any

import pytest
from hourwheel.store.state import verbs

from tests.torture.simulation import kept_histories
from tests.torture.simulation.days import Course, History, bad_day, play
from tests.torture.simulation.days.happenings import Add, Crash, CutOff, Drain, Fail, Pause
from tests.torture.simulation.json_stores import JsonStores

HOUR_MS = 3_600_000


@pytest.mark.parametrize(("seed", "lease_ms"), [(2, None), (5, None), (11, None), (3, 1_000), (4, 10_000)])
def test_skipping_idle_ticks_changes_nothing(seed: int, lease_ms: int | None) -> None:
    history = bad_day(seed, length_ms=HOUR_MS, jobs=30, lease_ms=lease_ms)
    fast, slow = play(history), play(history, fast=False)
    assert fast.violation is None
    assert fast.hash == slow.hash
    assert slow.skipped == 0
    assert slow.steps > 10 * fast.steps


def test_the_same_seed_goes_the_same_way_and_others_go_others() -> None:
    hashes = [play(bad_day(seed, jobs=20)).hash for seed in (1, 2, 3, 1)]
    assert hashes[0] == hashes[3]
    assert len(set(hashes)) == 3


def test_the_json_store_goes_the_way_of_the_memory_store() -> None:
    history = History(
        happenings=(
            Add(at_ms=0, id="a", count=5, runs_ms=4000),
            Crash(at_ms=500, node=0, down_ms=2000),
            Add(at_ms=700, id="b", delay_ms=1500, key="k"),
            Fail(at_ms=1000, lasts_ms=2000),
        ),
        length_ms=20_000,
    )
    memory, files = play(history), play(history, stores=JsonStores)
    assert (memory.violation, files.violation) == (None, None)
    assert memory.hash == files.hash


def leased(*happenings: Any, lease_ms: int = 1_000, nodes: int = 2) -> Course:
    """A day on a store that goes by leases."""
    return play(History(happenings=happenings, nodes=nodes, workers=1, lease_ms=lease_ms, length_ms=60_000))


def begun(course: Course) -> list[str]:
    """Who has begun a, in turn."""
    return [line.split()[1] for line in course.lines if " begin a " in line]


def test_a_job_longer_than_a_lease_is_begun_once_also_while_its_node_drains() -> None:
    job = Add(at_ms=100, id="a", runs_ms=20_000)
    for rest in ([], [Drain(at_ms=500, node=0, down_ms=0, timeout_ms=30_000)]):
        course = leased(job, *rest)
        assert course.violation is None
        assert begun(course) == ["node-0.1"]


@pytest.mark.parametrize("trouble", [CutOff, Pause])
def test_a_node_that_is_silent_for_a_lease_is_taken_for_dead_and_its_result_is_refused(trouble: Any) -> None:
    course = leased(Add(at_ms=100, id="a", runs_ms=4_000), trouble(at_ms=500, node=0, lasts_ms=3_000))
    assert course.violation is None
    assert begun(course) == ["node-0.1", "node-1.1"]
    assert any(line.split()[1:4] == ["node-0.1", "refused", "a"] for line in course.lines)


def test_a_node_that_is_silent_for_less_keeps_its_jobs() -> None:
    course = leased(Add(at_ms=100, id="a", runs_ms=20_000), CutOff(at_ms=500, node=0, lasts_ms=3_000), lease_ms=10_000)
    assert course.violation is None
    assert begun(course) == ["node-0.1"]


def test_an_exception_in_the_store_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verbs, "choose", lambda *args: 1 / 0)
    assert play(bad_day(1, jobs=3)).violation == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize("history", kept_histories())
def test_histories_that_have_failed_once_hold(history: History) -> None:
    assert play(history).violation is None
