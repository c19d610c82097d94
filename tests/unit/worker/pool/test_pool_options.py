"""What may be asked of a pool, and what a pool refuses to run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hourwheel import InvalidValue, Scheduler, SchedulerError, SoftTimeLimitExceeded, TimeLimitExceeded
from hourwheel.store.memory import MemoryStore
from hourwheel.tasks.options.time_limits import UNLIMITED, Limits, limits_of
from hourwheel.worker.pool import PoolOptions
from hourwheel.worker.pool.green import installed, patched
from hourwheel.worker.pool.kinds import KINDS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool": "fibers"}, "pool must be one of asyncio, eventlet, gevent, processes, solo, threads, got 'fibers'"),
        ({"pool": None}, "pool must be one of"),
        ({"workers": 0}, "workers must be a whole number from 1 to 1024 for threads, got 0"),
        ({"workers": 257, "pool": "processes"}, "from 1 to 256 for processes, got 257"),
        ({"workers": 2, "pool": "solo"}, "workers must be 1 for a solo pool, got 2"),
        ({"max_tasks_per_child": 5}, "max_tasks_per_child must be left out: only a pool of processes has children"),
        ({"max_tasks_per_child": 0, "pool": "processes"}, "max_tasks_per_child must be a whole number, 1 or more"),
        ({"max_memory_per_child": 1.5, "pool": "processes"}, "max_memory_per_child must be a whole number"),
        ({"time_limit": 0}, "time_limit must be a number of seconds or a timedelta, more than zero, got 0"),
        ({"time_limit": "5"}, "time_limit must be a number of seconds"),
        ({"soft_time_limit": 9, "time_limit": 9}, "soft_time_limit must be less than time_limit, 9 s, got 9"),
    ],
)
def test_options_that_cannot_be_are_refused_when_the_scheduler_is_made(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Scheduler(MemoryStore(), **options)
    assert message in str(refused.value)


def test_an_option_that_nobody_knows_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'worker'"):
        Scheduler(MemoryStore(), worker=4)  # type: ignore[call-arg]


@pytest.mark.parametrize(("pool", "workers"), [("threads", 4), ("asyncio", 500), ("gevent", 500), ("solo", 1)])
def test_each_kind_has_its_own_number_of_workers(pool: str, workers: int) -> None:
    assert Scheduler(MemoryStore(), pool=pool).workers == workers


def test_processes_are_as_many_as_processors_and_may_be_called_prefork() -> None:
    options = PoolOptions(pool="prefork")
    assert options.kind is KINDS["processes"]
    assert options.workers >= 1


def test_limits_are_seconds_or_timedeltas_and_the_tasks_own_come_first() -> None:
    limits = limits_of(timedelta(minutes=1), 1.5)
    assert limits == Limits(soft_s=1.5, hard_s=60.0)
    assert limits.over(Limits(soft_s=9.0, hard_s=99.0)) == limits
    assert Limits(soft_s=1.0).over(Limits(hard_s=5.0)) == Limits(soft_s=1.0, hard_s=5.0)


def test_a_task_without_limits_costs_nothing_where_there_are_none() -> None:
    assert UNLIMITED.over(limits_of(None, None)) is UNLIMITED


def test_a_task_with_a_limit_that_cannot_be_is_refused_when_it_is_made() -> None:
    app = Scheduler(MemoryStore())
    with pytest.raises(InvalidValue, match="soft_time_limit must be less than time_limit"):
        app.task(name="x", time_limit=5, soft_time_limit=10)(lambda: None)


# ---- what a pool refuses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_threads_refuse_a_hard_limit_and_say_what_to_do(pool: str) -> None:
    app = Scheduler(MemoryStore(), pool=pool)

    @app.task(name="report", time_limit=60)
    def report() -> None: ...

    with pytest.raises(SchedulerError) as refused:
        app.start()
    assert f"task report cannot be run by a pool of {pool}: it has a time_limit" in str(refused.value)
    assert "-P processes" in str(refused.value)
    assert "soft_time_limit" in str(refused.value)


def test_a_hard_limit_for_all_tasks_is_refused_as_well() -> None:
    app = Scheduler(MemoryStore(), time_limit=60)
    app.task(name="report")(lambda: None)
    with pytest.raises(SchedulerError, match="it has a time_limit"):
        app.start()


def test_a_task_whose_queue_is_not_served_here_may_ask_for_anything() -> None:
    app = Scheduler(MemoryStore(), queues=["mail"])
    app.task(name="report", time_limit=60, queue="reports")(lambda: None)
    with app:
        assert app.running


def test_a_job_that_this_pool_cannot_run_waits_for_one_that_can() -> None:
    app = Scheduler(MemoryStore())
    with app:
        report = app.task(name="report", time_limit=60)(lambda: None)  # registered after the start
        result = report.delay()
        with pytest.raises(TimeoutError):
            result.get(timeout=0.3)
    job = result.job()
    assert job is not None
    assert (job.state, job.attempt) == ("scheduled", 0)
    assert "not run in the pool that took it: it has a time_limit" in str(job.reason)


def test_asyncio_holds_coroutines_to_a_hard_limit_but_refuses_it_for_functions() -> None:
    kind, limits = KINDS["asyncio"], Limits(hard_s=1.0)
    app = Scheduler(MemoryStore())

    @app.task(name="coroutine")
    async def coroutine() -> None: ...

    assert kind.refusal(coroutine, limits) is None
    assert "a thread cannot be stopped" in str(kind.refusal(app.task(name="plain")(lambda: None), limits))


def test_greenlets_refuse_coroutines() -> None:
    app = Scheduler(MemoryStore())

    @app.task(name="coroutine")
    async def coroutine() -> None: ...

    assert "greenlets have no event loop" in str(KINDS["gevent"].refusal(coroutine, UNLIMITED))


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_a_program_that_is_not_patched_is_told_how(library: str) -> None:
    if installed(library):
        assert not patched(library)
    with pytest.raises(SchedulerError) as refused:
        Scheduler(MemoryStore(), pool=library).start()
    said = str(refused.value)
    expected = "start it with the line: " if installed(library) else f"pip install 'hourwheel[{library}]'"
    assert expected in said


# ---- limits where there is no pool ---------------------------------------------------------------------------


def test_a_sweep_keeps_soft_limits_and_runs_tasks_with_hard_ones() -> None:
    app = Scheduler(MemoryStore())

    @app.task(name="slow", soft_time_limit=0.05, time_limit=60)
    def slow() -> str:
        try:
            while True:
                pass
        except SoftTimeLimitExceeded:
            return "cleaned up"

    result = slow.delay()
    assert app.run_due() == 1
    assert result.get(timeout=0) == "cleaned up"


def test_a_limit_that_is_over_as_the_function_ends_never_hits_the_next_job() -> None:
    app = Scheduler(MemoryStore())

    @app.task(name="close", soft_time_limit=0.01)
    def close() -> None:
        end = app.clock.monotonic() + 0.01
        while app.clock.monotonic() < end:
            pass

    @app.task(name="innocent")
    def innocent() -> int:
        return sum(range(20_000))

    results = []
    for _ in range(30):
        close.delay()
        results.append(innocent.delay())
    app.run_due()
    assert {result.get(timeout=0) for result in results} == {sum(range(20_000))}


def test_both_errors_are_ours_and_can_be_retried_for() -> None:
    app = Scheduler(MemoryStore())

    @app.task(name="again", autoretry_for=(SoftTimeLimitExceeded, TimeLimitExceeded), soft_time_limit=0.02)
    def again() -> None:
        while True:
            pass

    result = again.delay()
    app.run_due()
    assert (result.state, result.job().attempt) == ("scheduled", 1)  # type: ignore[union-attr]
