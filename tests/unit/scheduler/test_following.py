"""A store on a server says what time it is: two machines that disagree start nothing early, and nothing late."""

from __future__ import annotations

import pytest
from hourwheel import Scheduler
from hourwheel.clock import Following
from hourwheel.job import State
from hourwheel.store import MemoryStore
from hourwheel.testing import FakeClock

HOUR_MS = 3_600_000


class Server(MemoryStore):
    """A store with a clock of its own, which goes by this hour and is set otherwise."""

    def __init__(self, clock: FakeClock, ahead_ms: int) -> None:
        super().__init__()
        self.clock = clock
        self.ahead_ms = ahead_ms

    def now_ms(self) -> int:
        return self.clock.now_ms() + self.ahead_ms


@pytest.mark.parametrize("ahead_ms", [HOUR_MS, -HOUR_MS, 0, 7])
def test_a_producer_whose_clock_was_an_hour_off_had_its_jobs_run_at_once_or_an_hour_late(ahead_ms: int) -> None:
    clock = FakeClock()
    store = Server(clock, ahead_ms)
    app = Scheduler(store, clock=clock)
    app.task(name="work")(lambda: None)
    result = app.send_task("work", countdown=60)
    assert result.job().due_ms == store.now_ms() + 60_000
    clock.advance(59.999)
    assert app.run_due() == 0
    clock.advance(0.001)
    assert app.run_due() == 1
    assert result.state == State.SUCCEEDED


def test_a_store_that_is_opened_later_is_followed_too() -> None:
    clock = FakeClock()
    app = Scheduler(clock=clock)
    app.conf.store = Server(clock, HOUR_MS)
    app.task(name="work")(lambda: None)
    assert app.store.now_ms() == app.clock.now_ms() == clock.now_ms() + HOUR_MS


def test_a_scheduler_that_goes_over_to_a_store_without_a_clock_went_on_by_the_clock_of_the_server() -> None:
    clock = FakeClock()
    app = Scheduler(clock=clock)
    app.conf.store = Server(clock, HOUR_MS)
    assert app.store.now_ms() == app.clock.now_ms()
    app.close()
    app.conf.store = store = MemoryStore()
    assert app.store is store
    app.task(name="work")(lambda: None)
    assert app.send_task("work").job().due_ms == clock.now_ms()
    assert app.run_due() == 1


def test_a_clock_that_is_set_meanwhile_is_noticed_at_the_next_look() -> None:
    clock = FakeClock()
    store = Server(clock, 0)
    following = Following(clock, store.now_ms)
    store.ahead_ms = 5_000
    assert following.now_ms() == clock.now_ms()
    following.look()
    assert following.now_ms() == clock.now_ms() + 5_000
    assert following.now_ns() == following.now_ms() * 1_000_000
    assert following.monotonic() == clock.monotonic()


def test_a_store_without_a_clock_leaves_the_scheduler_its_own() -> None:
    clock = FakeClock()
    assert Scheduler(MemoryStore(), clock=clock).clock is clock
