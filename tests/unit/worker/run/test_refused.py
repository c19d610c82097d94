"""Jobs that this process cannot run: others get them at once, and nobody looks at them again and again."""

from __future__ import annotations

import time
from itertools import chain

import pytest
from hourwheel import Scheduler, every
from hourwheel.contract import Filter
from hourwheel.store import MemoryStore
from hourwheel.testing import FakeClock
from hourwheel.worker.pool import PoolArguments

LONG_S = 30.0
NOW_MS = 1_800_000_000_000


def test_two_programs_on_one_store_took_each_others_jobs_and_put_them_off_by_a_minute() -> None:
    """huey #675: with two programs and no queues every job of the one was lost in the other now and then."""
    store = MemoryStore()
    apps = [Scheduler(store, workers=2) for _ in "ab"]
    tasks = [app.task(name=f"job_{name}")(lambda n: n) for name, app in zip("ab", apps, strict=True)]
    try:
        for app in apps:
            app.start()
        results = list(chain.from_iterable([task.delay(n) for task in tasks] for n in range(50)))
        assert [one.get(timeout=LONG_S) for one in results] == [n for n in range(50) for _ in tasks]
        jobs = [one.job() for one in results]
        late = [job.started_ms - job.due_ms for job in jobs if job is not None and job.started_ms is not None]
        assert len(late) == 100
        assert max(late) < 5_000
        assert all(job is not None and job.attempt == 1 for job in jobs)
    finally:
        for app in apps:
            app.stop()


def test_a_job_that_nobody_knows_is_looked_at_once_and_stays() -> None:
    clock = FakeClock(NOW_MS)
    app = Scheduler(MemoryStore(), clock=clock)
    result = app.send_task("nobodys")
    assert [app.run_due() for _ in range(3)] == [1, 0, 0]
    clock.advance(3600)
    assert app.run_due() == 0
    job = result.job()
    assert job is not None
    assert (job.state, job.attempt, job.token) == ("scheduled", 0, 1)
    assert job.reason == "unregistered: no task named 'nobodys' in the process that took it"
    assert app.store.next_due() == job.due_ms


def test_a_ticker_does_not_turn_for_a_job_that_nobody_knows() -> None:
    class Counting(MemoryStore):
        claims = 0

        def claim(self, *args, **options):  # type: ignore[no-untyped-def]
            self.claims += 1
            return super().claim(*args, **options)

    store = Counting()
    with Scheduler(store, workers=2) as app:
        result = app.send_task("nobodys")
        until = time.monotonic() + LONG_S
        while not (job := result.job()) or not job.reason:
            assert time.monotonic() < until
            time.sleep(0.001)
        before = store.claims
        time.sleep(0.3)
        assert store.claims - before <= 3
    assert result.state == "scheduled"


def test_it_runs_at_once_when_its_task_is_registered_after_all() -> None:
    clock = FakeClock(NOW_MS)
    app = Scheduler(MemoryStore(), clock=clock)
    result = app.send_task("late")
    app.run_due()
    app.task(name="late")(lambda: "in time")
    assert app.run_due() == 1
    assert result.get(timeout=0) == "in time"


def test_a_job_that_a_pool_refuses_starts_at_once_in_a_pool_that_can() -> None:
    store = MemoryStore()
    kinds: list[PoolArguments] = [{"pool": "threads", "workers": 2}, {"pool": "asyncio", "workers": 2}]
    able, unable = (Scheduler(store, **kind) for kind in reversed(kinds))
    with unable:
        for app in (able, unable):

            @app.task(name="bounded", time_limit=5)
            async def bounded() -> str:
                return "ran"

        result = unable.send_task("bounded")
        until = time.monotonic() + LONG_S
        while "time_limit" not in str((result.job() or result).reason if result.job() else ""):
            assert time.monotonic() < until
            time.sleep(0.001)
        with able:
            assert result.get(timeout=LONG_S) == "ran"


def test_the_fires_of_another_programs_schedule_come_in_time() -> None:
    clock = FakeClock(NOW_MS)
    store = MemoryStore()
    apps = [Scheduler(store, clock=clock) for _ in "ab"]
    fired: list[str] = []
    for name, app in zip("ab", apps, strict=True):
        app.periodic(every(seconds=10), name=name)(lambda name=name: fired.append(name))
    for app in apps:
        app.run_due()
    for turn in range(1, 4):
        clock.advance(10)
        for app in apps if turn % 2 else reversed(apps):
            app.run_due()
            app.run_due()
        for app in apps:
            app.run_due()
        assert sorted(fired) == ["a"] * turn + ["b"] * turn
    assert all(job.due_ms > clock.now_ms() for job in store.scan(Filter(states=frozenset({"scheduled"}))))  # type: ignore[arg-type]


def test_a_job_that_nobody_knows_still_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock(NOW_MS)
    app = Scheduler(MemoryStore(), clock=clock)
    result = app.send_task("nobodys", expires=60)
    monkeypatch.setattr("hourwheel.worker.run.refused._MONOTONIC", clock.monotonic)
    app.run_due()
    clock.advance(61)
    app.run_due()
    assert result.state == "expired"
