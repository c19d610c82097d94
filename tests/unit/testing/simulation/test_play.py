"""Histories: one course of events each, however they are played; what fails comes down to what it takes."""

from __future__ import annotations

import json

import pytest
from hourwheel.errors import InvalidValue
from hourwheel.job import Job
from hourwheel.store import MemoryStore
from hourwheel.store.state import verbs
from hourwheel.testing import Stream, simulate
from hourwheel.testing.simulation import History, bad_day, play, shrink
from hourwheel.testing.simulation.happenings import Add, Crash, Fail

from tests.torture.simulation import kept_histories
from tests.torture.simulation.bugs import due_is_rounded_down, rescue_is_forgotten, sown
from tests.torture.simulation.json_stores import JsonStores

HOUR_MS = 3_600_000


@pytest.mark.parametrize("seed", [2, 5, 11])
def test_skipping_idle_ticks_changes_nothing(seed: int) -> None:
    history = bad_day(seed, length_ms=HOUR_MS, jobs=30)
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


def test_a_history_can_be_written_down_and_played_again() -> None:
    history = bad_day(9, jobs=30)
    again = History.of_document(json.loads(json.dumps(history.as_document())))
    assert again == history
    assert play(again).hash == play(history).hash


def test_a_failing_history_comes_down_to_what_it_takes() -> None:
    with sown(rescue_is_forgotten):
        course = next(course for seed in range(20) if (course := play(bad_day(seed))).violation)
        shortest = shrink(course.history, lambda history: play(history).violation is not None)
        assert play(shortest).violation is not None
    assert {type(each) for each in shortest.happenings} == {Add, Crash}
    assert len(shortest.happenings) == 2
    assert play(shortest).violation is None


def test_what_is_early_is_told_with_job_and_instant() -> None:
    history = History(happenings=(Add(at_ms=0, id="a", delay_ms=1500),), nodes=1, length_ms=1000)
    with sown(due_is_rounded_down):
        violation = play(history).violation
    assert violation is not None
    assert violation.startswith("early: node-0.1 got a at ")
    assert "due 1767225601500" in violation


def test_an_exception_in_the_store_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verbs, "choose", lambda *args: 1 / 0)
    assert play(bad_day(1, jobs=3)).violation == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize("history", kept_histories())
def test_histories_that_have_failed_once_hold(history: History) -> None:
    assert play(history).violation is None


def test_a_forecast_reads_a_store_and_changes_nothing() -> None:
    store = MemoryStore()
    store.add([Job(id=f"job-{n}", task="t", due_ms=n * 1000) for n in range(100)])
    before = store.scan()
    forecast = simulate(store, workers=1, duration=2, now=0, down=20)
    assert (forecast.jobs, forecast.begun, forecast.sound) == (100, 100, True)
    assert forecast.max_ms >= 20_000
    assert store.scan() == before


def test_jobs_that_are_due_later_are_left_out_of_a_forecast() -> None:
    jobs = [Job(id="soon", task="t", due_ms=5_000), Job(id="late", task="t", due_ms=60_000)]
    assert simulate(jobs, now=0, within=30).jobs == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workers", 0),
        ("nodes", 0),
        ("seeds", 0),
        ("seed", -1),
        ("within", -1),
        ("duration", "1"),
        ("down", float("nan")),
    ],
)
def test_wrong_arguments_of_a_forecast_are_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidValue, match=f"{name} must be"):
        simulate([], now=0, **{name: value})


@pytest.mark.parametrize("wrong", [{"calls": 0}, {"per": 0}, {"countdown": -1}, {"calls": True}])
def test_wrong_streams_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidValue, match="must be"):
        Stream(**{"task": "t", "calls": 1, "per": 1, **wrong})


def test_a_load_of_something_else_is_refused() -> None:
    with pytest.raises(InvalidValue, match="load must be"):
        simulate([1], now=0)
