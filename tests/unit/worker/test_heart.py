"""Owners that a store takes for dead without a sign of life: a slow job is run once while its process lives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from hourwheel import Scheduler
from hourwheel.errors import StoreError
from hourwheel.job import Job, State
from hourwheel.store import MemoryStore
from hourwheel.testing import FakeClock
from hourwheel.worker.heart import Heart

from tests.kit.ticking import World

LEASE_MS = 1_000


class Refusing(MemoryStore):
    """Takes no sign of life while it is told not to."""

    deaf = False
    beats = 0

    def beat(self, owner: str, now_ms: int) -> bool:
        self.beats += 1
        if self.deaf:
            raise StoreError("the connection is gone")
        return super().beat(owner, now_ms)


@pytest.fixture
def world() -> World:
    """Without a thread for the heart, as where no thread can be had."""
    return World(MemoryStore(lease_ms=LEASE_MS))


def test_a_job_that_ran_for_longer_than_its_lease_was_started_again_and_again(world: World) -> None:
    world.add()
    world.ticker.step()
    claims = world.pool.take()
    for _ in range(20):
        world.clock.advance(min(0.5, world.ticker.step()))
        assert world.store.claim("you", world.clock.now_ms(), 10) == []
    world.pool.end(claims)
    world.ticker.step()
    assert (world.count(State.SUCCEEDED), len(world.started)) == (1, 1)


def test_the_job_of_a_ticker_that_stood_still_is_anothers_and_the_ticker_goes_on(world: World) -> None:
    world.add()
    world.ticker.step()
    claims = world.pool.take()
    world.clock.advance(1.5)
    (other,) = world.store.claim("you", world.clock.now_ms(), 10)
    world.ticker.step()
    world.pool.end(claims)
    world.ticker.step()
    [job] = world.store.get([other.job.id])
    assert job is not None
    assert (job.state, job.token) == (State.RUNNING, other.token)


def test_signs_of_life_are_given_while_the_ticker_lets_a_job_end(world: World) -> None:
    world.add()
    world.ticker.step()
    claims = world.pool.take()
    world.ticker.stop_claiming(10.0)
    for _ in range(8):
        world.clock.advance(min(0.5, world.ticker.step()))
        assert world.store.claim("you", world.clock.now_ms(), 10) == []
    world.pool.end(claims)
    world.ticker.step()
    assert world.count(State.SUCCEEDED) == 1


# ---- what may begin --------------------------------------------------------------------------------------


def heart_of(store: MemoryStore, clock: FakeClock) -> tuple[Heart, Callable[[str, int], None]]:
    heart = Heart(store, clock, "me")
    mark = heart.marks()
    assert mark is not None
    return heart, mark


def test_where_the_kernel_watches_owners_nothing_is_asked_before_a_job_begins() -> None:
    assert Heart(MemoryStore(), FakeClock(), "me").marks() is None


def test_an_owner_that_could_give_no_sign_for_two_thirds_of_its_lease_begins_nothing() -> None:
    store, clock = Refusing(lease_ms=LEASE_MS), FakeClock()
    heart, mark = heart_of(store, clock)
    heart.claimed(clock.monotonic(), store.claim("me", clock.now_ms(), 1).ask)
    clock.advance(0.6)
    mark("me", 1)
    store.deaf = True
    with pytest.raises(StoreError):
        heart.beat()
    clock.advance(0.1)
    with pytest.raises(StoreError, match="could give the store no sign of life for 0.7 s"):
        mark("me", 1)
    store.deaf = False
    heart.beat()
    mark("me", 1)


def test_what_was_claimed_before_a_lease_lapsed_is_not_begun_after_it() -> None:
    store, clock = MemoryStore(lease_ms=LEASE_MS), FakeClock()
    heart, mark = heart_of(store, clock)
    store.add([Job(id="a", task="t", due_ms=0), Job(id="b", task="t", due_ms=0)], 0)
    first = store.claim("me", clock.now_ms(), 1)
    heart.claimed(clock.monotonic(), first.ask)
    clock.advance(5)  # the process was stopped
    second = store.claim("me", clock.now_ms(), 1)
    heart.claimed(clock.monotonic(), second.ask)
    with pytest.raises(StoreError, match="its lease lapsed before it started"):
        mark("me", first[0].token)
    mark("me", second[0].token)


def test_a_beat_that_comes_too_late_makes_all_claims_doubtful() -> None:
    store, clock = MemoryStore(lease_ms=LEASE_MS), FakeClock()
    heart, mark = heart_of(store, clock)
    store.add([Job(id="a", task="t", due_ms=0)], 0)
    claims = store.claim("me", clock.now_ms(), 1)
    heart.claimed(clock.monotonic(), claims.ask)
    store.claim("you", clock.now_ms() + LEASE_MS, 1)
    heart.beat()
    with pytest.raises(StoreError, match="its lease lapsed"):
        mark("me", claims[0].token)


def test_a_store_that_notes_what_begins_is_told_of_it_and_of_nothing_that_may_be_anothers() -> None:
    """Else a job that never began would count as crashed when its worker dies, or one that did would not."""
    clock, told = FakeClock(), list[tuple[str, int]]()

    class Noting(MemoryStore):
        def begin(self, owner: str, token: int) -> None:
            told.append((owner, token))

    heart, mark = heart_of(Noting(lease_ms=LEASE_MS), clock)
    heart.claimed(clock.monotonic(), 1)
    clock.advance(5)  # the process was stopped
    heart.claimed(clock.monotonic(), 2)
    with pytest.raises(StoreError, match="its lease lapsed before it started"):
        mark("me", 1)
    mark("me", 2)
    assert told == [("me", 2)]


# ---- in its thread ---------------------------------------------------------------------------------------


def test_a_store_that_fails_once_does_not_end_the_thread_that_keeps_its_jobs_from_being_started_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, clock = Refusing(lease_ms=LEASE_MS), FakeClock()
    heart, mark = heart_of(store, clock)
    store.add([Job(id="a", task="t", due_ms=0)], 0)
    claims = store.claim("me", clock.now_ms(), 1)
    heart.claimed(clock.monotonic(), claims.ask)

    class Over(threading.Event):
        pauses = 0

        def wait(self, timeout: float | None = None) -> bool:
            clock.advance(timeout or 0.0)
            self.pauses += 1
            store.deaf = self.pauses == 1
            return self.pauses == 4

    heart._live(LEASE_MS / 3000, Over())
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", "The store could not be given a sign of life: StoreError: the connection is gone")
    ]
    assert store.beats == 3
    assert store.claim("you", clock.now_ms(), 1) == []
    mark("me", claims[0].token)


# ---- without a thread ------------------------------------------------------------------------------------


def test_an_owner_that_was_taken_for_dead_tries_again_after_a_third_of_its_lease_and_not_at_once() -> None:
    store, clock = MemoryStore(lease_ms=LEASE_MS), FakeClock()
    heart = Heart(store, clock, "me")
    heart.claimed(clock.monotonic(), store.claim("me", clock.now_ms(), 1).ask)
    clock.advance(1.5)
    assert heart.nap_s(1.0) == 0.0
    heart.beat_if_due()
    assert heart.nap_s(1.0) == pytest.approx(LEASE_MS / 3000)


def test_a_ticker_that_waits_for_its_store_waits_also_when_a_sign_of_life_is_due(world: World) -> None:
    world.ticker.step()
    world.clock.advance(0.9)
    world.ticker._trouble.begin(StoreError("the connection is gone"), world.clock.monotonic())
    assert world.ticker.step() == pytest.approx(0.05)


# ---- the real thing: a lease of 300 ms under jobs of 3 s -------------------------------------------------


@pytest.mark.parametrize("drains", [False, True], ids=["running", "draining"])
def test_a_job_of_ten_leases_starts_once_also_while_its_worker_drains(drains: bool) -> None:
    """It was started five times, four of them at once."""
    store = MemoryStore(lease_ms=300)
    app, other = (Scheduler(store, workers=2) for _ in range(2))
    begun, ended = threading.Event(), threading.Event()
    starts: list[str] = []

    def slow() -> None:
        starts.append("slow")
        begun.set()
        time.sleep(3)
        ended.set()

    for each in (app, other):
        each.task(name="slow")(slow)
    app.start()
    app.send_task("slow")
    assert begun.wait(5)
    other.start()
    if drains:
        app.stop(timeout=0.2)
    assert ended.wait(10)
    other.stop()
    app.stop()
    assert starts == ["slow"]
    until = time.monotonic() + 10
    while store.stats(0).running and time.monotonic() < until:
        time.sleep(0.01)  # a job that ends after its ticker is settled by its worker, a moment later
    stats = store.stats(0)
    assert (stats.succeeded, stats.running, stats.scheduled) == (1, 0, 0)


def test_a_sweep_that_ends_does_not_silence_the_sweep_in_whose_job_it_ran() -> None:
    """Nor one in another thread: the signs of life of a process stopped with the first of its sweeps that ended."""
    store = MemoryStore(lease_ms=300)
    app, other = Scheduler(store), Scheduler(store)
    starts: list[str] = []

    def slow() -> None:
        starts.append("slow")
        if len(starts) == 1:
            app.run_due()
            time.sleep(1)
            other.run_due()

    for each in (app, other):
        each.task(name="slow")(slow)
    app.send_task("slow")
    assert app.run_due() == 1
    assert starts == ["slow"]


def test_a_heart_that_is_started_again_during_its_last_beat_is_one_heart() -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Slow(MemoryStore):
        def beat(self, owner: str, now_ms: int) -> bool:
            inside.set()
            return go_on.wait(10)

    heart = Heart(Slow(lease_ms=30), FakeClock(), "me")
    heart.start()
    first = heart._thread
    assert first is not None and inside.wait(10)
    heart.stop()
    heart.start()
    second = heart._thread
    go_on.set()
    first.join(10)
    assert second is not None
    assert (first.is_alive(), second.is_alive()) == (False, True)
    heart.stop()
    second.join(10)
    assert not second.is_alive()
