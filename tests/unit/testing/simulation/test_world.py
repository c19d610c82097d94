"""The world: one course of events for each history, however it is played, over any store."""

from __future__ import annotations

import pytest
from hourwheel.store.state import verbs

from tests.torture.simulation import kept_histories
from tests.torture.simulation.days import History, bad_day, play
from tests.torture.simulation.days.happenings import Add, Crash, Fail
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


def test_an_exception_in_the_store_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verbs, "choose", lambda *args: 1 / 0)
    assert play(bad_day(1, jobs=3)).violation == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize("history", kept_histories())
def test_histories_that_have_failed_once_hold(history: History) -> None:
    assert play(history).violation is None
