"""H: limits that do not limit, and coroutines that nobody awaits. (For processes and greenlets: tests/process.)"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from hourwheel import JobFailed, Scheduler, SchedulerError, SoftTimeLimitExceeded, current_job

LONG_S = 30.0


def test_celery_1958_time_limits_were_silently_ignored_in_pools_that_cannot_keep_them(tmp_path: Path) -> None:
    """Also celery #2061, #3747, #5786, #9203: gevent, eventlet, threads."""
    app = Scheduler(tmp_path / "tasks.json", pool="threads")
    app.task(name="report", time_limit=60)(lambda: None)
    with pytest.raises(SchedulerError, match="task report cannot be run by a pool of threads: it has a time_limit"):
        app.start()
    app.close()


def test_celery_5786_a_soft_limit_did_nothing_in_threads(tmp_path: Path) -> None:
    app = Scheduler(tmp_path / "tasks.json", pool="threads")

    @app.task(name="loop", soft_time_limit=0.05)
    def loop() -> str:
        try:
            while True:
                pass
        except SoftTimeLimitExceeded:
            return "cleaned up"

    with app:
        assert loop.delay().get(timeout=LONG_S) == "cleaned up"
    app.close()


@pytest.mark.parametrize("pool", ["threads", "asyncio", "solo"])
def test_celery_6552_a_task_that_is_async_def_was_never_awaited(tmp_path: Path, pool: str) -> None:
    """Open since 2020; also celery #7874, #1920, #3883."""
    app = Scheduler(tmp_path / "tasks.json", pool=pool)

    @app.task(name="fetch")
    async def fetch(page: int) -> list[object]:
        await asyncio.sleep(0.001)
        job = current_job()
        return [page, job is not None and job.task]

    with app:
        assert fetch.delay(7).get(timeout=LONG_S) == [7, "fetch"]
    app.close()


def test_celery_7874_coroutines_had_a_thread_each(tmp_path: Path) -> None:
    app = Scheduler(tmp_path / "tasks.json", pool="asyncio", workers=200, durability="os")
    here, all_here = [], asyncio.Event()

    @app.task(name="meet")
    async def meet() -> int:
        """Ends when 200 are here, so all of them must run at once."""
        here.append(None)
        if len(here) == 200:
            all_here.set()
        await all_here.wait()
        return threading.get_ident()

    with app:
        results = app.schedule_many(meet, [((), {})] * 200)
        assert len({result.get(timeout=LONG_S) for result in results}) == 1
    app.close()


def test_safe_global_2187_a_hung_task_kept_its_worker_for_ever(tmp_path: Path) -> None:
    app = Scheduler(tmp_path / "tasks.json", pool="asyncio", workers=2, durability="os", time_limit=0.05)

    @app.task(name="hang")
    async def hang() -> None:
        await asyncio.Event().wait()

    with app:
        for result in [hang.delay() for _ in range(10)]:
            with pytest.raises(JobFailed, match="time_limit, 0.05 s, and was cancelled"):
                result.get(timeout=LONG_S)
    app.close()
