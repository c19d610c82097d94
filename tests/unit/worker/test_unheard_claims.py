"""A claim that was made, and whose answer was lost: its jobs must not be held for ever by one who knows nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

import pytest
from hourwheel import Scheduler, chain
from hourwheel.contract import Claims, Store
from hourwheel.errors import StoreError
from hourwheel.job import Claim, Job, Outcome, State, Succeeded
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.testing import FakeClock
from hourwheel.turn import effects
from hourwheel.worker.ticker import Ticker

from tests.kit.memory_system import MemorySystem
from tests.unit.worker.test_ticker import StillPool


class Swallowing(MemoryStore):
    """Does what it is asked to do, and while ``swallows`` says that it does not know."""

    swallows = False

    def claim(self, *args, **kwargs) -> Claims:
        claims = super().claim(*args, **kwargs)
        if self.swallows:
            raise StoreError("whether this change was made is not known")
        return claims


def ticker_on(store: Store, clock: FakeClock) -> tuple[Ticker, StillPool]:
    def run(claim: Claim) -> Outcome:
        return Succeeded()

    pool = StillPool(2, run, clock)
    return Ticker(store, pool, clock, owner="me"), pool


def turn(ticker: Ticker, pool: StillPool, clock: FakeClock, seconds: int = 3) -> int:
    ended = 0
    for _ in range(seconds * 2):
        ticker.step()
        ended += pool.work()
        clock.advance(0.5)
    ticker.step()
    return ended


def test_jobs_whose_claim_was_made_and_not_answered_run_all_the_same() -> None:
    clock, store = FakeClock(), Swallowing()
    ticker, pool = ticker_on(store, clock)
    ticker.step()
    store.add([Job(id=f"job-{n}", task="t", due_ms=0) for n in range(3)], 0)
    ticker.wake()
    store.swallows = True
    ticker.step()
    assert store.stats(clock.now_ms()).running == 2
    store.swallows = False
    assert turn(ticker, pool, clock) == 3
    stats = store.stats(clock.now_ms())
    assert (stats.succeeded, stats.running, store.check()) == (3, 0, [])
    assert {job.attempt for job in store.scan()} == {1}


def test_a_failed_sync_of_a_claim_does_not_leave_its_jobs_running_until_the_process_ends() -> None:
    system, clock = MemorySystem(), FakeClock()
    store = JsonStore("/model/tasks.json", system=system, clock=clock)
    ticker, pool = ticker_on(store, clock)
    ticker.step()
    store.add([Job(id="job", task="t", due_ms=0)], 0)
    ticker.wake()
    sync = system.fdatasync

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    system.fdatasync = fail
    ticker.step()
    system.fdatasync = sync
    assert turn(ticker, pool, clock) == 1
    job = store.get(["job"])[0]
    assert job is not None
    assert (job.state, job.attempt) == (State.SUCCEEDED, 1)
    store.close()


@pytest.mark.parametrize("heard_first", [True, False])
def test_what_runs_already_is_not_given_back(heard_first: bool) -> None:
    """Claims that were answered, and claims of an earlier ticker of the same owner, are none that were not heard of."""
    clock, store = FakeClock(), Swallowing()
    first, first_pool = ticker_on(store, clock)
    store.add([Job(id="long", task="t", due_ms=0)], 0)
    first.step()
    running = first_pool.take()
    clock.advance(1)
    ticker, pool = (first, first_pool) if heard_first else ticker_on(store, clock)
    store.swallows = True
    ticker.step()
    store.swallows = False
    assert turn(ticker, pool, clock) == 0
    assert store.stats(clock.now_ms()).running == 1
    assert store.settle(effects([(running[0], Succeeded())]), clock.now_ms()) == []


# ---- sweeps ----------------------------------------------------------------------------------------------


class Flaky(Swallowing):
    """Fails to settle, and to look a job up, while it is told to."""

    deaf = False
    blind = False

    def settle(self, *args, **kwargs) -> list[Claim]:
        if self.deaf:
            raise StoreError("not now")
        return super().settle(*args, **kwargs)

    def get(self, ids: Sequence[str]) -> list[Job | None]:
        if self.blind:
            raise StoreError("not now")
        return super().get(ids)


@pytest.fixture
def store() -> Flaky:
    return Flaky()


@pytest.fixture
def app(store: Flaky) -> Scheduler:
    app = Scheduler(store, clock=FakeClock())
    ran = app.ran = []  # type: ignore[attr-defined]

    @app.task(name="work")
    def work(number: int) -> int:
        ran.append(number)
        return number

    @app.task(name="next")
    def go_on(number: int) -> int:
        ran.append(-number)
        return number

    return app


def runs(app: Scheduler) -> list[int]:
    found: list[int] = app.ran  # type: ignore[attr-defined]
    return found


def test_a_sweep_whose_claim_was_not_answered_does_not_keep_its_jobs_from_the_next(
    app: Scheduler, store: Flaky
) -> None:
    """They stayed in the name of a web server that lived on for weeks."""
    app.run_due()
    app.send_task("work", (1,))
    store.swallows = True
    with pytest.raises(StoreError):
        app.run_due()
    assert store.stats(0).running == 1
    store.swallows = False
    assert app.run_due() == 1
    [job] = store.scan()
    assert (job.state, job.attempt, runs(app)) == (State.SUCCEEDED, 1, [1])


def test_a_sweep_whose_outcome_was_not_taken_leaves_it_to_the_next_and_the_job_runs_once(
    app: Scheduler, store: Flaky
) -> None:
    result = app.send_task("work", (1,))
    store.deaf = True
    with pytest.raises(StoreError):
        app.run_due()
    store.deaf = False
    assert app.run_due() == 0
    assert (result.get(timeout=0), runs(app)) == (1, [1])


def test_a_sweep_that_cannot_look_up_what_a_job_waits_for_gives_its_jobs_back(app: Scheduler, store: Flaky) -> None:
    work, go_on = app.registry.get("work"), app.registry.get("next")
    last = chain(work.s(1), go_on.s()).delay()
    assert app.run_due() == 2
    last.retry()
    store.blind = True
    with pytest.raises(StoreError):
        app.run_due()
    store.blind = False
    assert store.stats(0).running == 0
    assert app.run_due() == 1
    assert runs(app) == [1, -1, -1]


def test_a_sweep_does_not_give_back_what_the_ticker_of_its_process_claimed_in_the_same_moment(
    app: Scheduler, store: Flaky
) -> None:
    app.send_task("work", (1,))
    [held] = store.claim(app.owner, app.clock.now_ms(), 1)  # the ticker's
    store.swallows = True
    with pytest.raises(StoreError):
        app.run_due()
    store.swallows = False
    assert app.run_due() == 0
    assert store.settle(effects([(held, Succeeded())]), app.clock.now_ms()) == []


def test_a_store_that_stays_broken_keeps_what_is_owed_to_it(app: Scheduler, store: Flaky) -> None:
    result = app.send_task("work", (1,))
    store.deaf = True
    for _ in range(3):
        with pytest.raises(StoreError):
            app.run_due()
    store.deaf = False
    app.run_due()
    assert (result.get(timeout=0), runs(app)) == (1, [1])
