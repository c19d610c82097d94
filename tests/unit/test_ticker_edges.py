"""The ticker at its edges: exact limits and waits, stores and jobs that misbehave, and the last moments before it ends."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from noria.store import MemoryStore
from noria.wheel.contract import Filter
from noria.wheel.errors import StoreBusy
from noria.wheel.job import Claim, Job, State, Succeeded
from noria.wheel.latch import Latch
from noria.wheel.pool import Done
from noria.wheel.pool.credit import CLAIM_MOST, STUCK_S
from noria.wheel.ticker import LINGER_S, Ticker, claim_limit, nap

from tests.kit.ticking import FailingStore, StillPool, World

SECOND_NS = 1_000_000_000


@pytest.fixture
def world() -> World:
    return World()


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


# ---- deciding --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ticks", "credit", "next_due_ms", "limit"),
    [
        (True, 4, None, 4),
        (True, 0, 1, 0),
        (True, -3, 1, 0),
        (True, CLAIM_MOST + 1, None, CLAIM_MOST),
        (False, 4, None, None),
        (False, 4, 5_000, 4),
        (False, 4, 4_999, 4),
        (False, 4, 5_001, None),
        (False, 1, 5_000, 1),
        (False, 0, 5_000, None),
        (False, -1, 5_000, None),
        (False, CLAIM_MOST, 5_000, CLAIM_MOST),
    ],
)
def test_what_is_asked_of_the_store_at_five_seconds(
    ticks: bool, credit: int, next_due_ms: int | None, limit: int | None
) -> None:
    assert claim_limit(5_000, ticks=ticks, credit=credit, next_due_ms=next_due_ms) == limit


@pytest.mark.parametrize(
    ("credit", "next_due_ms", "expected"),
    [
        (1, None, (0.8, 6_000)),
        (1, 5_201, (0.001, 5_201)),
        (1, 6_500, (0.8, 6_000)),
        (1, 5_200, (0.0, 5_200)),
        (1, 1_000, (0.0, 1_000)),
        (0, 5_500, (0.8, 0)),
        (-1, 5_500, (0.8, 0)),
    ],
)
def test_how_long_to_sleep_at_five_seconds_and_a_fifth(
    credit: int, next_due_ms: int | None, expected: tuple[float, int]
) -> None:
    seconds, horizon_ms = nap(5_200_000_000, credit=credit, next_due_ms=next_due_ms, waiting=False)
    assert (seconds, horizon_ms) == (pytest.approx(expected[0]), expected[1])
    waiting, _ = nap(5_200_000_000, credit=credit, next_due_ms=next_due_ms, waiting=True)
    assert waiting == pytest.approx(min(expected[0], LINGER_S))


def test_on_the_second_itself_the_next_tick_is_a_whole_second_away() -> None:
    assert nap(7 * SECOND_NS, credit=1, next_due_ms=None, waiting=False) == (1.0, 8_000)
    assert nap(7 * SECOND_NS - 1, credit=1, next_due_ms=None, waiting=False)[0] == pytest.approx(1e-9)


# ---- before it starts, and after it has ended ------------------------------------------------------------


def test_a_ticker_that_is_not_started_has_claimed_nothing_and_wakes_for_nothing(world: World) -> None:
    ticker = world.ticker
    assert (ticker.horizon_ms, ticker.died, ticker.ended, ticker.alive) == (0, None, False, False)
    assert (ticker.thread.name, ticker.thread.daemon) == ("noria-ticker", True)
    assert ticker.on_end() is None  # type: ignore[func-returns-value]


def test_stop_waits_as_long_as_it_was_told_and_less_than_a_second_more_for_the_last_settling() -> None:
    for timeout_s, longer in ((30.0, None), (1e300, None), (30.0, 60.0), (30.0, 0.5)):
        world = World()
        waits: list[float] = []
        world.ticker.thread.join = waits.append  # type: ignore[method-assign,assignment]
        world.ticker.stop(timeout_s)
        world.clock.advance(10)
        if longer is not None:
            world.ticker.stop(longer)
        expected = [min(timeout_s, threading.TIMEOUT_MAX - 1)] + ([] if longer is None else [min(20.0, longer)])
        assert len(waits) == len(expected)
        assert all(told < waited <= told + 1 for told, waited in zip(expected, waits, strict=True)), waits


def test_stop_after_the_time_of_an_earlier_stop_is_over_does_not_wait_again(world: World) -> None:
    waits: list[float] = []
    world.ticker.thread.join = waits.append  # type: ignore[method-assign,assignment]
    world.ticker.stop(1)
    world.clock.advance(10)
    world.ticker.stop(5)
    assert waits[1] == 0.0


def test_what_killed_a_ticker_is_logged_with_its_traceback(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> float:
        raise LookupError("a bug")

    world.ticker.step = fail  # type: ignore[method-assign]
    world.ticker._live()
    [record] = caplog.records
    assert (record.levelname, isinstance(world.ticker.died, LookupError)) == ("CRITICAL", True)
    assert record.exc_info is not None
    assert record.exc_info[1] is world.ticker.died


def test_stop_tells_of_the_jobs_that_still_run_and_of_none_that_have_ended(world: World) -> None:
    world.ticker.thread.join = lambda timeout: None  # type: ignore[method-assign,assignment,misc]
    [id] = world.add()
    world.ticker.step()
    [claim] = world.pool.take()
    assert [job.id for job in world.ticker.stop(0)] == [id]
    world.pool.end([claim])
    world.ticker.step()
    assert world.ticker.stop(0) == []


def test_stop_from_inside_a_job_or_the_ticker_itself_does_not_wait(world: World) -> None:
    waits: list[float] = []
    world.ticker.thread.join = waits.append  # type: ignore[method-assign,assignment]
    world.pool.is_inside = lambda: True  # type: ignore[method-assign]
    world.ticker.stop(30.0)
    world.pool.is_inside = lambda: False  # type: ignore[method-assign]
    world.ticker.thread = threading.current_thread()
    world.ticker.stop(30.0)
    assert waits == []


def test_a_ticker_that_ended_wants_no_wakes_and_says_when_it_is_over(world: World) -> None:
    seen: list[tuple[int, bool]] = []
    world.ticker.on_end = lambda: seen.append((world.ticker.horizon_ms, world.ticker.ended))
    world.ticker.stop_claiming(0)
    world.ticker._live()
    assert seen == [(0, True)]


def test_a_nap_of_no_length_is_not_slept_and_what_comes_during_a_step_is_worth_a_wake(world: World) -> None:
    naps: list[float] = []
    delays = iter([0.0, 0.25, 0.0])
    horizons: list[int] = []

    def step() -> float:
        horizons.append(world.ticker.horizon_ms)
        delay = next(delays, None)
        world.ticker._over = delay is None
        return delay or 0.0

    world.ticker.step = step  # type: ignore[method-assign]
    world.ticker._wait = lambda seconds: bool(naps.append(seconds))  # type: ignore[func-returns-value]
    world.ticker._live()
    assert naps == [0.25]
    assert min(horizons) >= 1 << 62


def test_a_ticker_that_is_over_does_not_go_to_sleep(world: World) -> None:
    world.ticker._wait = lambda seconds: pytest.fail("it slept")
    world.ticker._over = True
    world.ticker._sleep(1.0)
    assert not world.ticker._asleep


# ---- the wall clock --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by_ms", "said"), [(2_001, "+2.0"), (-2_001, "-2.0"), (3_600_000, "+3600.0"), (2_000, None), (-2_000, None)]
)
def test_a_clock_that_was_set_is_said_once_and_with_its_sign(
    world: World, caplog: pytest.LogCaptureFixture, by_ms: int, said: str | None
) -> None:
    world.ticker.step()
    world.clock.advance(1)
    world.ticker.step()
    world.clock.travel(world.clock.now_ms() + by_ms + 1_000)
    world.clock._monotonic_ns += SECOND_NS
    world.ticker.step()
    world.clock.advance(1)
    world.ticker.step()
    expected = [] if said is None else [("WARNING", f"The wall clock was set by {said} s, or the machine slept")]
    assert messages(caplog) == expected


# ---- a store that misbehaves -----------------------------------------------------------------------------


def test_a_store_that_lies_is_asked_twice_more_and_then_more_and_more_rarely_but_once_a_second(world: World) -> None:
    world.ticker.step()
    world.store.next_due = lambda queues=None: world.clock.now_ms()  # type: ignore[method-assign]
    pauses = [world.ticker.step() for _ in range(24)]
    assert pauses[0] == 0.0
    assert pauses[1:13] == pytest.approx([min(1.0, 0.001 * 2**n) for n in range(3, 15)])
    assert pauses[13:] == [1.0] * 11


def test_a_store_that_tells_the_truth_again_is_not_mistrusted(world: World) -> None:
    honest = world.store.next_due
    world.store.next_due = lambda queues=None: world.clock.now_ms()  # type: ignore[method-assign]
    for _ in range(10):
        world.ticker.step()
    world.store.next_due = honest  # type: ignore[method-assign]
    world.ticker._next_known = False
    world.ticker.step()
    assert world.ticker._penance_s() == 0.0


def test_after_trouble_what_the_store_owes_is_settled_before_more_is_claimed() -> None:
    store = FailingStore()
    world = World(store)
    world.add(8)
    world.ticker.step()
    world.pool.work()
    store.failing = {"settle"}
    order: list[str] = []
    called = store._called

    def note(verb: str) -> None:
        order.append(verb)
        called(verb)

    store._called = note  # type: ignore[method-assign]
    world.ticker.step()
    store.failing = set()
    world.clock.advance(1)
    order.clear()
    world.ticker.step()
    assert order[:2] == ["settle", "claim"]


def test_a_failed_step_says_how_long_it_waits_and_never_beyond_the_end_of_a_stop() -> None:
    store = FailingStore()
    world = World(store)
    world.add()
    world.ticker.step()
    world.pool.take()
    store.failing = {"claim", "next_due", "settle"}
    world.clock.advance(1)
    assert world.ticker.step() == pytest.approx(0.05)
    assert world.ticker.step() == pytest.approx(0.05)
    world.ticker.stop_claiming(0.02)
    assert world.ticker.step() == pytest.approx(0.02)
    world.clock.advance(0.02)
    assert world.ticker.step() == 0.0


def test_when_the_store_works_again_it_is_asked_what_is_next_and_a_new_job_is_not_slept_over() -> None:
    store = FailingStore()
    world = World(store)
    world.ticker.step()
    store.failing = {"claim"}
    world.clock.advance(1)
    world.ticker.step()
    store.failing = set()
    world.add(in_ms=400)
    world.clock.advance(0.1)
    assert world.ticker.step() == pytest.approx(0.3)


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


def test_in_the_middle_of_a_second_the_store_is_asked_once_what_is_next() -> None:
    store = FailingStore()
    world = World(store)
    world.ticker.step()
    store.calls.clear()
    world.clock.advance(0.3)
    world.ticker.step()
    assert dict(store.calls) == {"next_due": 1}


class Deaf(MemoryStore):
    """A store whose claims are made, but the answer to which is lost once in a while."""

    deaf = False

    def claim(self, *args: Any, **kwargs: Any) -> list[Claim]:
        claims = super().claim(*args, **kwargs)
        if self.deaf:
            raise StoreBusy("the answer was lost")
        return claims


def test_jobs_whose_claim_was_not_heard_of_go_back_and_those_that_run_run_on() -> None:
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
    assert world.ticker._claim() == (0, 0)


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
    world.ticker._settle_late([Done(claim, Succeeded(returned="7"), 0.0)])
    job = world.store.get(id)
    assert job is not None
    assert (job.state, job.result, job.finished_ms) == (State.SUCCEEDED, 7, world.clock.now_ms())
    world.ticker._settle_late([Done(claim, Succeeded(), 0.0)])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "claim was lost" in caplog.text


def test_a_job_that_outlives_its_ticker_and_its_store_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    store = FailingStore()
    world = World(store)
    world.add()
    world.ticker.step()
    claims: list[Claim] = world.pool.take()
    store.failing, store.error = {"settle"}, StoreBusy("held by pid 7")
    world.ticker._settle_late([Done(claim, Succeeded(), 0.0) for claim in claims])
    assert messages(caplog) == [("ERROR", "1 jobs ended after the scheduler, and could not be recorded: held by pid 7")]


def test_the_pool_is_started_with_who_wakes_and_who_settles_late() -> None:
    started: dict[str, Any] = {}

    class Noting(StillPool):
        def start(self, **given: Any) -> None:  # type: ignore[override]
            started.update(given)

    world = World()
    pool = Noting(1, world.run, world.clock)
    ticker = Ticker(world.store, pool, world.clock, owner="me", name="mine")
    ticker.thread = threading.Thread(target=lambda: None, name=ticker.thread.name)
    ticker.start()
    ticker.thread.join()
    assert started == {"wake": ticker.wake, "settle_late": ticker._settle_late}
    assert ticker.thread.name == "mine-ticker"


def test_what_a_claim_was_received_for_is_logged_for_who_wants_to_see_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="noria")
    world.add(2)
    world.ticker.step()
    assert sum("job" in message for _, message in messages(caplog)) >= 1


def test_a_job_is_never_started_early_by_a_claim_that_rounds_up(world: World) -> None:
    world.clock.travel(1_000_000_000_400)
    world.store.add([Job(id="a", task="t", due_ms=1_000_000_000_401)], fresh=True)
    for _ in range(3):
        world.ticker.step()
    assert world.pool.waiting() == 0
    world.clock.advance(0.001)
    world.ticker.step()
    assert world.pool.waiting() == 1
