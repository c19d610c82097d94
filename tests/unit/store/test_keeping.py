"""Failed jobs are evidence: they stay for days, however short results are kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hourwheel import InvalidValue, Scheduler
from hourwheel.contract import Filter
from hourwheel.job import Failed, Failure, Job, State, Succeeded
from hourwheel.store import JsonStore, open_store
from hourwheel.testing import FakeClock
from hourwheel.turn import effects

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def kept_after(path: Path, ms: int, **options: object) -> dict[str, State]:
    """What is left of jobs with the default result_ttl, when so much time has passed and a compaction came."""
    clock = FakeClock(0)
    store = JsonStore(path, durability="os", clock=clock, **options)  # type: ignore[arg-type]
    store.add([Job(id=id, task="t", due_ms=n) for n, id in enumerate(("failed", "done", "cancelled"))], 0)
    store.add([Job(id="late", task="t", due_ms=5, expires_ms=6)], 0)
    failed, done, _ = store.claim("me", 2, 3)
    store.settle(effects([(failed, Failed(error=Failure("E", "no", "tb"))), (done, Succeeded())]), 10)
    store.cancel(["cancelled"], 10)
    store.claim("me", 10, 1)
    clock.advance(ms / 1000)
    store.compact()
    left = {job.id: job.state for job in store.scan(Filter())}
    assert store.check() == []
    store.close()
    return left


def test_what_failed_on_friday_is_there_on_monday(tmp_path: Path) -> None:
    left = kept_after(tmp_path / "tasks.json", 3 * DAY_MS)
    assert left["failed"] is State.FAILED
    assert left["late"] is State.EXPIRED
    assert "done" not in left
    left = kept_after(tmp_path / "other.json", 8 * DAY_MS)
    assert not {"failed", "late", "done"} & left.keys()


@pytest.mark.parametrize("ttl", [7200, 7200.0, timedelta(hours=2)])
def test_failed_ttl_says_for_how_long(tmp_path: Path, ttl: object) -> None:
    assert "failed" in kept_after(tmp_path / "a.json", HOUR_MS + 60_000, failed_ttl=ttl)
    assert "failed" not in kept_after(tmp_path / "b.json", 3 * HOUR_MS, failed_ttl=ttl)


@pytest.mark.parametrize("ttl", [-1, "1h", True, None, float("nan")])
def test_a_failed_ttl_that_is_none_is_refused(tmp_path: Path, ttl: object) -> None:
    with pytest.raises(InvalidValue, match="failed_ttl must be"):
        JsonStore(tmp_path / "tasks.json", failed_ttl=ttl)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="failed_ttl must be"):
        Scheduler(tmp_path / "tasks.json").conf.failed_ttl = ttl


def test_the_setting_reaches_the_store(tmp_path: Path) -> None:
    app = Scheduler(tmp_path / "tasks.json")
    app.conf.failed_ttl = 60
    assert app.store.failed_ttl_ms == 60_000  # type: ignore[attr-defined]
    app.close()
    for url in (f"json:{tmp_path / 'tasks.json'}?failed_ttl=90", "memory:?failed_ttl=90"):
        store = open_store(url)
        assert store.failed_ttl_ms == 90_000  # type: ignore[attr-defined]
        store.close()
