"""eager(): what is due runs at once, where it is called; what has a countdown waits, as it would anywhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time
from hourwheel import AsyncResult, InvalidValue, JobFailed, Scheduler, SchedulerError, State, group
from hourwheel.testing import FakeClock, Travel, eager, travel

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOWHERE = "/nonexistent/tasks.json"


@pytest.fixture
def app() -> Iterator[Scheduler]:
    app = Scheduler(NOWHERE)
    yield app
    assert app.backing.store is None
    app.close()


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_call_that_is_due_has_run_when_it_returns(app: Scheduler) -> None:
    @app.task(name="double")
    def double(number: int) -> int:
        return number * 2

    with eager(app) as t:
        result = double.delay(4)
        assert type(result) is AsyncResult
        assert (result.state, result.result, result.get(timeout=0)) == (State.SUCCEEDED, 8, 8)
        assert [run.args for run in t.ran] == [(4,)]


@pytest.mark.parametrize("start", [None, NOON], ids=["from the present", "from a given instant"])
def test_a_call_with_a_countdown_or_an_eta_waits_for_its_time(app: Scheduler, start: datetime | None) -> None:
    @app.task(name="note")
    def note(number: int) -> int:
        return number

    with eager(app, start) as t:
        later = [
            note.delay(1, countdown=900),
            note.apply_async((2,), eta=t.now + timedelta(hours=1)),
            note.after(60).delay(3),
        ]
        assert [one.state for one in later] == [State.SCHEDULED] * 3
        assert note.delay(4).get(timeout=0) == 4
        assert [run.args for run in t.advance(minutes=15)] == [(3,), (1,)]
        assert later[1].get() == 2


def test_a_countdown_of_the_tasks_own_is_honoured_and_an_eta_that_has_passed_is_due(app: Scheduler) -> None:
    @app.task(name="later", countdown=30)
    def later() -> None: ...

    with eager(app, NOON) as t:
        assert later.delay().state == State.SCHEDULED
        assert later.at(at(-60)).delay().state == State.SUCCEEDED
        t.advance(seconds=30)
        assert [run.at for run in t.ran] == [NOON, at(30)]


def test_a_failure_is_in_the_result_and_not_in_the_callers_way(app: Scheduler) -> None:
    @app.task(name="broken")
    def broken() -> None:
        raise ValueError("no")

    with eager(app):
        result = broken.delay()
        assert result.failed()
        with pytest.raises(JobFailed, match="ValueError: no"):
            result.get()


def test_retries_wait_for_their_time_too(app: Scheduler) -> None:
    @app.task(name="flaky", autoretry_for=[OSError], default_retry_delay=60, max_retries=1)
    def flaky() -> None:
        raise OSError

    with eager(app, NOON) as t:
        result = flaky.delay()
        assert (result.state, len(t.ran)) == (State.SCHEDULED, 1)
        t.advance(minutes=1)
        assert [(run.at, run.outcome) for run in t.ran] == [(NOON, "retried"), (at(60), "failed")]


def test_what_a_job_adds_runs_when_it_has_ended_or_when_it_waits_for_it(app: Scheduler) -> None:
    order = []

    @app.task(name="inner")
    def inner(number: int) -> int:
        order.append(f"inner {number}")
        return number

    @app.task(name="outer")
    def outer() -> int:
        inner.delay(1)
        order.append("outer")
        return inner.delay(2).get()

    with eager(app):
        assert outer.delay().get() == 2
        assert order == ["outer", "inner 1", "inner 2"]


def test_many_that_add_each_other_do_not_exhaust_the_stack(app: Scheduler) -> None:
    @app.task(name="down")
    def down(left: int) -> None:
        if left:
            down.delay(left - 1)

    with eager(app) as t:
        down.delay(3_000)
        assert len(t.ran) == 3_001


def test_endless_ones_are_an_error_at_the_call(app: Scheduler) -> None:
    @app.task(name="endless")
    def endless() -> None:
        endless.delay()

    with eager(app, most=20), pytest.raises(SchedulerError, match="more than 20 runs"):
        endless.delay()


def test_groups_and_many_at_once(app: Scheduler) -> None:
    @app.task(name="double")
    def double(number: int) -> int:
        return number * 2

    with eager(app):
        assert group(double.s(number) for number in range(3)).delay().get() == [0, 2, 4]
        assert app.schedule_many(double, [((5,), {}), ((6,), {})]).get(timeout=0) == [10, 12]


def test_what_was_paused_runs_when_it_goes_on(app: Scheduler) -> None:
    @app.task(name="note")
    def note() -> None: ...

    with eager(app):
        app.pause(task=note)
        result = note.delay()
        assert result.state == State.SCHEDULED
        app.resume(task=note)
        assert result.state == State.SUCCEEDED


def test_coroutine_functions_run_too_and_may_call_others(app: Scheduler) -> None:
    @app.task(name="inner")
    def inner() -> str:
        return threading.current_thread().name

    @app.task(name="outer")
    async def outer() -> str:
        result = await inner.adelay()
        return str(await result.aget())

    with eager(app):
        outer.delay().get(timeout=5)


def test_calls_from_several_threads_all_run(app: Scheduler) -> None:
    @app.task(name="note")
    def note(number: int) -> int:
        return number

    def call(first: int) -> None:
        for number in range(first, first + 50):
            note.delay(number)

    with eager(app) as t:
        threads = [threading.Thread(target=call, args=(first,)) for first in (0, 50, 100, 150)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(run.args[0] for run in t.ran) == list(range(200))
        assert t.pending == []


def test_part_of_a_journey_may_be_eager(app: Scheduler) -> None:
    @app.task(name="note")
    def note() -> None: ...

    with travel(app, NOON) as t:
        before = note.delay()
        with eager(app) as same:
            assert same is t
            during = note.delay()
        after = note.delay()
        assert [one.state for one in (before, during, after)] == ["succeeded", "succeeded", "scheduled"]
        with pytest.raises(InvalidValue, match=r"the scheduler is in travel\(\) already"), eager(app, NOON):
            pass
        assert not t.eager
    with travel(app, NOON, eager=True):
        assert note.delay().ready()


def test_afterwards_calls_wait_again() -> None:
    app = Scheduler("memory:", clock=FakeClock(NOON))

    @app.task(name="note")
    def note() -> None: ...

    with pytest.raises(ZeroDivisionError), eager(app):
        raise ZeroDivisionError
    assert note.delay().state == State.SCHEDULED
    assert app.run_due() == 1
    app.close()


# ---- freezegun -------------------------------------------------------------------------------------------------


def test_under_freezegun_time_is_ticked_and_what_is_due_is_run_by_run_due(app: Scheduler) -> None:
    @app.task(name="when")
    def when() -> str:
        return datetime.now(UTC).isoformat()

    with freeze_time(NOON) as frozen, eager(app) as t:
        assert when.delay().get(timeout=0) == "2026-03-01T12:00:00+00:00"
        result = when.delay(countdown=900)
        frozen.tick(899)
        assert app.run_due() == 0
        frozen.move_to(at(900))
        assert app.run_due() == 1
        assert result.get(timeout=0) == "2026-03-01T12:15:00+00:00"
        assert [run.at for run in t.ran] == [NOON, at(900)]


@pytest.mark.parametrize("microsecond", [0, 1_000, 999_000, 123_457])
def test_under_freezegun_a_countdown_and_as_long_an_advance_meet(app: Scheduler, microsecond: int) -> None:
    @app.task(name="note")
    def note() -> None: ...

    with freeze_time(NOON.replace(microsecond=microsecond)) as frozen, eager(app, frozen=frozen) as t:
        note.delay(countdown=0.25)
        t.advance(milliseconds=251 if microsecond % 1000 else 250)  # what is no whole millisecond is rounded up
        assert len(t.ran) == 1


def test_a_fake_clock_of_the_apps_own_is_followed() -> None:
    clock = FakeClock(NOON)
    app = Scheduler("memory:", clock=clock)

    @app.task(name="note")
    def note() -> None: ...

    with eager(app) as t:
        note.delay(countdown=60)
        clock.advance(60)
        assert (app.run_due(), t.now) == (1, at(60))
        t.advance(seconds=60)
        assert (t.now, clock.now_ms()) == (at(120), int(at(60).timestamp() * 1000))
    app.close()


def test_run_due_for_another_moment_is_on_record_with_it(app: Scheduler) -> None:
    @app.task(name="note")
    def note() -> None: ...

    with eager(app, NOON) as t:
        note.delay(countdown=60)
        assert app.run_due(now=at(60)) == 1
        assert [run.at for run in t.ran] == [at(60)]


def test_it_is_a_journey(app: Scheduler) -> None:
    with eager(app, "2026-03-01 13:00", tz="Europe/Berlin") as t:
        assert isinstance(t, Travel)
        assert t.now == NOON
