"""get() inside a job: what a pool full of waiters waits for is run; see waits.py and lending.py."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hourwheel import Limit, Scheduler, chain, chord, group
from hourwheel.contract import Filter
from hourwheel.errors import JobFailed
from hourwheel.explain.facts import facts_of
from hourwheel.explain.reasons import reasons
from hourwheel.store import MemoryStore

LONG_S = 30.0


@pytest.fixture
def app() -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), workers=2)
    yield app
    app.stop()


def test_as_many_parents_as_workers_waited_for_each_other_for_ever(app: Scheduler) -> None:
    """huey #618, celery #3498: result.get() inside a job."""

    @app.task
    def child(n: int) -> int:
        return n * n

    @app.task
    def parent(n: int) -> int:
        return child.delay(n).get(timeout=LONG_S)

    with app:
        many = [parent.delay(n) for n in range(40)]
        assert [one.get(timeout=LONG_S) for one in many] == [n * n for n in range(40)]


def test_calls_nest_as_deep_as_they_like_and_no_more_run_than_there_are_workers(app: Scheduler) -> None:
    @app.task
    def fib(n: int) -> int:
        if n < 2:
            return n
        calls = [fib.delay(n - 1), fib.delay(n - 2)]
        return sum(call.get(timeout=LONG_S) for call in calls)

    with app:
        assert fib.delay(8).get(timeout=LONG_S) == 21
        ticker = app.life.ticker
        assert ticker is not None
        assert not ticker.pool.waits


def test_a_job_may_wait_for_a_canvas_of_which_nothing_has_begun(app: Scheduler) -> None:
    @app.task
    def add(*numbers: int) -> int:
        return sum(numbers)

    @app.task
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @app.task
    def waits(how: str) -> int:
        match how:
            case "chain":
                return chain(add.s(1, 2), add.s(3)).delay().get(timeout=LONG_S)
            case "chord":
                return chord([add.s(n, 1) for n in range(3)], total.s()).delay().get(timeout=LONG_S)
            case _:
                return sum(group(add.s(n, 1) for n in range(3)).delay().get(timeout=LONG_S))

    with app:
        calls = [waits.delay(how) for how in ("chain", "chord", "group", "chord")]
        assert [call.get(timeout=LONG_S) for call in calls] == [6, 6, 6, 6]


def test_what_is_waited_for_is_begun_when_it_comes_due(app: Scheduler) -> None:
    @app.task
    def child() -> str:
        return "in time"

    @app.task
    def parent() -> str:
        return child.delay(countdown=0.3).get(timeout=LONG_S)

    with app:
        assert [one.get(timeout=LONG_S) for one in [parent.delay() for _ in range(2)]] == ["in time"] * 2


def test_stop_lets_running_jobs_have_what_they_wait_for(app: Scheduler) -> None:
    @app.task
    def child() -> str:
        return "done"

    @app.task
    def parent() -> str:
        begun.release()
        return child.delay(countdown=0.2).get(timeout=LONG_S)

    begun = threading.Semaphore(0)
    app.start()
    calls = [parent.delay() for _ in range(2)]
    assert all(begun.acquire(timeout=LONG_S) for _ in calls)
    assert app.stop(timeout=LONG_S) == []
    assert [call.state for call in calls] == ["succeeded"] * 2


def test_a_hook_of_the_tickers_own_thread_is_refused_and_not_hung(
    app: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    @app.task
    def job() -> str:
        return "ran"

    @app.on.received
    def waits(received: object) -> None:
        app.AsyncResult(other.id).get(timeout=LONG_S)

    other = job.delay(countdown=60)
    with app:
        assert job.delay().get(timeout=LONG_S) == "ran"
    assert "it would wait for itself" in caplog.text


@pytest.mark.parametrize("asynchronous", [False, True])
def test_run_due_runs_what_its_jobs_wait_for(app: Scheduler, asynchronous: bool) -> None:
    @app.task
    def child(n: int) -> int:
        return n * n

    @app.task
    async def achild(n: int) -> int:
        await asyncio.sleep(0)
        return n * n

    if asynchronous:

        @app.task(name="parent")
        async def parent(n: int) -> int:
            return await child.delay(n).aget(timeout=LONG_S) + await (await achild.adelay(n)).aget(timeout=LONG_S)

    else:

        @app.task(name="parent")
        def parent(n: int) -> int:
            return child.delay(n).get(timeout=LONG_S) + achild.delay(n).get(timeout=LONG_S)

    calls = [parent.delay(n) for n in range(5)]
    app.run_due()
    assert [call.get(timeout=0) for call in calls] == [2 * n * n for n in range(5)]


def test_get_in_a_coroutine_that_shares_its_loop_says_what_to_do() -> None:
    app = Scheduler(MemoryStore(), workers=2, pool="asyncio")

    @app.task
    async def child() -> str:
        return "child"

    @app.task
    async def parent(blocks: bool) -> str:
        call = await child.adelay(countdown=0.05)
        return call.get(timeout=LONG_S) if blocks else await call.aget(timeout=LONG_S)

    with app:
        with pytest.raises(JobFailed, match=r"await result\.aget\(\)"):
            parent.delay(True).get(timeout=LONG_S)
        assert parent.delay(False).get(timeout=LONG_S) == "child"


def test_functions_that_fill_the_threads_of_an_asyncio_pool_do_not_wait_for_ever() -> None:
    app = Scheduler(MemoryStore(), workers=200, pool="asyncio")

    @app.task
    def child(n: int) -> int:
        return n

    @app.task
    def parent(n: int) -> int:
        return child.delay(n).get(timeout=LONG_S)

    with app:
        assert sum(one.get(timeout=LONG_S) for one in [parent.delay(n) for n in range(40)]) == 780


# ---- what can never end is named ---------------------------------------------------------------------------------


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait is long, and looked at again, after some milliseconds."""
    monkeypatch.setattr("hourwheel.results.waiting._LONG_S", 0.02)
    monkeypatch.setattr("hourwheel.results.waiting._LOOKS_S", 0.02)


@pytest.mark.usefixtures("soon")
def test_a_child_that_needs_the_limit_that_its_parent_has_was_waited_for_for_ever(app: Scheduler) -> None:
    customer = Limit("customer", concurrency=1)

    @app.task(limits=[customer])
    def child() -> None: ...

    @app.task(limits=[customer])
    def parent() -> None:
        child.delay().get(timeout=LONG_S)

    with app, pytest.raises(JobFailed, match=r"Deadlock.*is held back by limit .*customer.*, which this one has"):
        parent.delay().get(timeout=LONG_S)


@pytest.mark.usefixtures("soon")
def test_two_jobs_that_wait_for_each_other_are_told_so(app: Scheduler) -> None:
    @app.task
    def waits(other: str) -> str:
        return app.AsyncResult(other).get(timeout=LONG_S)

    ids = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
    with app:
        calls = [waits.apply_async((other,), task_id=id) for id, other in zip(ids, reversed(ids), strict=True)]
        for call in calls:
            with pytest.raises(JobFailed, match="Deadlock"):
                call.get(timeout=LONG_S)


def test_a_job_that_waits_for_itself_is_told_so_at_once(app: Scheduler) -> None:
    @app.task(bind=True)
    def waits(self: Any) -> None:
        app.AsyncResult(self.request.id).get()

    with app, pytest.raises(JobFailed, match="Deadlock: .* it is the job itself"):
        waits.delay().get(timeout=LONG_S)


@pytest.mark.usefixtures("soon")
def test_a_body_that_waits_for_what_runs_after_it_is_told_so(app: Scheduler) -> None:
    @app.task(bind=True)
    def waits(self: Any) -> None:
        job = app.store.get([self.request.id])[0]
        assert job is not None
        app.AsyncResult(job.wakes[0]).get(timeout=LONG_S)

    @app.task
    def other() -> None: ...

    with app, pytest.raises(JobFailed, match="is to run after this one"):
        waits.apply_async(link=other.si()).get(timeout=LONG_S)


@pytest.mark.usefixtures("soon")
def test_what_a_job_waits_for_is_said_by_why(app: Scheduler) -> None:
    begun = threading.Event()

    @app.task(queue="nobodys")
    def child() -> None: ...

    @app.task
    def parent() -> None:
        call = child.delay()
        begun.set()
        call.get(timeout=LONG_S)

    app.queues = frozenset({"default"})
    with app:
        call = parent.delay()
        assert begun.wait(LONG_S)
        (held,) = app.store.scan(Filter(queue="nobodys"))
        while (job := call.job()) is None or job.reason is None:
            threading.Event().wait(0.005)
        told = reasons(job, facts_of(job, app.store, None, app.clock.now_ms()))
        assert f"It waits in get() for job {held.id}, which (" in told[1]
        late = facts_of(held, app.store, None, held.due_ms + 60_000)
        assert "1 job runs (all of them wait for others in get()) now" in reasons(held, late)[0]
        app.store.cancel([held.id], app.clock.now_ms())
        with pytest.raises(JobFailed):
            call.get(timeout=LONG_S)
    done = call.job()
    assert done is not None and done.reason is None


@pytest.mark.parametrize("pool", ["threads", "asyncio", "solo"])
def test_a_job_that_closes_its_scheduler_is_told_why_not_and_recorded(pool: str, tmp_path: Path) -> None:
    app = Scheduler(tmp_path / "tasks.json", pool=pool, durability="os")

    @app.task
    def closes() -> None:
        app.close()

    with app, pytest.raises(JobFailed, match=r"a job cannot close its own scheduler.*stop\(\)"):
        closes.delay().get(timeout=LONG_S)
    app.close()
