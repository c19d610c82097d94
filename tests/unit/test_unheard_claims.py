"""A claim that was made, and whose answer was lost: its jobs must not be held for ever by one who knows nothing."""

from __future__ import annotations

import errno
import os

import pytest
from noria.store import JsonStore, MemoryStore
from noria.wheel.contract import Store
from noria.wheel.errors import StoreError
from noria.wheel.job import Claim, Job, Outcome, State, Succeeded
from noria.wheel.testing import FakeClock
from noria.wheel.ticker import Ticker

from tests.kit.memory_system import MemorySystem
from tests.unit.test_ticker import StillPool


class Swallowing(MemoryStore):
    """Does what it is asked to do, and while ``swallows`` says that it does not know."""

    swallows = False

    def claim(self, *args, **kwargs) -> list[Claim]:
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
    store.add([Job(id=f"job-{n}", task="t", due_ms=0) for n in range(3)])
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
    store.add([Job(id="job", task="t", due_ms=0)])
    sync = system.fdatasync

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    system.fdatasync = fail
    ticker.step()
    system.fdatasync = sync
    assert turn(ticker, pool, clock) == 1
    job = store.get("job")
    assert job is not None
    assert (job.state, job.attempt) == (State.SUCCEEDED, 1)
    store.close()


@pytest.mark.parametrize("heard_first", [True, False])
def test_what_runs_already_is_not_given_back(heard_first: bool) -> None:
    """Claims that were answered, and claims of an earlier ticker of the same owner, are none that were not heard of."""
    clock, store = FakeClock(), Swallowing()
    first, first_pool = ticker_on(store, clock)
    store.add([Job(id="long", task="t", due_ms=0)])
    first.step()
    running = first_pool.take()
    clock.advance(1)
    ticker, pool = (first, first_pool) if heard_first else ticker_on(store, clock)
    store.swallows = True
    ticker.step()
    store.swallows = False
    assert turn(ticker, pool, clock) == 0
    assert store.stats(clock.now_ms()).running == 1
    assert store.settle([(running[0], Succeeded())], clock.now_ms()) == []
