"""The ticker and its queue: how many it claims, what goes back, who is woken, and its last moments."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from hourwheel.contract import Claims, Filter
from hourwheel.errors import StoreBusy
from hourwheel.job import Claim, Job, State, Succeeded
from hourwheel.safety.latch import Latch
from hourwheel.store import MemoryStore
from hourwheel.worker.pool import Done
from hourwheel.worker.pool.credit import CLAIM_MOST, STUCK_S
from hourwheel.worker.stepping import LINGER_S
from hourwheel.worker.ticker import Ticker

from tests.kit.ticking import FailingStore, StillPool, World

SECOND_NS = 1_000_000_000


@pytest.fixture
def world() -> World:
    return World()


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


# ---- claims and the queue --------------------------------------------------------------------------------


def test_when_as_many_came_as_one_call_may_bring_the_rest_is_asked_for_at_once() -> None:
    world = World(workers=2 * CLAIM_MOST)
    world.add(CLAIM_MOST + 5)
    assert world.ticker.step() == 0.0
    assert world.pool.waiting() == CLAIM_MOST
    assert world.ticker.step() > 0.0
    assert world.pool.waiting() == CLAIM_MOST + 5


def test_one_worker_that_is_free_is_reason_enough_to_ask_for_more() -> None:
    world = World(workers=CLAIM_MOST + 1)
    world.add(CLAIM_MOST + 1)
    assert world.ticker.step() == 0.0
    single = World(workers=1)
    single.ticker.step()
    single.clock.advance(0.3)
    single.add()
    single.ticker.step()
    assert single.pool.waiting() == 1


def test_what_runs_counts_until_it_has_ended_however_many_claims_it_came_by(world: World) -> None:
    for number in range(3):
        world.add(1, prefix=f"turn-{number}-")
        world.clock.advance(1)
        world.ticker.step()
        assert world.ticker._inflight == number + 1
    world.add(5, prefix="more")
    world.clock.advance(1)
    world.ticker.step()
    assert world.ticker._inflight == 4


def test_while_jobs_wait_in_the_queue_the_ticker_looks_often_and_when_none_does_it_sleeps() -> None:
    world = World(workers=1)
    world.ticker.pace.ran(100, 0.001)
    world.add(2)
    world.ticker.step()
    world.pool.take(1)
    assert world.ticker.step() == LINGER_S
    world.pool.take(1)
    assert world.ticker.step() > LINGER_S


def test_in_the_middle_of_a_second_the_store_is_asked_only_if_something_may_have_changed() -> None:
    store = FailingStore()
    world = World(store)
    world.ticker.step()
    store.calls.clear()
    world.clock.advance(0.3)
    world.ticker.step()
    assert dict(store.calls) == {}
    world.ticker.wake()
    world.ticker.step()
    assert dict(store.calls) == {"claim": 1}


class Deaf(MemoryStore):
    """A store whose claims are made, but the answer to which is lost once in a while."""

    deaf = False

    def claim(self, *args: Any, **kwargs: Any) -> Claims:
        claims = super().claim(*args, **kwargs)
        if self.deaf:
            raise StoreBusy("the answer was lost")
        return claims


def test_jobs_whose_claim_was_not_heard_of_are_given_again_and_those_that_run_run_on() -> None:
    store = Deaf()
    world = World(store)
    running = world.add(2)
    world.ticker.step()
    world.pool.take()
    lost = world.add(2, prefix="lost")
    store.deaf = True
    world.ticker.step()
    assert world.count(State.RUNNING) == 4
    store.deaf = False
    world.clock.advance(0.5)
    world.ticker.step()
    jobs = {job.id: job for job in store.scan(Filter())}
    assert {jobs[id].state for id in running} == {State.RUNNING}
    assert [jobs[id].attempt for id in running] == [1, 1]
    world.clock.advance(1)
    world.drain()
    assert {id for id, _ in world.started} == set(lost)


def test_when_there_is_no_room_for_more_the_ticker_waits_for_a_worker() -> None:
    world = World(workers=2)
    world.add(5)
    assert world.ticker.step() > 0.0
    assert world.pool.waiting() == 2


def test_while_stopping_nothing_is_claimed_though_it_is_due_and_the_wait_is_a_second_at_most(world: World) -> None:
    world.add(1)
    world.ticker.step()
    world.pool.take()
    world.add(3, prefix="more")
    world.ticker.stop_claiming(30)
    assert world.ticker.step() == 1.0
    assert world.count(State.RUNNING) == 1
    calls = world.store.stats(0)
    world.ticker.step()
    assert world.store.stats(0) == calls


@pytest.mark.parametrize(
    ("still_s", "given_back"), [(STUCK_S - 0.001, False), (STUCK_S, False), (STUCK_S + 0.001, True)]
)
def test_a_queue_is_given_back_once_it_has_stood_still_for_long_enough(still_s: float, given_back: bool) -> None:
    world = World(workers=1)
    world.ticker.pace.ran(100, 0.001)
    world.add(5)
    world.ticker.step()
    world.pool.take(1)
    world.ticker.step()
    world.clock.advance(still_s)
    world.ticker.step()
    scheduled = world.store.scan(Filter(states=frozenset({State.SCHEDULED})))
    assert len(scheduled) == (4 if given_back else 0)
    assert {job.reason for job in scheduled} <= {"all workers were busy"}
    assert world.ticker._inflight == (1 if given_back else 5)
    if given_back:
        assert world.ticker.pace.queue_room() == 0, "a worker that is stuck is slow"
        assert world.ticker.pace.mean_ms == pytest.approx(1000 * still_s)


def test_what_is_given_back_because_the_worker_stops_says_so(world: World) -> None:
    world.add(4)
    world.ticker.step()
    world.pool.take(1)
    world.ticker.stop_claiming(30)
    world.ticker.step()
    reasons = {job.reason for job in world.store.scan(Filter(states=frozenset({State.SCHEDULED})))}
    assert reasons == {"the worker stopped before it began"}
    assert world.ticker._inflight == 1


def test_the_room_of_the_queue_tells_workers_when_it_is_low(world: World) -> None:
    world.ticker.pace.ran(100, 0.1)
    room = world.ticker.pace.queue_room()
    world.add(100)
    world.ticker.step()
    assert room > 1
    assert world.pool.low_water == room // 2
    world.ticker.stop_claiming(30)
    world.pool.take()
    world.ticker.step()
    assert world.pool.low_water > 1 << 60


def test_how_long_jobs_take_is_learned_from_all_that_have_ended(world: World) -> None:
    world.add(4)
    world.ticker.step()
    world.pool.work(2, seconds=0.010)
    world.pool.work(2, seconds=0.030)
    world.ticker.step()
    assert world.ticker.pace.mean_ms == pytest.approx(20.0)


# ---- the bell --------------------------------------------------------------------------------------------


class BellStore(MemoryStore):
    """A memory whose bell is shared, as a file's is."""

    def __init__(self) -> None:
        super().__init__()
        self.rung = 0

    def notify(self) -> None:
        self.rung += 1

    def wait(self, timeout_s: float) -> bool:
        return False


def test_a_settled_result_rings_the_bell_of_its_store_and_an_idle_step_does_not() -> None:
    store = BellStore()
    world = World(store)
    world.ticker.step()
    assert store.rung == 0
    world.add()
    world.clock.advance(1)
    world.ticker.step()
    world.pool.work()
    world.ticker.step()
    assert (store.rung, world.count(State.SUCCEEDED)) == (1, 1)


class Bellless:
    """A store without the capability to wake: the ticker has a latch of its own."""

    def __init__(self) -> None:
        self._store = MemoryStore()

    def __getattr__(self, name: str) -> Any:
        if name in ("wait", "notify"):
            raise AttributeError(name)
        return getattr(self._store, name)


def test_a_ticker_over_a_store_without_a_bell_is_woken_all_the_same() -> None:
    world = World(Bellless())  # type: ignore[arg-type]
    ticker = world.ticker
    assert not ticker._shared_bell
    ticker._asleep = True
    ticker.wake()
    ticker._woken = False
    assert ticker._wait(0) is True
    assert ticker._wait(0) is False
    world.add()
    world.ticker.step()
    world.pool.work()
    ticker._wait(0)
    world.ticker.step()
    assert ticker._wait(0) is False, "nobody else listens to it, so a settled result does not ring it"


def test_a_latch_that_is_rung_before_the_wait_is_not_lost_and_twice_is_once() -> None:
    latch = Latch()
    assert latch.wait(0) is False
    latch.notify()
    latch.notify()
    assert latch.wait(-1.0) is True
    assert latch.wait(-1.0) is False


def test_a_stop_is_noticed_by_a_ticker_that_sleeps(world: World) -> None:
    rung: list[bool] = []
    world.ticker._ring = lambda: rung.append(True)
    world.ticker._asleep = True
    world.ticker.stop_claiming(30)
    assert rung == [True]


def test_a_latch_waits_as_long_as_it_is_told_and_not_at_all_for_less_than_nothing() -> None:
    latch, waits = Latch(), []
    latch._lock = SimpleNamespace(acquire=lambda timeout: waits.append(timeout))  # type: ignore[assignment]
    for timeout_s in (0.25, 0.0, -1.0):
        latch.wait(timeout_s)
    assert waits == [0.25, 0.0, 0.0]


# ---- the last moments ------------------------------------------------------------------------------------


def test_when_the_last_job_has_ended_a_stop_is_over_at_once(world: World) -> None:
    world.add()
    world.ticker.step()
    claims = world.pool.take()
    world.ticker.stop_claiming(30)
    assert world.ticker.step() == 1.0
    world.pool.end(claims)
    assert world.ticker.step() == 0.0
    assert not world.ticker._over
    assert (world.ticker.step(), world.ticker._over) == (0.0, True)


def test_outcomes_that_cannot_be_recorded_at_the_end_are_counted_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    store = FailingStore()
    world = World(store)
    world.add(3)
    world.ticker.step()
    world.pool.work(2)
    store.failing = {"settle"}
    world.ticker.finish()
    said = "3 outcomes could not be recorded before the scheduler stopped: held by pid 1"
    assert messages(caplog) == [("ERROR", said)]
    assert len(world.ticker.owes()) == 3
    assert (world.ticker.owes(), world.ticker._over) == ([], True)


def test_a_job_that_outlives_its_ticker_is_recorded_when_it_ends(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    [id] = world.add()
    world.ticker.step()
    [claim] = world.pool.take()
    world.ticker.finish()
    world.ticker.late.settle([Done(claim, Succeeded(returned="7"), 0.0)])
    job = world.store.get([id])[0]
    assert job is not None
    assert (job.state, job.result, job.finished_ms) == (State.SUCCEEDED, 7, world.clock.now_ms())
    world.ticker.late.settle([Done(claim, Succeeded(), 0.0)])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "claim was lost" in caplog.text


def test_a_job_that_outlives_its_ticker_and_its_store_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    store = FailingStore()
    world = World(store)
    world.add()
    world.ticker.step()
    claims: list[Claim] = world.pool.take()
    store.failing, store.error = {"settle"}, StoreBusy("held by pid 7")
    world.ticker.late.settle([Done(claim, Succeeded(), 0.0) for claim in claims])
    assert messages(caplog) == [("ERROR", "1 jobs ended after the scheduler, and could not be recorded: held by pid 7")]


def test_the_pool_is_started_with_who_wakes_and_who_settles_late() -> None:
    started: dict[str, Any] = {}

    class Noting(StillPool):
        def start(self, **given: Any) -> None:  # type: ignore[override]
            started.update(given)

    world = World()
    pool = Noting(1, world.run, world.clock)
    ticker = Ticker(world.store, pool, world.clock, owner="me")
    ticker.thread = threading.Thread(target=lambda: None, name=ticker.thread.name)
    ticker.start()
    ticker.thread.join()
    assert started == {"wake": ticker.nudge, "settle_late": ticker.late.settle}
    assert ticker.thread.name == "hourwheel-ticker"


def test_what_a_claim_was_received_for_is_logged_for_who_wants_to_see_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="hourwheel")
    world.add(2)
    world.ticker.step()
    assert sum("job" in message for _, message in messages(caplog)) >= 1


def test_a_job_is_never_started_early_by_a_claim_that_rounds_up(world: World) -> None:
    world.clock.travel(1_000_000_000_400)
    world.store.add([Job(id="a", task="t", due_ms=1_000_000_000_401)], 0, fresh=True)
    for _ in range(3):
        world.ticker.step()
    assert world.pool.waiting() == 0
    world.clock.advance(0.001)
    world.ticker.step()
    assert world.pool.waiting() == 1
