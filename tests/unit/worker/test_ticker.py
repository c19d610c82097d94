"""The ticker, driven step by step: a clock that the test moves, a pool that the test works; no thread, no sleep."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pytest
from hourwheel.contract import Claims, Filter
from hourwheel.errors import StoreBusy, StoreError
from hourwheel.job import Claim, Job, State, Succeeded
from hourwheel.store import MemoryStore
from hourwheel.turn import effects
from hourwheel.worker.stepping import LINGER_S, claim_limit, nap
from hourwheel.worker.ticker import Ticker

from tests.kit.ticking import FailingStore, StillPool, World


@pytest.fixture
def world() -> World:
    return World()


# ---- deciding --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("now_ns", [0, 1, 999_999_999, 1_000_000_000, 1_767_225_600_123_456_789])
@pytest.mark.parametrize("next_due_ms", [None, 0, 1_767_225_600_124, 253_402_300_799_999])
@pytest.mark.parametrize("credit", [0, 4])
def test_nap_never_lasts_beyond_the_next_whole_second_nor_beyond_the_next_due_instant(
    now_ns: int, next_due_ms: int | None, credit: int
) -> None:
    seconds, _ = nap(now_ns, credit=credit, next_ms=next_due_ms, waiting=False)
    assert 0.0 <= seconds <= 1.0
    end_ns = now_ns + round(seconds * 1e9)
    assert end_ns // 10**9 <= now_ns // 10**9 + 1
    if credit and next_due_ms is not None:
        assert end_ns <= max(now_ns, next_due_ms * 1_000_000) + 1000


def test_nap_ends_exactly_on_the_second_when_nothing_is_due() -> None:
    assert nap(7_250_000_000, credit=1, next_ms=None, waiting=False) == (0.75, 8000)


def test_nap_is_short_while_claims_wait_for_a_worker() -> None:
    assert nap(7_250_000_000, credit=0, next_ms=None, waiting=True)[0] == LINGER_S


def test_claim_limit_on_a_tick_calls_the_store_even_without_credit_so_that_the_hand_moves() -> None:
    assert claim_limit(5_000, ticks=True, stale=False, credit=0, next_ms=None) == 0
    assert claim_limit(5_000, ticks=True, stale=False, credit=-3, next_ms=None) == 0
    assert claim_limit(5_000, ticks=False, stale=False, credit=0, next_ms=1) is None


def test_claim_limit_between_ticks_calls_the_store_when_something_is_due_and_not_a_millisecond_before() -> None:
    assert claim_limit(5_000, ticks=False, stale=False, credit=4, next_ms=5_001) is None
    assert claim_limit(5_001, ticks=False, stale=False, credit=4, next_ms=5_001) == 4
    assert claim_limit(5_001, ticks=False, stale=False, credit=4, next_ms=None) is None


# ---- when ------------------------------------------------------------------------------------------------


def test_job_starts_at_its_due_instant_inside_the_second_and_not_a_millisecond_before(world: World) -> None:
    world.add(in_ms=1_437)
    assert world.ticker.step() == 1.0
    world.clock.advance(1.0)
    assert world.ticker.step() == pytest.approx(0.437)
    world.clock.advance(0.436)
    assert world.ticker.step() == pytest.approx(0.001)
    assert world.pool.waiting() == 0
    world.clock.advance(0.001)
    world.ticker.step()
    assert world.pool.waiting() == 1


def test_wake_a_fraction_too_soon_is_harmless(world: World) -> None:
    world.add(in_ms=500)
    world.ticker.step()
    world.clock.advance(0.4999997)  # now is rounded down
    delay = world.ticker.step()
    assert world.pool.waiting() == 0
    assert 0.0 < delay < 0.001


def test_ticks_stay_on_whole_seconds_however_late_each_wake_up_is(world: World) -> None:
    start = world.clock.now_ms()
    for _ in range(1000):
        world.clock.advance(world.ticker.step() + 0.0037)
    assert 1000 <= (world.clock.now_ms() - start) / 1000 < 1001


def test_each_tick_sweeps_although_nothing_is_due(world: World) -> None:
    world.ticker.step()
    world.clock.advance(10)
    world.ticker.step()
    limits: list[int] = []
    claim = world.store.claim
    world.store.claim = lambda *a, **k: limits.append(a[2]) or claim(*a, **k)  # type: ignore[func-returns-value,method-assign]
    world.ticker.step()
    assert limits == []
    world.clock.advance(1)
    world.ticker.step()
    assert limits == [4]


def test_job_that_is_added_during_a_nap_is_worth_a_wake_only_if_it_is_due_before_the_end_of_it(world: World) -> None:
    world.add(in_ms=600)
    world.ticker.step()
    assert world.ticker.horizon_ms == world.clock.now_ms() + 600
    world.add(in_ms=200, prefix="sooner")
    assert world.ticker.step() == pytest.approx(0.2)


def test_nobody_wakes_a_ticker_that_has_no_credit(world: World) -> None:
    world.add(10)
    world.ticker.step()
    assert world.ticker.horizon_ms == 0


# ---- how many --------------------------------------------------------------------------------------------


def test_no_more_is_claimed_than_there_are_idle_workers_while_nothing_is_known_about_the_jobs(world: World) -> None:
    world.add(100)
    world.ticker.step()
    assert world.pool.waiting() == 4
    assert world.count(State.SCHEDULED) == 96


def test_slow_jobs_are_never_prefetched_so_that_another_process_can_take_them() -> None:
    one = World()
    other = World(one.store, one.clock, owner="other")
    one.add(12)
    for _ in range(5):
        one.ticker.step()
    assert one.pool.waiting() == 4
    other.ticker.step()
    assert other.pool.waiting() == 4
    one.pool.work(seconds=2.0)
    other.pool.work(seconds=2.0)
    other.ticker.step()
    assert (one.pool.waiting(), other.pool.waiting(), one.count(State.SCHEDULED)) == (0, 4, 0)


def test_full_queue_does_not_keep_the_ticker_from_ticking(world: World) -> None:
    world.add(1000)
    world.ticker.step()
    busy = world.pool.take()
    for second in range(1, 50):
        world.clock.advance(world.ticker.step())
        assert world.store.stats(0).hand >= world.clock.now_ms() // 1000 - 2
        assert len(busy) + world.pool.waiting() == 4, second


def test_short_jobs_are_claimed_in_big_batches(world: World) -> None:
    world.add(10_000)
    calls = 0
    claim = world.store.claim

    def counted(*args: object, **kwargs: object) -> list[Claim]:
        nonlocal calls
        calls += 1
        claims = claim(*args, **kwargs)  # type: ignore[arg-type]
        assert len(claims) <= 1024
        return claims

    world.store.claim = counted  # type: ignore[method-assign]
    world.drain(seconds=0.000_02)
    assert world.count(State.SUCCEEDED) == 10_000
    assert calls < 30


def test_queue_is_never_longer_than_256_jobs_a_worker(world: World) -> None:
    world.add(5_000)
    for _ in range(30):
        world.ticker.step()
        assert world.pool.waiting() <= 4 + 4 * 256
        world.pool.work(most=500)


def test_queue_that_stands_still_is_given_back_without_counting_an_attempt(world: World) -> None:
    world.add(400)
    world.ticker.step()
    world.pool.work(seconds=0.000_02)
    world.ticker.step()
    taken = world.pool.take(4)  # these four now run for long
    waiting = world.pool.waiting()
    assert waiting > 100
    world.ticker.step()
    world.clock.advance(0.051)
    world.ticker.step()
    assert world.pool.waiting() == 0
    assert world.count(State.RUNNING) == 4
    assert world.ticker.pace.queue_room() == 0, "what is known now about these jobs"
    given_back = world.store.scan(Filter(states=frozenset({State.SCHEDULED})), limit=1000)
    assert {job.attempt for job in given_back} == {0}
    world.pool.end(taken, seconds=1.0)
    world.ticker.step()
    assert world.pool.waiting() == 4, "slow now: nothing beyond the idle workers"


def test_queue_that_moves_is_not_given_back(world: World) -> None:
    world.add(400)
    world.ticker.step()
    world.pool.work(seconds=0.000_02)
    world.ticker.step()
    waiting = world.pool.waiting()
    for taken in range(1, 20):
        world.clock.advance(0.04)
        world.pool.take(1)
        world.ticker.step()
        assert world.pool.waiting() == waiting - taken


def test_only_jobs_of_the_queues_that_were_named_are_claimed() -> None:
    world = World(queues={"mail"})
    due_ms = world.clock.now_ms()
    world.store.add([Job(id=queue, task="t", due_ms=due_ms, queue=queue) for queue in ("mail", "other")], 0)
    world.drain()
    assert [id for id, _ in world.started] == ["mail"]


# ---- waking and sleeping ---------------------------------------------------------------------------------


def test_whoever_waits_for_a_result_is_woken_when_it_is_settled(world: World) -> None:
    world.add()
    world.ticker.step()
    world.pool.work()
    world.store.wait(0)
    assert not world.store.wait(0)
    world.ticker.step()
    assert world.store.wait(0)


def test_wake_during_a_step_is_not_slept_over_and_is_used_up_by_the_next_step(world: World) -> None:
    ticker, events = world.ticker, []

    def step() -> float:
        events.append("step")
        assert ticker.horizon_ms > world.clock.now_ms() + 10**12, "a job added in the midst of a step may be overlooked"
        if len(events) == 1:
            ticker.wake()
        if len(events) == 4:
            ticker._over = True
        return 0.5

    def wait(seconds: float) -> bool:
        events.append(f"slept {seconds}")
        return False

    ticker.step = step  # type: ignore[method-assign]
    ticker._wait = wait
    ticker._live()
    assert events == ["step", "step", "slept 0.5", "step"]
    assert ticker.horizon_ms == 0, "nobody need wake a ticker that has ended"


def test_wake_rings_only_where_somebody_sleeps(world: World) -> None:
    rings: list[bool] = []
    world.ticker._ring = lambda: rings.append(True)
    world.ticker.wake()
    assert rings == []
    world.ticker._woken = False
    world.ticker._wait = lambda seconds: bool(world.ticker.wake())  # type: ignore[func-returns-value]
    world.ticker._sleep(1.0)
    assert rings == [True]


# ---- gaps and jumps --------------------------------------------------------------------------------------


def test_after_a_stall_of_two_hours_everything_runs_exactly_once_and_in_due_order(world: World) -> None:
    now_ms = world.clock.now_ms()
    jobs = [Job(id=f"{n:05}", task="t", due_ms=now_ms + n * 1440) for n in range(5_000)]  # over two hours
    jobs += [Job(id="later", task="t", due_ms=now_ms + 7_201_000)]
    world.store.add(jobs, 0, fresh=True)
    world.ticker.step()
    world.clock.advance(7200)
    world.drain(seconds=0.000_1)
    ran = [id for id, _ in world.started]
    assert ran == [job.id for job in jobs[:-1]]


def test_clock_set_back_runs_nothing_again_and_sleeps_no_longer_than_a_second(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.add(3)
    world.drain()
    world.clock.travel(world.clock.now_ms() - 3_600_000)
    for _ in range(3):
        delay = world.ticker.step()
        assert delay <= 1.0
        world.clock.advance(delay)
    assert len(world.started) == 3
    assert "The wall clock was set by -3600.0 s" in caplog.text


def test_job_that_is_due_in_a_repeated_hour_runs_in_it(world: World) -> None:
    world.add(1)
    world.drain()
    world.clock.travel(world.clock.now_ms() - 3_600_000)
    world.add(1, in_ms=10_000, prefix="repeated")
    for _ in range(11):
        world.clock.advance(world.ticker.step())
        world.pool.work()
    assert [id for id, _ in world.started] == ["job0", "repeated0"]


def test_clock_set_forward_makes_what_it_passed_due(world: World) -> None:
    world.add(3, in_ms=3_600_000)
    world.ticker.step()
    world.clock.travel(world.clock.now_ms() + 3_600_000)
    world.drain()
    assert len(world.started) == 3


# ---- a store in trouble ----------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["claim"])
def test_claiming_goes_on_by_itself_when_the_store_works_again(verb: str, caplog: pytest.LogCaptureFixture) -> None:
    store = FailingStore()
    world = World(store)
    world.add(3)
    store.failing = {verb}
    for _ in range(50):
        delay = world.ticker.step()
        assert 0 < delay <= 1.0
        world.clock.advance(delay)
    store.failing = set()
    world.drain()
    assert len(world.started) == 3
    assert caplog.text.count("The store fails") == 1


def test_outcomes_that_the_store_would_not_take_are_kept_and_nothing_more_is_claimed_meanwhile() -> None:
    store = FailingStore()
    world = World(store)
    world.add(100)
    store.failing = {"settle"}
    for _ in range(20):
        world.clock.advance(world.ticker.step())
        world.pool.work(seconds=1.0)
    ran = len(world.started)
    assert ran <= 8
    assert world.count(State.SUCCEEDED) == 0
    store.failing = set()
    world.clock.advance(1)
    world.drain()
    assert world.count(State.SUCCEEDED) == 100
    assert Counter(id for id, _ in world.started).most_common(1)[0][1] == 1, "none ran twice"


def test_wake_ups_do_not_shorten_the_pause_before_a_failing_store_is_tried_again() -> None:
    store = FailingStore()
    world = World(store)
    world.add(1)
    store.failing = {"claim"}
    for _ in range(100):
        world.ticker.step()
    assert store.calls["claim"] == 1


def test_each_new_trouble_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    store = FailingStore()
    world = World(store)
    store.failing = {"claim"}
    for message in ("held by pid 1", "held by pid 2"):
        store.error = StoreBusy(message)
        for _ in range(5):
            world.clock.advance(world.ticker.step())
    assert [record.getMessage().split(": ")[-1] for record in caplog.records] == ["held by pid 1", "held by pid 2"]


def test_trouble_that_comes_back_is_said_again(caplog: pytest.LogCaptureFixture) -> None:
    store = FailingStore()
    world = World(store)
    for failing in ({"claim"}, set(), {"claim"}):
        store.failing = failing
        for _ in range(5):
            world.clock.advance(max(1.0, world.ticker.step()))
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_store_that_was_closed_ends_the_ticker(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.store.close()
    world.ticker._live()
    assert world.ticker.ended and world.ticker.died is None
    assert "The store was closed" in caplog.text


def test_a_bug_in_one_step_does_not_leave_its_jobs_running_for_as_long_as_the_process_lives(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.add(4)
    world.ticker.step()
    world.pool.work(2)
    ran, world.ticker.pace.ran = world.ticker.pace.ran, None  # type: ignore[method-assign,assignment]

    def wait(_: float) -> bool:
        world.ticker.pace.ran = ran  # type: ignore[method-assign]
        world.pool.work()
        world.ticker._over = world.store.stats(0).succeeded == 4
        return True

    world.ticker._wait = wait
    world.ticker._live()
    assert world.ticker.died is None
    assert world.count(State.SUCCEEDED) == 4
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]


def test_a_ticker_that_dies_of_a_bug_gives_back_what_it_has_just_claimed() -> None:
    world = World()
    world.add(4)
    world.ticker._hand_over = None  # type: ignore[method-assign,assignment]
    world.ticker._wait = lambda _: True
    world.ticker._live()
    assert isinstance(world.ticker.died, TypeError)
    assert world.count(State.SCHEDULED) == 4


class Lying(MemoryStore):
    """A store that says of a job that it is due, and has none."""

    def claim(self, *args: Any, **options: Any) -> Claims:
        claims = super().claim(*args, **options)
        return Claims(claims, next_ms=args[1] - 5, ask=claims.ask)


def test_store_that_names_a_due_job_and_never_gives_it_does_not_make_the_ticker_spin() -> None:
    world = World(Lying())
    started_ms = world.clock.now_ms()
    for _ in range(50):
        world.clock.advance(world.ticker.step())
    assert world.clock.now_ms() - started_ms > 5_000


def test_outcome_of_a_claim_that_was_lost_is_said_and_changes_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    [id] = world.add()
    world.ticker.step()
    [claim] = world.pool.take()
    world.store.settle(effects([(claim, Succeeded(returned='"other"'))]), 0)
    world.pool.end([claim])
    world.ticker.step()
    job = world.store.get([id])[0]
    assert job is not None and job.result == "other"
    assert "claim was lost" in caplog.text


# ---- stopping --------------------------------------------------------------------------------------------


def test_stop_claims_nothing_more_lets_running_jobs_end_and_gives_the_queue_back(world: World) -> None:
    world.add(10)
    world.ticker.step()
    [running] = world.pool.take(1)
    world.ticker.stop_claiming(30)
    delay = world.ticker.step()
    assert world.count(State.RUNNING) == 1, "three were claimed and not begun: given back at once"
    assert {job.attempt for job in world.store.scan(Filter(states=frozenset({State.SCHEDULED})))} == {0}
    world.clock.advance(delay)
    world.pool.end([running], seconds=delay)
    world.ticker.step()
    world.ticker.step()
    assert world.ticker._over
    assert (world.count(State.SUCCEEDED), world.count(State.SCHEDULED)) == (1, 9)


def test_stop_ends_at_its_timeout_although_a_job_still_runs(world: World) -> None:
    world.add()
    world.ticker.step()
    world.pool.take()
    world.ticker.stop_claiming(2.5)
    naps = []
    while not world.ticker._over:
        naps.append(world.ticker.step())
        world.clock.advance(naps[-1])
    assert sum(naps) == pytest.approx(2.5)


def test_second_stop_can_only_shorten_the_time_that_is_left(world: World) -> None:
    world.add()
    world.ticker.step()
    world.pool.take()
    world.ticker.stop_claiming(30)
    world.ticker.stop_claiming(60)
    assert world.ticker._stop_at == 30
    world.ticker.stop_claiming(0)
    world.ticker.step()
    assert world.ticker._over


def test_what_the_store_would_not_take_before_the_stop_is_handed_to_the_next_ticker() -> None:
    store = FailingStore()
    world = World(store)
    world.add()
    world.ticker.step()
    world.pool.work()
    store.failing = {"settle"}
    world.ticker.stop_claiming(1)
    while not world.ticker._over:
        world.clock.advance(world.ticker.step())
    world.ticker.finish()
    owed = world.ticker.owes()
    assert len(owed) == 1 and world.ticker.owes() == []
    store.failing = set()
    Ticker(store, StillPool(1, world.run, world.clock), world.clock, owner="me", owed=owed).step()
    assert world.count(State.SUCCEEDED) == 1


def test_finish_settles_what_ended_at_the_last_moment(world: World) -> None:
    world.add(4)
    world.ticker.step()
    world.pool.work(3)
    world.ticker.finish()
    assert (world.count(State.SUCCEEDED), world.count(State.SCHEDULED)) == (3, 1)


def test_finish_gives_back_what_no_worker_has_begun(world: World) -> None:
    world.add(4)
    world.ticker.step()
    world.ticker.finish()
    assert world.count(State.SCHEDULED) == 4


# ---- dropping what is over -------------------------------------------------------------------------------


class OwesMuch(MemoryStore):
    """Has many jobs to drop, and notes how many were dropped, and when."""

    left = 12_000

    def __init__(self) -> None:
        super().__init__()
        self.drops: list[tuple[int, int]] = []

    def tidy(self, now_ms: int, limit: int = 10_000) -> int:
        dropped = min(limit, self.left)
        self.left -= dropped
        self.drops.append((now_ms // 1000, dropped))
        return dropped


def test_many_jobs_that_are_over_are_dropped_in_parts_so_that_nobody_waits_for_long() -> None:
    store = OwesMuch()
    world = World(store)
    start_s = world.clock.now_ms() // 1000
    for _ in range(14):
        world.ticker.step()
        world.clock.advance(1)
    assert [(at - start_s, count) for at, count in store.drops] == [(0, 5_000), (1, 5_000), (2, 2_000), (12, 0)]


class CannotTidy(MemoryStore):
    """A store that cannot drop anything."""

    def tidy(self, now_ms: int, limit: int = 10_000) -> int:  # noqa: ARG002
        raise StoreError("this row cannot be dropped")


def test_a_store_that_cannot_drop_a_row_kept_the_due_jobs_waiting() -> None:
    world = World(CannotTidy())
    world.add(3)
    world.ticker.step()
    assert world.pool.waiting() == 3
    world.pool.work()
    world.clock.advance(0.5)
    world.ticker.step()
    assert world.count(State.SUCCEEDED) == 3
