"""The judge of a forecast: the one that comes with it, and the one of the bad days in its place."""

from __future__ import annotations

from typing import Any

import pytest
from hourwheel.job import Claim, Job
from hourwheel.store.state.records import Rescued
from hourwheel.testing import Forecast, simulate
from hourwheel.testing.simulation import Judge, Violation
from hourwheel.testing.simulation.stores import MemoryStores

from tests.torture.simulation.judge import Auditor

JOBS = [Job(id=f"job-{n}", task="t", due_ms=500 + n * 1000) for n in range(20)]


def forecast(**options: Any) -> Forecast:
    return simulate(JOBS, now=0, nodes=2, workers=1, duration=2, crash_every=8, seeds=2, **options)


def test_the_judge_of_the_bad_days_finds_nothing_wrong_with_a_forecast_and_changes_nothing() -> None:
    assert forecast(judge=Auditor) == forecast()
    assert forecast().sound
    assert forecast().again > 0


def test_a_job_that_starts_early_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = MemoryStores.claim
    monkeypatch.setattr(MemoryStores, "claim", lambda self, owner, now_ms, *rest, **options: claim(
        self, owner, now_ms // 1000 * 1000 + 999, *rest, **options
    ))  # fmt: skip
    seen = forecast()
    assert not seen.sound
    assert seen.violations[0].startswith("seed 0: early: job-0 started at 0, due 500")


def test_a_job_that_starts_twice_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryStores, "_rescues", lambda self, state, owner, now_ms: [
        Rescued(now_ms, list(state.running), "too slow")
    ])  # fmt: skip
    assert "started twice: job-0 by node-" in forecast().violations[0]


def test_a_job_that_is_lost_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def died(self: MemoryStores, owner: str) -> None:
        for id in [id for id, holder in self._state.running.items() if holder == owner]:
            del self._state.running[id], self._state.rows[id]
            self._state.counts.running -= 1

    monkeypatch.setattr(MemoryStores, "died", died)
    assert "lost: of 20 jobs " in forecast().violations[0]


def test_a_job_of_the_dead_that_nobody_takes_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryStores, "_rescues", lambda self, state, owner, now_ms: [])
    assert "jobs are left" in forecast().violations[0]


def test_each_world_has_a_judge_of_its_own_which_may_end_it() -> None:
    class Strict(Judge):
        def began(self, claim: Claim, now_ms: int) -> None:
            raise Violation(f"nothing may begin, not at {now_ms} either")

    seen = forecast(judge=Strict).violations
    assert [told.split(",")[0] for told in seen] == ["seed 0: nothing may begin", "seed 1: nothing may begin"]
