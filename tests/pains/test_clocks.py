"""F: clocks that jump, and instants that mean something else. H: wheels and polls that are early, late or rounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hourwheel import Found, InvalidValue, Scheduler, Task
from hourwheel.testing import FakeClock

from .conftest import Opened

DAY_S = 86_400


def ring(app: Scheduler, ran: list[int]) -> Task[..., None]:
    @app.task(name="ring")
    def ring(number: int) -> None:
        ran.append(number)

    return ring


def test_schedule_323_when_the_clock_was_set_back_nothing_ran_any_more(another: Opened, clock: FakeClock) -> None:
    """Also apscheduler #351, node-schedule #13. Nor does anything run a second time."""
    app, ran = another(), list[int]()
    task = ring(app, ran)
    task.delay(1, countdown=60)
    clock.advance(60)
    app.run_due()
    clock.travel(clock.now_ms() - DAY_S * 1000)
    task.delay(2, countdown=5)
    assert app.run_due() == 0
    clock.advance(5)
    app.run_due()
    assert ran == [1, 2]
    clock.advance(2 * DAY_S)  # the day comes again
    app.run_due()
    assert ran == [1, 2]


def test_apscheduler_1066_a_clock_set_forward_by_years_took_all_memory(another: Opened, clock: FakeClock) -> None:
    """Also apscheduler #526, #35: a hang after NTP. What it passed runs once, in the order in which it was due."""
    app, ran = another(), list[int]()
    task = ring(app, ran)
    for hours in range(100):
        task.delay(hours, countdown=3600 * hours + 1)
    clock.travel(clock.now_ms() + 10 * 365 * DAY_S * 1000)
    assert app.run_due() == 100
    assert ran == list(range(100))
    task.delay(100, countdown=1)
    clock.advance(1)
    assert app.run_due() == 1


def test_celery_2306_a_naive_eta_was_taken_for_some_time_zone(another: Opened) -> None:
    """Also celery #4842, #2649, docs PR #8516."""
    app = another()
    task = ring(app, [])
    with pytest.raises(InvalidValue, match="eta must be an aware datetime"):
        task.apply_async((1,), eta=datetime(2027, 6, 1, 12))
    with pytest.raises(InvalidValue, match="expires must be an aware datetime"):
        task.apply_async((1,), expires=datetime(2027, 6, 1, 12))
    assert app.store.stats(0).accepted == 0


def test_celery_4245_the_same_instant_in_another_zone_was_another_one(another: Opened) -> None:
    app = another()
    task, noon = ring(app, []), datetime(2027, 6, 1, 12, tzinfo=UTC)
    zones = [UTC, ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")]
    jobs = [task.at(noon.astimezone(zone)).delay(1).job() for zone in zones]
    assert {job.due_ms for job in jobs if job is not None} == {int(noon.timestamp()) * 1000}


def test_netty_1959_after_a_minute_of_the_wheel_delays_grew(another: Opened, clock: FakeClock) -> None:
    """Also netty #1115, dubbo #6820: rounds were counted wrongly. Around each turn of the ring, to the second."""
    app, ran = another(), list[int]()
    task, begun_ms = ring(app, ran), clock.now_ms()
    waits_s = [turn * 3600 + around for turn in range(4) for around in (-1, 0, 1, 59, 60, 61) if turn or around > 0]
    for wait_s in waits_s:
        task.delay(wait_s, countdown=wait_s)
    for wait_s in sorted(waits_s):
        clock.travel(begun_ms + wait_s * 1000 - 1)
        assert app.run_due() == 0
        clock.travel(begun_ms + wait_s * 1000)
        assert app.run_due() == 1
        assert ran[-1] == wait_s


def test_netty_14959_a_timer_cancelled_twice_was_counted_twice(another: Opened, clock: FakeClock) -> None:
    app = another()
    result = ring(app, []).delay(1, countdown=60)
    assert [result.cancel(), result.cancel()] == [Found.SCHEDULED, Found.FINISHED]
    stats = app.store.stats(clock.now_ms())
    assert (stats.accepted, stats.scheduled, stats.cancelled) == (1, 0, 1)


def test_rq_1445_a_burst_left_what_was_long_due(another: Opened, clock: FakeClock) -> None:
    app, ran = another(), list[int]()
    task = ring(app, ran)
    for number in range(50):
        task.at(datetime.fromtimestamp(clock.now_ms() / 1000, UTC) - timedelta(days=number)).delay(number)
    assert app.run_due() == 50
    assert ran == list(range(49, -1, -1))


def test_rq_scheduler_320_a_wait_shorter_than_the_poll_was_rounded_in_silence(
    another: Opened, clock: FakeClock
) -> None:
    """Also lago PR #4625: polls of five seconds put together what was to be apart."""
    app, ran = another(), list[int]()
    for number in range(5):
        ring(app, ran).delay(number, countdown=0.05 * (number + 1))
    for number in range(5):
        clock.advance(0.049)
        assert app.run_due() == 0
        clock.advance(0.001)
        assert app.run_due() == 1
        assert ran[-1] == number


def test_celery_1151_a_test_that_ran_tasks_at_once_ignored_their_countdown(another: Opened, clock: FakeClock) -> None:
    """Also celery #2209: always_eager."""
    app, ran = another(), list[int]()
    task = ring(app, ran)
    result = task.delay(1, countdown=900)
    late = task.apply_async((2,), countdown=800, expires=850)
    assert (app.run_due(), ran, result.state) == (0, [], "scheduled")
    clock.advance(900)
    assert (app.run_due(), ran, result.state, late.state) == (1, [1], "succeeded", "expired")
