"""as_completed: in which order results come, what is refused, and waiting inside of jobs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hourwheel import Scheduler, as_completed, group
from hourwheel.clock import SystemClock
from hourwheel.errors import InvalidValue, JobCancelled, JobFailed, ResultTimeout, UnknownJob
from hourwheel.job import Failed, Failure, Job, Outcome, Succeeded
from hourwheel.results.many import Results
from hourwheel.results.result import AsyncResult
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.testing import FakeClock
from hourwheel.turn import effects

from .test_result import NOW_MS, keeper_of

LONG_S = 30.0
LONG_MS = 3_600_000


class Counted(MemoryStore):
    """Counts how often jobs are looked up."""

    looks = 0

    def get(self, ids: Sequence[str]) -> list[Job | None]:
        self.looks += 1
        return super().get(ids)


@pytest.fixture
def store() -> Counted:
    return Counted()


@pytest.fixture
def results(store: MemoryStore) -> Results[Any]:
    """Of the jobs a, b and c."""
    store.add([Job(id=id, task="app.remind", due_ms=NOW_MS, result_ttl_ms=LONG_MS) for id in "abc"], NOW_MS)
    keeper = keeper_of(store, FakeClock(NOW_MS))
    keeper.result_type = AsyncResult
    return Results(list("abc"), keeper)


def end(store: MemoryStore, id: str, after_ms: int = 0, outcome: Outcome = Succeeded(returned="1")) -> None:  # noqa: B008
    (claim,) = store.claim("me", NOW_MS, 1, ids=[id])
    assert store.settle(effects([(claim, outcome)]), NOW_MS + after_ms) == []


def ids_of(given: Any) -> list[str]:
    return [one.id for one in as_completed(given)]


def test_they_come_in_the_order_in_which_they_ended_and_not_in_that_of_the_calls(
    store: Counted, results: Results[Any]
) -> None:
    for after_ms, id in enumerate("cab"):
        end(store, id, after_ms)
    store.looks = 0
    assert ids_of(results) == ["c", "a", "b"]
    assert store.looks == 1, "one look for all of them"


def test_all_that_have_ended_come_however_they_ended(store: Counted, results: Results[Any]) -> None:
    end(store, "a", 1, Failed(error=Failure("ValueError", "no")))
    store.cancel(["b"], NOW_MS + 2)
    done = as_completed(results[:2])
    failed, cancelled = next(done), next(done)
    with pytest.raises(JobFailed, match="no"):
        failed.get(0)
    with pytest.raises(JobCancelled):
        cancelled.get(0)
    assert list(done) == []


def test_a_job_that_the_store_does_not_have_does_not_hold_up_the_others(store: Counted, results: Results[Any]) -> None:
    end(store, "a")
    lost = AsyncResult[Any]("lost", results[0]._keeper)
    assert ids_of([results[0], lost]) == ["lost", "a"]
    with pytest.raises(UnknownJob):
        lost.get()


def test_each_comes_once_and_nested_groups_come_one_by_one(store: Counted, results: Results[Any]) -> None:
    for id in "abc":
        end(store, id)
    nested = Results(list("abc"), results[0]._keeper, shape=(0, (1, 2)))
    assert ids_of([*nested, *nested, results[0]]) == ["a", "b", "c"]
    assert ids_of(one for one in results) == ["a", "b", "c"]


@pytest.mark.parametrize("nothing", [[], (), Results((), None), {}])
def test_nothing_is_soon_completed(nothing: Any) -> None:
    assert list(as_completed(nothing, timeout=0)) == []


@pytest.mark.parametrize("odd", [None, "a", 5, [None], ["a"], [5], {"a": 1}])
def test_what_is_not_a_result_is_refused_at_the_call(odd: Any) -> None:
    with pytest.raises(InvalidValue, match="results must be an iterable of results"):
        as_completed(odd)


def test_a_single_result_or_a_call_is_refused_at_the_call(results: Results[Any]) -> None:
    for odd in (results[0], Scheduler(MemoryStore()).task(print).s()):
        with pytest.raises(InvalidValue, match="results must be an iterable of results"):
            as_completed(odd)  # type: ignore[arg-type]


@pytest.mark.parametrize("odd", [-1, "5", float("nan"), True])
def test_an_odd_timeout_is_refused_at_the_call(odd: Any, results: Results[Any]) -> None:
    for given in (results, []):
        with pytest.raises(InvalidValue, match="timeout must be"):
            as_completed(given, timeout=odd)


def test_results_of_two_stores_are_refused(results: Results[Any]) -> None:
    other = AsyncResult[Any]("z", keeper_of(MemoryStore(), FakeClock(NOW_MS)))
    with pytest.raises(InvalidValue, match="of one scheduler"):
        as_completed([results[0], other])


@pytest.mark.parametrize("timeout", [0, 0.05, timedelta(milliseconds=50)])
def test_what_ended_in_time_comes_before_the_timeout_is_raised(
    store: Counted, results: Results[Any], timeout: Any
) -> None:
    end(store, "b")
    done = as_completed(results, timeout=timeout)
    assert next(done).id == "b"
    for _ in range(2):
        with pytest.raises(ResultTimeout, match=r"job a of app.remind and 1 more have not ended after"):
            next(done)
    end(store, "a")
    end(store, "c")
    assert [one.id for one in done] == ["a", "c"]


def test_the_time_of_the_loop_counts_and_what_ends_meanwhile_is_given(store: Counted) -> None:
    clock = FakeClock(NOW_MS)
    store.add([Job(id=id, task="t", due_ms=NOW_MS, result_ttl_ms=LONG_MS) for id in "abc"], NOW_MS)
    results = [AsyncResult[Any](id, keeper_of(store, clock)) for id in "abc"]
    end(store, "a")
    seen = []
    with pytest.raises(ResultTimeout, match="job c of t has not ended"):
        for one in as_completed(results, timeout=10):
            seen.append(one.id)
            clock.advance(seconds=60)
            if one.id == "a":
                end(store, "b")
    assert seen == ["a", "b"]


def test_async_for_lets_the_loop_go_on(store: Counted, results: Results[Any]) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        for id in "bca":
            await asyncio.sleep(0.01)
            turns += 1
            end(store, id, turns)

    async def main() -> list[str]:
        task = asyncio.create_task(others())
        found = [one.id async for one in as_completed(results, timeout=LONG_S)]
        await task
        return found

    assert asyncio.run(main()) == ["b", "c", "a"]
    assert turns == 3


def test_async_for_raises_the_timeout_too(results: Results[Any]) -> None:
    async def main() -> None:
        async for _ in as_completed(results, timeout=0.01):
            pass

    with pytest.raises(ResultTimeout, match="and 2 more"):
        asyncio.run(main())


# ---- with workers ----------------------------------------------------------------------------------------------


@pytest.fixture
def app() -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), workers=2)
    yield app
    app.stop()


def test_a_result_comes_while_others_still_run(app: Scheduler) -> None:
    gate = threading.Event()

    @app.task
    def work(n: int) -> int:
        assert n != 0 or gate.wait(LONG_S)
        return n

    with app:
        seen = []
        for one in as_completed(group(work.s(n) for n in range(5)).delay(), timeout=LONG_S):
            seen.append(one.get())
            if len(seen) == 4:
                gate.set()
    assert sorted(seen[:4]) == [1, 2, 3, 4]
    assert seen[4] == 0


@pytest.mark.parametrize("workers", [1, 3])
def test_jobs_that_wait_this_way_lend_their_place(workers: int) -> None:
    app = Scheduler(MemoryStore(), workers=workers)

    @app.task
    def child(n: int) -> int:
        return n

    @app.task
    def parent(n: int) -> int:
        return sum(one.get() for one in as_completed([child.delay(k) for k in range(n)], timeout=LONG_S))

    with app:
        calls = [parent.delay(n) for n in range(6)]
        assert [one.get(timeout=LONG_S) for one in calls] == [0, 0, 1, 3, 6, 10]
        ticker = app.life.ticker
        assert ticker is not None
        assert not ticker.pool.waits


def test_coroutines_of_an_asyncio_pool_wait_this_way() -> None:
    app = Scheduler(MemoryStore(), pool="asyncio", workers=2)

    @app.task
    async def child(n: int) -> int:
        return n

    @app.task
    async def parent(n: int) -> int:
        calls = [await child.adelay(k) for k in range(n)]
        return sum([await one.aget() async for one in as_completed(calls, timeout=LONG_S)])

    with app:
        assert [parent.delay(n).get(timeout=LONG_S) for n in (4, 5)] == [6, 10]


def test_run_due_runs_what_its_jobs_wait_for(app: Scheduler) -> None:
    @app.task
    def child(n: int) -> int:
        return n

    @app.task
    def parent() -> list[int]:
        return [one.get() for one in as_completed([child.delay(n) for n in range(3)], timeout=LONG_S)]

    call = parent.delay()
    app.run_due()
    assert call.get(timeout=0) == [0, 1, 2]


def test_travel_lets_time_pass_for_it(app: Scheduler) -> None:
    from hourwheel.testing import travel

    @app.task
    def work(n: int) -> int:
        return n

    with travel(app, "2026-11-30 08:00", tz="UTC"):
        calls = [work.after(3600 * n).delay(n) for n in (3, 1, 2)]
        assert [one.get() for one in as_completed(calls)] == [1, 2, 3]


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits count as long at once."""
    monkeypatch.setattr("hourwheel.results.waiting._LONG_S", 0.0)
    monkeypatch.setattr("hourwheel.results.waiting._LOOKS_S", 0.02)


@pytest.mark.usefixtures("soon")
def test_a_job_that_only_waits_for_what_cannot_end_is_told_so(app: Scheduler) -> None:
    """The first ends; the other two are the job itself, and one that waits for it."""

    @app.task
    def waits(id: str) -> None:
        app.AsyncResult(id).get(timeout=LONG_S)

    @app.task
    def soon_done() -> int:
        return 1

    @app.task(bind=True)
    def parent(self: Any) -> None:
        me = app.AsyncResult(self.request.id)
        calls = [waits.delay(me.id), me, soon_done.delay()]
        assert next(done := as_completed(calls, timeout=LONG_S)).get() == 1
        list(done)

    with app, pytest.raises(JobFailed, match="Deadlock: .* and 1 more, which can never end"):
        parent.delay().get(timeout=LONG_S)


@pytest.mark.usefixtures("soon")
def test_a_job_that_could_do_with_another_is_not_in_a_deadlock(app: Scheduler) -> None:
    """parent waits for the first of two; one of them waits for parent, which is no circle: the other will end."""
    gate = threading.Event()
    told = threading.Event()

    @app.task
    def slow() -> int:
        assert gate.wait(LONG_S)
        return 7

    @app.task
    def waits(id: str) -> int:
        told.set()
        return app.AsyncResult(id).get(timeout=LONG_S)

    @app.task(bind=True)
    def parent(self: Any) -> int:
        return next(as_completed([waits.delay(self.request.id), slow.delay()], timeout=LONG_S)).get()

    with app:
        call = parent.delay()
        assert told.wait(LONG_S)
        while (job := call.job()) is None or "waits for the first of" not in (job.reason or ""):
            threading.Event().wait(0.005)
        threading.Event().wait(0.1)  # a few looks for a circle
        gate.set()
        assert call.get(timeout=LONG_S) == 7
    assert call.job().reason is None  # type: ignore[union-attr]


def test_two_stores_on_one_file_and_a_thousand_results(tmp_path: Path) -> None:
    """What another opener of the file settles is seen, and no look-up is made for each job."""
    path = tmp_path / "tasks.json"
    with ThreadPoolExecutor(1) as other:
        app = Scheduler(JsonStore(path, durability="os"))

        @app.task(name="work")
        def work(n: int) -> int:
            return n

        calls = app.schedule_many(work, [((n,), {}) for n in range(1000)])

        def run() -> None:
            second = JsonStore(path, durability="os")
            try:
                while claims := second.claim("other", SystemClock().now_ms(), 100):
                    second.settle(effects([(one, Succeeded(returned="1")) for one in claims]), SystemClock().now_ms())
            finally:
                second.close()

        running = other.submit(run)
        assert len({one.id for one in as_completed(calls, timeout=LONG_S)}) == 1000
        running.result()
        app.store.close()
