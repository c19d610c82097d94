"""Who waits for a job that nobody runs is told, instead of being left to guess."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from hourwheel import ResultTimeout, Scheduler
from hourwheel.clock import SystemClock


class Fast(SystemClock):
    """A minute a second: for how long one has waited, not for when a job is due."""

    def monotonic(self) -> float:
        return super().monotonic() * 60


@pytest.fixture(params=["tasks.json", "memory:"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    url = request.param
    app = Scheduler(url if url == "memory:" else str(tmp_path / url), workers=1, durability=None, clock=Fast())
    yield app
    app.close()


def test_who_waits_while_nobody_runs_the_store_is_told_so(app: Scheduler) -> None:
    result = app.task(name="t")(lambda: None).delay()
    with pytest.raises(ResultTimeout, match=r"still scheduled after 0\.1 s\. No process is alive that takes jobs"):
        result.get(timeout=0.1)
    with pytest.raises(ResultTimeout, match="No process is alive"):
        asyncio.run(result.aget(timeout=0.1))


def test_a_wait_without_an_end_says_once_that_nobody_runs_the_job(
    app: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    task = app.task(name="t")(lambda: None)
    with caplog.at_level(logging.WARNING, "hourwheel.worker"):
        for _ in range(2):
            with pytest.raises(ResultTimeout):
                task.delay().get(timeout=20)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert said[0].startswith("get() waits for t[")
    assert "start one with `hourwheel worker`, app.start() or `hourwheel run-due`" in said[0]


def test_a_job_that_is_not_due_or_paused_is_said_to_be(app: Scheduler) -> None:
    task = app.task(name="t")(lambda: None)
    with pytest.raises(ResultTimeout, match="It is not due yet: it is due in 1[45]m"):
        task.delay(countdown=900).get(timeout=0)
    app.pause(task="t")
    with pytest.raises(ResultTimeout, match="Its task t is paused"):
        task.delay().get(timeout=0)


def test_nothing_is_said_where_a_worker_is_busy(app: Scheduler, caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()
    app.task(name="slow")(release.wait)
    with app:
        first = app.send_task("slow")
        waiting = app.send_task("slow")
        while first.state != "running":
            pass
        with pytest.raises(ResultTimeout, match=r"still running after 3 s. It runs: attempt 1"):
            first.get(timeout=3)
        with pytest.raises(ResultTimeout, match=r"still scheduled after 3 s$"):
            waiting.get(timeout=3)
        release.set()
        waiting.get(timeout=600)
    assert [record for record in caplog.records if "get() waits" in record.getMessage()] == []
