"""simulate(): a forecast, which reads its load and changes nothing."""

from __future__ import annotations

import pytest
from hourwheel.errors import InvalidValue
from hourwheel.job import Job
from hourwheel.store import MemoryStore
from hourwheel.testing import simulate


def test_a_forecast_reads_a_store_and_changes_nothing() -> None:
    store = MemoryStore()
    store.add([Job(id=f"job-{n}", task="t", due_ms=n * 1000) for n in range(100)], 0)
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
