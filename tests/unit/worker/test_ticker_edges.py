"""The ticker at its edges: exact limits and waits, stores and jobs that misbehave."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hourwheel.clock import Following
from hourwheel.contract import Claims
from hourwheel.events import Events
from hourwheel.job import Job, State
from hourwheel.store import MemoryStore
from hourwheel.worker.pool.credit import CLAIM_MOST
from hourwheel.worker.stepping import LINGER_S, backoff_s, claim_limit, nap
from hourwheel.worker.ticker import Ticker

from tests.kit.ticking import FailingStore, World

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
    assert claim_limit(5_000, ticks=ticks, stale=False, credit=credit, next_ms=next_due_ms) == limit


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
    seconds, horizon_ms = nap(5_200_000_000, credit=credit, next_ms=next_due_ms, waiting=False)
    assert (seconds, horizon_ms) == (pytest.approx(expected[0]), expected[1])
    waiting, _ = nap(5_200_000_000, credit=credit, next_ms=next_due_ms, waiting=True)
    assert waiting == pytest.approx(min(expected[0], LINGER_S))


def test_on_the_second_itself_the_next_tick_is_a_whole_second_away() -> None:
    assert nap(7 * SECOND_NS, credit=1, next_ms=None, waiting=False) == (1.0, 8_000)
    assert nap(7 * SECOND_NS - 1, credit=1, next_ms=None, waiting=False)[0] == pytest.approx(1e-9)


# ---- jobs that are not run -------------------------------------------------------------------------------


def test_jobs_that_are_not_run_are_told_to_the_hooks_and_end() -> None:
    on = Events()
    told: list[tuple[str, str | None]] = []
    on.skipped(lambda job: told.append((job.id, job.reason)))
    world = World(on=on)
    now_ms = world.clock.now_ms()
    late = Job(id="late", task="t", due_ms=now_ms, expires_ms=now_ms + 1)
    world.store.add([late], 0)
    world.clock.advance(1.0)
    world.drain()
    assert told == [("late", "it had expired before its turn came")]
    assert world.count(State.EXPIRED) == 1
    assert world.started == []


# ---- before it starts, and after it has ended ------------------------------------------------------------


def test_a_ticker_that_is_not_started_has_claimed_nothing_and_wakes_for_nothing(world: World) -> None:
    ticker = world.ticker
    assert (ticker.horizon_ms, ticker.died, ticker.ended, ticker.alive) == (0, None, False, False)
    assert (ticker.thread.name, ticker.thread.daemon) == ("hourwheel-ticker", True)
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


def test_the_end_of_the_program_does_not_wait_once_more_for_a_store_that_stop_gave_up(world: World) -> None:
    waits: list[float] = []
    world.ticker.thread.join = waits.append  # type: ignore[method-assign,assignment]
    world.ticker._gone.wait = waits.append  # type: ignore[method-assign,assignment]
    world.ticker._begun = True
    world.ticker.stop(1)
    world.ticker.leave()
    world.clock.advance(2)
    world.ticker.leave()
    assert waits == [1.75, 0.75, 0.0]


def test_a_bug_at_each_step_is_said_each_time_with_its_traceback_and_the_tenth_ends_the_ticker(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> float:
        raise LookupError("a bug")

    pauses: list[float] = []
    world.ticker.step = fail  # type: ignore[method-assign]
    world.ticker._wait = lambda seconds: bool(pauses.append(seconds))  # type: ignore[func-returns-value]
    world.ticker._live()
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert isinstance(world.ticker.died, LookupError)
    assert [record.levelname for record in caplog.records] == 10 * ["CRITICAL"]
    assert all(record.exc_info and isinstance(record.exc_info[1], LookupError) for record in caplog.records)


def test_bugs_that_are_rare_end_no_ticker(world: World, caplog: pytest.LogCaptureFixture) -> None:
    fails = iter([LookupError("a bug")] * 40)

    def fail() -> float:
        world.clock.advance(7)
        world.ticker._over = (error := next(fails, None)) is None
        if error is None:
            return 0.0
        raise error

    world.ticker.step = fail  # type: ignore[method-assign]
    world.ticker._wait = lambda _: True
    world.ticker._live()
    assert (world.ticker.died, len(caplog.records)) == (None, 40)


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


class Lying(MemoryStore):
    """A store that says of a job that it is due, and has none."""

    lies = True

    def claim(self, *args: Any, **options: Any) -> Claims:
        claims = super().claim(*args, **options)
        return Claims(claims, next_ms=args[1] if self.lies else claims.next_ms, ask=claims.ask)


def test_a_store_that_lies_is_asked_twice_more_and_then_more_and_more_rarely_but_once_a_second() -> None:
    world = World(Lying())
    pauses = [world.ticker.step() for _ in range(24)]
    assert pauses[:2] == [0.0, 0.0]
    assert pauses[2:14] == pytest.approx([min(1.0, 0.001 * 2**n) for n in range(3, 15)])
    assert pauses[14:] == [1.0] * 10


def test_a_store_that_tells_the_truth_again_is_not_mistrusted() -> None:
    store = Lying()
    world = World(store)
    for _ in range(10):
        world.ticker.step()
    store.lies = False
    world.ticker.step()
    assert backoff_s(world.ticker._empty_claims) == 0.0


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


def test_jobs_that_a_bug_kept_from_the_workers_after_their_claim_are_not_held_until_the_next_second(
    world: World,
) -> None:
    schedules, bugs = world.ticker._schedules, [LookupError("a bug")]
    real = schedules.follow

    def follow(*args: Any) -> Any:
        if bugs:
            raise bugs.pop()
        return real(*args)

    schedules.follow = follow  # type: ignore[method-assign]
    [id] = world.add()
    with pytest.raises(LookupError):
        world.ticker.step()
    assert (world.count(State.RUNNING), world.pool.waiting()) == (1, 0)
    world.drain()
    assert world.started == [(id, world.clock.now_ms())]
    [job] = world.store.scan()
    assert (job.state, job.attempt) == (State.SUCCEEDED, 1)


# ---- a store with a clock of its own ---------------------------------------------------------------------


def test_a_worker_on_a_machine_whose_clock_runs_slow_fell_behind_the_server_until_it_was_started_again() -> None:
    world, hour_ms = World(), 3_600_000
    ahead_ms = [0]
    following = Following(world.clock, lambda: world.clock.now_ms() + ahead_ms[0])
    ticker = Ticker(world.store, world.pool, following, owner="me")
    world.add(in_ms=hour_ms)
    ticker.step()
    ahead_ms[0] = hour_ms
    world.clock.advance(9)
    ticker.step()
    assert following.now_ms() == world.clock.now_ms()
    world.clock.advance(1)
    ticker.step()
    assert following.now_ms() == world.clock.now_ms() + hour_ms
    ticker.step()
    assert world.pool.work() == 1
