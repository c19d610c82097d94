"""Time limits of one call: they come before the task's, and a pool that cannot enforce them puts the job off."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hourwheel.celery import Celery, chain, group, signature
from hourwheel.celery.exceptions import SoftTimeLimitExceeded
from hourwheel.errors import InvalidValue
from hourwheel.job import Job, Snoozed
from hourwheel.store import MemoryStore
from hourwheel.tasks.options.time_limits import Limits
from hourwheel.worker.run.runner import Known, Runner

Run = Callable[..., None]


@pytest.fixture
def look(app: Celery) -> Any:
    @app.task(bind=True, time_limit=9, max_retries=1)
    def look(self: Any, *_: Any, again: bool = False) -> Any:
        if again and self.request.retries == 0:
            raise self.retry(countdown=0)
        return [*self.request.timelimit, self.request.time_limit, self.request.headers]

    return look


def test_the_request_has_the_limits_of_the_call_or_else_those_of_the_task(app: Celery, look: Any, run: Run) -> None:
    one = look.si().set(soft_time_limit=5)
    results = {
        (9.0, None, 9.0): [look.delay()],
        (9.0, 5.0, 9.0): [look.apply_async(soft_time_limit=5), one.delay(), signature(dict(one)).delay()],
        (6.0, 5.0, 6.0): [one.apply_async(time_limit=6), chain(one, one).apply_async(time_limit=6)],
        (4.0, 3.0, 4.0): [
            look.apply_async(time_limit=4, soft_time_limit=3),
            look.apply_async(kwargs={"again": True}, time_limit=4, soft_time_limit=3),
            group(one).apply_async(time_limit=4, soft_time_limit=3)[0],
            look.apply(time_limit=4, soft_time_limit=3),
        ],
    }
    run()
    for limits, those in results.items():
        assert [tuple(one.get()[:3]) for one in those] == [limits] * len(those)
        assert [one.get()[3] for one in those] == [None] * len(those)


def test_they_stand_beside_headers(app: Celery, look: Any, run: Run) -> None:
    result = look.s().set(headers={"trace": "7f"}).set(time_limit=4).apply_async(headers={"trace": "80"})
    run()
    assert result.get() == [4.0, None, 4.0, {"trace": "80"}]


@pytest.mark.parametrize("odd", ['{"celery":{"time_limit":"long"}}', '{"celery":{"soft_time_limit":-1}}'])
def test_limits_that_somebody_else_has_written_and_that_are_none_are_passed_over(look: Any, odd: str) -> None:
    assert look.limits_of(look.delay().job()._replace(extra=odd)) is look.limits


def test_a_job_that_a_pool_cannot_stop_is_put_off_and_the_tasks_other_jobs_run() -> None:
    app = Celery(store=MemoryStore(), set_as_current=False)
    task = app.task(name="t")(lambda: 1)

    def know(task: Any, of_job: Limits | None) -> Known:
        limits = of_job or task.limits
        refusal = "a thread cannot be stopped" if limits.hard_s else None
        return Known(task=task, limits=limits, is_coroutine=False, refusal=refusal)

    runner = Runner(app.registry, app.clock, know=know)

    def find(**options: Any) -> Any:
        job: Job = task.apply_async(**options).job()
        return runner.find(job)

    assert find().limits == Limits()
    assert find(soft_time_limit=3).limits == Limits(soft_s=3.0)
    refused = find(time_limit=3)
    assert type(refused) is Snoozed
    assert "a thread cannot be stopped" in refused.reason
    assert runner.refused.names() == []
    assert find().limits == find(headers={"a": 1}).limits == Limits()


def test_a_soft_limit_of_one_call_is_raised_in_that_run_only(app: Celery) -> None:
    @app.task
    def work(seconds: float) -> str:
        try:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                time.sleep(0.005)
        except SoftTimeLimitExceeded:
            return "stopped"
        return "done"

    with app:
        stopped, done = work.apply_async((30,), soft_time_limit=0.05), work.delay(0.1)
        assert (stopped.get(timeout=20), done.get(timeout=20)) == ("stopped", "done")


@pytest.mark.parametrize("wrong", [0, -1, "soon", True])
def test_a_limit_that_is_no_time_is_refused_at_the_call(app: Celery, look: Any, wrong: Any) -> None:
    for call in (look.apply_async, look.s().set, group(look.s()).apply_async, look.apply):
        with pytest.raises(InvalidValue, match="time_limit must be a number of seconds"):
            call(time_limit=wrong)
    assert app.store.stats(0).accepted == 0
