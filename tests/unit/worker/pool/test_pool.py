"""The thread pool and the pace: real threads, waited for by events."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hourwheel.clock import SystemClock
from hourwheel.job import Claim, Crashed, Job, Outcome, Succeeded
from hourwheel.worker.pool import Done, Pace, ThreadPool
from hourwheel.worker.pool.credit import QUEUE_MOST

LONG_S = 10.0


def claim(id: str) -> Claim:
    return Claim(Job(id=id, task="t", due_ms=0), 1, "me")


class Gate:
    """A run that says it has begun, and ends when it is let."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.open = threading.Event()

    def __call__(self, claim: Claim) -> Outcome:
        self.begun.release()
        assert self.open.wait(LONG_S)
        return Succeeded(returned=f'"{claim.job.id}"')


class Started:
    """A started pool whose wake-ups can be waited for."""

    def __init__(self, workers: int, run: Callable[[Claim], Outcome]) -> None:
        self.woken = threading.Semaphore(0)
        self.late: list[Done] = []
        self.was_late = threading.Event()
        self.pool = ThreadPool(workers, run, SystemClock())
        self.pool.start(wake=self.woken.release, settle_late=self.settle_late)

    def settle_late(self, done: list[Done]) -> None:
        self.late += done
        self.was_late.set()


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_workers_run_at_the_same_time_and_the_rest_waits(gate: Gate) -> None:
    started = Started(2, gate)
    started.pool.put([claim("a"), claim("b"), claim("c")])
    for _ in range(2):
        assert gate.begun.acquire(timeout=LONG_S)
    assert started.pool.waiting() == 1
    assert sorted(job.id for job in started.pool.running()) == ["a", "b"]
    assert [claim.job.id for claim in started.pool.recall()] == ["c"]
    gate.open.set()
    started.pool.close()


def test_worker_that_leaves_the_queue_low_wakes_the_ticker_after_handing_over(gate: Gate) -> None:
    started = Started(1, gate)
    gate.open.set()
    started.pool.put([claim("a")])
    assert started.woken.acquire(timeout=LONG_S)
    [done] = started.pool.collect()
    assert (done.claim.job.id, done.outcome) == ("a", Succeeded(returned='"a"'))
    assert done.seconds >= 0
    started.pool.close()


def test_run_that_raises_in_spite_of_its_promise_costs_its_claim_and_no_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def run(claim: Claim) -> Outcome:
        if claim.job.id == "bad":
            raise SystemExit(1)
        return Succeeded()

    started = Started(1, run)
    started.pool.put([claim("bad"), claim("good")])
    done: list[Done] = []
    while len(done) < 2:
        assert started.woken.acquire(timeout=LONG_S)
        done += started.pool.collect()
    assert isinstance(done[0].outcome, Crashed) and "SystemExit" in done[0].outcome.reason
    assert done[1].outcome == Succeeded()
    assert "interrupted between two jobs" in caplog.text
    started.pool.close()


def test_job_that_ends_after_the_pool_was_abandoned_is_settled_by_its_worker(gate: Gate) -> None:
    started = Started(1, gate)
    started.pool.put([claim("late")])
    assert gate.begun.acquire(timeout=LONG_S)
    started.pool.close()
    assert started.pool.abandon() == []
    gate.open.set()
    assert started.was_late.wait(LONG_S)
    assert [done.claim.job.id for done in started.late] == ["late"]


def test_close_ends_every_thread_and_returns_what_none_has_begun(gate: Gate) -> None:
    started = Started(3, gate)
    started.pool.put([claim(id) for id in "abcd"])
    for _ in range(3):
        assert gate.begun.acquire(timeout=LONG_S)
    assert [claim.job.id for claim in started.pool.close()] == ["d"]
    gate.open.set()
    for thread in started.pool._threads:
        thread.join(LONG_S)
        assert not thread.is_alive()
    assert started.pool.running() == []


def test_pool_knows_its_own_threads() -> None:
    inside: list[bool] = []

    def run(claim: Claim) -> Outcome:
        inside.append(started.pool.is_inside())
        return Succeeded()

    started = Started(1, run)
    started.pool.put([claim("a")])
    assert started.woken.acquire(timeout=LONG_S)
    assert inside == [True]
    assert not started.pool.is_inside()
    started.pool.close()


# ---- pace ------------------------------------------------------------------------------------------------


def test_pace_allows_no_queue_before_anything_is_known() -> None:
    assert Pace(workers=4).queue_room() == 0


@pytest.mark.parametrize(
    ("mean_s", "room"), [(0.000_01, 4 * QUEUE_MOST), (0.001, 40), (0.004, 8), (0.006, 0), (3.0, 0)]
)
def test_pace_keeps_ten_milliseconds_of_work_for_each_worker(mean_s: float, room: int) -> None:
    pace = Pace(workers=4)
    pace.ran(100, 100 * mean_s)
    assert pace.queue_room() == room


def test_one_slow_job_among_short_ones_shortens_the_queue_and_short_ones_bring_it_back() -> None:
    pace = Pace(workers=4)
    pace.ran(1000, 0.01)
    pace.ran(1, 2.0)
    assert pace.queue_room() == 0
    for _ in range(20):
        pace.ran(100, 0.001)
    assert pace.queue_room() > 100


def test_pace_remembers_that_the_workers_were_stuck() -> None:
    pace = Pace(workers=4)
    pace.ran(1000, 0.01)
    pace.stuck(0.06)
    assert pace.queue_room() == 0
