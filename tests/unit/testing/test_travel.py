"""travel(): the whole scheduler moves when a test says so, each job at its own instant, and nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time
from hourwheel import (
    InvalidValue,
    ResultTimeout,
    Retry,
    Scheduler,
    SchedulerError,
    Snooze,
    State,
    UnknownJob,
    chain,
    crontab,
    every,
    get_default,
    set_default,
    task,
)
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.testing import Due, FakeClock, Ran, Travel, travel

BERLIN = ZoneInfo("Europe/Berlin")
START = "2026-03-01 12:00"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOWHERE = "/nonexistent/tasks.json"
"""A scheduler on it can do nothing but travel."""


@pytest.fixture
def app() -> Iterator[Scheduler]:
    app = Scheduler(NOWHERE)
    yield app
    assert app.backing.store is None
    app.close()


@pytest.fixture
def t(app: Scheduler) -> Iterator[Travel]:
    with travel(app, START) as t:
        yield t
        assert app.store.check() == []


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def summary(ran: list[Ran]) -> list[tuple[Any, ...]]:
    return [((run.at - NOON).total_seconds(), *run.args, run.attempt, run.outcome) for run in ran]


# ---- stepping ------------------------------------------------------------------------------------------------


def test_each_job_runs_at_the_very_instant_at_which_it_is_due_and_none_before(app: Scheduler, t: Travel) -> None:
    seen = []

    @app.task(name="note")
    def note(number: int) -> None:
        seen.append((number, app.clock.now_ms(), t.now))

    for number, countdown in enumerate([60.001, 0.25, 3600, 60]):
        note.delay(number, countdown=countdown)
    assert t.advance(milliseconds=249) == []
    ran = t.advance(hours=1)
    assert [(run.args[0], run.at) for run in ran] == [(1, at(0.25)), (3, at(60)), (0, at(60.001)), (2, at(3600))]
    assert [now for _, _, now in seen] == [run.at for run in ran]
    assert t.now == at(3600.249)


def test_what_a_job_adds_runs_at_its_own_instant_in_the_same_advance(app: Scheduler, t: Travel) -> None:
    @app.task(name="again")
    def again(left: int) -> None:
        if left:
            again.delay(left - 1, countdown=7)
            again.delay(0)

    again.delay(3)
    t.advance(minutes=1)
    assert [(run.at - NOON).seconds for run in t.ran] == [0, 0, 7, 7, 14, 14, 21]


def test_a_job_due_at_the_end_of_the_way_is_run_and_one_a_millisecond_later_is_not(app: Scheduler, t: Travel) -> None:
    @app.task(name="note")
    def note(number: int) -> None: ...

    note.delay(1, countdown=60)
    note.delay(2, countdown=60.001)
    assert [run.args for run in t.advance(timedelta(minutes=1))] == [(1,)]
    assert [(due.args, due.at) for due in t.pending] == [((2,), at(60.001))]


def test_advance_without_arguments_runs_what_is_due_now(app: Scheduler, t: Travel) -> None:
    @app.task(name="note")
    def note() -> None: ...

    note.delay()
    assert t.ran == []
    assert t.advance() == t.ran == [Ran(task="note", args=(), kwargs={}, at=NOON, attempt=1, outcome="succeeded")]
    assert t.now == NOON


def test_what_has_run_and_what_is_pending_can_be_compared(app: Scheduler, t: Travel) -> None:
    @app.task(name="add")
    def add(a: int, *, b: int) -> int:
        return a + b

    add.delay(1, b=2)
    add.after(60).delay(3, b=4)
    assert t.pending == [
        Due(task="add", args=(1,), kwargs={"b": 2}, at=NOON, attempt=0, id="whatever"),
        Due(task="add", args=(3,), kwargs={"b": 4}, at=at(60), attempt=0, id="whatever"),
    ]
    t.advance(minutes=1)
    assert [(run.kwargs, run.result, run.error) for run in t.ran] == [({"b": 2}, 3, None), ({"b": 4}, 7, None)]
    t.clear()
    assert t.ran == t.pending == []


def test_jobs_run_in_the_thread_that_lets_time_pass(app: Scheduler, t: Travel) -> None:
    @app.task(name="where")
    def where() -> str:
        return threading.current_thread().name

    where.delay(countdown=5)
    assert t.advance(seconds=5)[0].result == threading.current_thread().name


def test_a_year_of_a_daily_job_that_plans_the_next(app: Scheduler, t: Travel) -> None:
    @app.task(name="daily")
    def daily() -> None:
        daily.delay(countdown=timedelta(days=1))

    daily.delay()
    t.to("2027-03-01 12:00")
    assert len(t.ran) == 366
    assert t.ran[-1].at == datetime(2027, 3, 1, 12, tzinfo=UTC)


# ---- the whole scheduler -------------------------------------------------------------------------------------


def test_retries_come_at_their_backoff(app: Scheduler, t: Travel) -> None:
    @app.task(name="flaky", autoretry_for=[OSError], retry_backoff=10, retry_jitter=False, max_retries=3)
    def flaky() -> None:
        raise OSError("down")

    result = flaky.delay()
    t.advance(hours=1)
    assert summary(t.ran) == [(0, 1, "retried"), (10, 2, "retried"), (30, 3, "retried"), (70, 4, "failed")]
    assert {run.error for run in t.ran} == {"OSError: down"}
    assert result.state == State.FAILED


def test_a_retry_and_a_snooze_by_hand(app: Scheduler, t: Travel) -> None:
    @app.task(name="slow", bind=True, max_retries=5)
    def slow(self: Any) -> str:
        waited = (t.now - NOON).total_seconds()
        if waited < 60:
            raise Snooze(60)
        if waited < 120:
            raise Retry(countdown=90)
        return "done"

    slow.delay()
    t.advance(minutes=5)
    assert summary(t.ran) == [(0, 1, "snoozed"), (60, 1, "retried"), (150, 2, "succeeded")]


def test_an_expired_job_and_one_that_misfired_do_not_run(app: Scheduler, t: Travel) -> None:
    @app.task(name="code", expires=300)
    def code() -> None: ...

    @app.task(name="ring", misfire="skip", misfire_grace_time=5)
    def ring() -> None: ...

    app.pause(task=code)
    app.pause(task=ring)
    late = code.delay(countdown=299)
    missed = ring.delay(countdown=10)
    t.advance(seconds=20)
    app.resume(task=ring)
    t.advance(minutes=10)
    app.resume(task=code)
    t.advance(seconds=1)
    assert t.ran == []
    assert (late.state, missed.state) == (State.EXPIRED, State.EXPIRED)


def test_a_finished_job_is_unknown_from_the_end_of_its_result_ttl_on(app: Scheduler, t: Travel) -> None:
    @app.task(name="quick", result_ttl=600)
    def quick() -> str:
        return "done"

    result = quick.delay(countdown=60)
    t.advance(seconds=659.999)
    assert (result.state, result.get()) == (State.SUCCEEDED, "done")
    t.advance(milliseconds=1)
    assert result.state == "unknown"
    with pytest.raises(UnknownJob, match="result_ttl is over"):
        result.get()
    assert app.store.scan() == []
    assert app.store.stats(app.clock.now_ms()).succeeded == 1


def test_a_job_too_finds_that_a_result_is_gone(app: Scheduler, t: Travel) -> None:
    @app.task(name="quick", result_ttl=60)
    def quick() -> None: ...

    @app.task(name="look")
    def look(id: str) -> str:
        return app.AsyncResult(id).state

    id = quick.delay().id
    look.delay(id, countdown=59)
    look.delay(id, countdown=60)
    assert [run.result for run in t.advance(hours=1)] == [None, "succeeded", "unknown"]


def test_rate_limits_space_the_runs(app: Scheduler, t: Travel) -> None:
    @app.task(name="post", rate_limit="6/m")
    def post(number: int) -> None: ...

    for number in range(4):
        post.delay(number)
    t.advance(minutes=1)
    assert summary(t.ran) == [(0, 0, 1, "succeeded"), (10, 1, 1, "succeeded"), (20, 2, 1, "succeeded"),
                              (30, 3, 1, "succeeded")]  # fmt: skip


def test_what_is_paused_waits_without_costing_a_step_a_second(app: Scheduler, t: Travel) -> None:
    @app.task(name="held")
    def held() -> None: ...

    @app.task(name="free", queue="other")
    def free() -> None: ...

    app.pause(queue="default")
    held.delay()
    free.delay(countdown=86_400)
    t.advance(days=3650)
    assert [run.task for run in t.ran] == ["free"]
    app.resume(queue="default")
    assert [run.task for run in t.advance()] == ["held"]


def test_a_task_that_nobody_knows_stays_scheduled_until_it_is_known(app: Scheduler, t: Travel) -> None:
    result = app.send_task("later.known")
    t.advance(minutes=3)
    assert result.state == State.SCHEDULED
    app.task(name="later.known")(lambda: "done")
    t.advance(minutes=1)
    assert result.get() == "done"


def test_a_chain_and_keyed_timers(app: Scheduler, t: Travel) -> None:
    @app.task(name="double")
    def double(number: int) -> int:
        return number * 2

    last = chain(double.s(1), double.s(), double.s()).delay()
    cart = double.options(key="cart", on_conflict="replace").after(600)
    cart.delay(10)
    t.advance(minutes=5)
    cart.delay(11)
    t.advance(minutes=10)
    assert last.get() == 8
    assert summary(t.ran)[3:] == [(900, 11, 1, "succeeded")]


def test_a_store_that_names_a_due_job_and_does_not_give_it_is_asked_once_a_second(app: Scheduler) -> None:
    class Torn(MemoryStore):
        asked = 0

        def next_due(self, queues: Any = None, without: Any = ()) -> int | None:
            Torn.asked += 1
            return int(NOON.timestamp() * 1000)

    with travel(app, START, store=Torn()) as t:
        assert t.advance(seconds=30) == []
        assert t.now == at(30)
    assert Torn.asked < 100


# ---- time zones ------------------------------------------------------------------------------------------------


def test_three_hours_across_the_change_of_clocks_are_three_hours(app: Scheduler) -> None:
    @app.task(name="note")
    def note() -> None: ...

    with travel(app, "2026-03-29 01:59", tz="Europe/Berlin") as t:
        note.delay(countdown=60)
        t.advance(hours=3)
        assert str(t.now) == "2026-03-29 05:59:00+02:00"
        assert [str(run.at) for run in t.ran] == ["2026-03-29 03:00:00+02:00"]


def test_to_is_a_time_of_day_in_the_zone_of_the_journey(app: Scheduler) -> None:
    with travel(app, "2026-10-24 12:00", tz=BERLIN) as t:
        t.advance(days=1)
        assert str(t.now) == "2026-10-25 11:00:00+01:00"
        t.to("2026-10-25 12:00")
        assert t.now.astimezone(UTC).hour == 11
        t.to(datetime(2026, 10, 25, 12, 0, tzinfo=UTC))
        assert t.now.hour == 13
        t.to("2026-10-25T14:00:00Z")
        assert t.now.hour == 15


def test_the_zone_is_the_schedulers_if_none_is_given() -> None:
    app = Scheduler(NOWHERE, timezone="Asia/Shanghai")
    with travel(app, "2026-03-01 08:00") as t:
        assert t.now.astimezone(UTC).hour == 0
    app.close()


@pytest.mark.parametrize("when", ["soon", "2026-13-01", datetime(2026, 4, 1), 5, None])  # noqa: DTZ001 - naive on purpose
def test_what_is_no_instant_is_refused(t: Travel, when: Any) -> None:
    with pytest.raises(InvalidValue, match="when must be"):
        t.to(when)


@pytest.mark.parametrize("move", [lambda t: t.to("2026-03-01 11:59"), lambda t: t.advance(seconds=-1),
                                  lambda t: t.advance(timedelta(-1)), lambda t: t.advance(60)])  # fmt: skip
def test_time_does_not_go_back_and_a_bare_number_is_no_length(t: Travel, move: Any) -> None:
    with pytest.raises(InvalidValue):
        move(t)
    assert t.now == NOON


# ---- schedules -------------------------------------------------------------------------------------------------


def test_a_crontab_over_both_changes_of_clocks_fires_once_a_day() -> None:
    app = Scheduler(NOWHERE, timezone="Europe/Berlin")

    @app.periodic(crontab("30 2 * * *"), name="nightly")
    def nightly() -> None: ...

    with travel(app, "2026-03-27 12:00") as t:
        t.to("2026-03-31 12:00")
        assert [str(run.at) for run in t.ran] == [
            "2026-03-28 02:30:00+01:00",
            "2026-03-29 03:00:00+02:00",
            "2026-03-30 02:30:00+02:00",
            "2026-03-31 02:30:00+02:00",
        ]
    with travel(app, "2026-10-24 12:00") as t:
        t.to("2026-10-26 12:00")
        assert [str(run.at) for run in t.ran] == ["2026-10-25 02:30:00+02:00", "2026-10-26 02:30:00+01:00"]
    app.close()


def test_every_fires_at_each_of_its_instants_however_far_one_travels_at_once(app: Scheduler) -> None:
    @app.periodic(every(minutes=15), name="quarter")
    def quarter() -> None: ...

    with travel(app, "2026-03-01 11:59:59") as t:
        assert [(due.task, due.at, due.id) for due in t.pending] == [("quarter", NOON, "quarter@2026-03-01T12:00:00Z")]
        t.advance(days=7)
        assert [run.at for run in t.ran] == [at(900 * number) for number in range(7 * 96)]
        assert app.store.check() == []


def test_each_journey_has_its_own_fires_and_the_app_none_of_them(tmp_path: Path) -> None:
    app = Scheduler(tmp_path / "tasks.json", clock=FakeClock(NOON), durability="os")

    @app.periodic(every(hours=1), name="hourly")
    def hourly() -> None: ...

    app.run_due()
    before = [job.id for job in app.store.scan()]
    for year in (2030, 2020):
        with travel(app, datetime(year, 1, 1, tzinfo=UTC)) as t:
            assert len(t.advance(days=1)) == 24
    assert [job.id for job in app.store.scan()] == before == ["hourly@2026-03-01T13:00:00Z"]
    app.clock.advance(3600)  # type: ignore[attr-defined]
    assert app.run_due() == 1
    app.close()


def test_a_schedule_that_is_made_paused_resumed_or_removed_on_the_way(app: Scheduler, t: Travel) -> None:
    @app.task(name="note")
    def note() -> None: ...

    app.add_periodic_task(every(hours=1), note.s(), name="hourly")
    assert len(t.advance(hours=3)) == 3
    app.pause_schedule("hourly")
    assert t.advance(days=2) == []
    app.resume_schedule("hourly")
    assert [run.at for run in t.advance(hours=1)] == [NOON + timedelta(hours=52)]
    app.run_schedule("hourly")
    assert [run.at for run in t.advance()] == [NOON + timedelta(hours=52)]
    app.remove_schedule("hourly")
    assert t.advance(days=2) == t.pending == []


@pytest.mark.parametrize("where", ["outside", "in a job"])
def test_a_fire_that_was_cancelled_is_planned_anew(app: Scheduler, t: Travel, where: str) -> None:
    @app.periodic(every(days=1), name="daily")
    def daily() -> None: ...

    @app.task(name="cancel")
    def cancel() -> None:
        app.AsyncResult("daily@2026-03-03T00:00:00Z").cancel()

    t.advance(days=1)
    (cancel if where == "outside" else cancel.after(60).delay)()
    t.advance(days=3)
    assert [run.at.day for run in t.ran if run.task == "daily"] == [2, 4, 5]


def test_misfires_of_a_schedule(app: Scheduler, t: Travel) -> None:
    @app.task(name="note")
    def note() -> None: ...

    for misfire in ("coalesce", "each", "skip"):
        app.add_periodic_task(every(hours=1), note.s(), name=misfire, misfire=misfire)
    t.advance(minutes=1)
    app.pause(task="note")
    t.advance(minutes=250)
    app.resume(task="note")
    t.advance()
    names = [run.id.partition("@")[0] for run in t.ran]
    assert [names.count(misfire) for misfire in ("coalesce", "each", "skip")] == [1, 4, 0]


# ---- waiting ---------------------------------------------------------------------------------------------------


def test_waiting_for_a_result_lets_time_pass_until_it_is_there(app: Scheduler, t: Travel) -> None:
    @app.task(name="note")
    def note(number: int) -> int:
        return number

    results = app.schedule_many(note, [((1,), {}), ((2,), {})], countdown=86_400)
    assert results.get() == [1, 2]
    assert t.now == at(86_400)


def test_get_gives_up_at_its_timeout_in_the_journeys_time(app: Scheduler, t: Travel) -> None:
    @app.task(name="note")
    def note() -> str:
        return "done"

    result = note.delay(countdown=60)
    with pytest.raises(ResultTimeout):
        result.get(timeout=59.5)
    assert t.now == at(59.5)
    assert result.get(timeout=1) == "done"
    assert t.now == at(60)


def test_waiting_for_what_can_never_end_is_an_error_and_no_hang(app: Scheduler, t: Travel) -> None:
    @app.task(name="note")
    def note() -> None: ...

    app.pause(task=note)
    with pytest.raises(SchedulerError, match="will never end"):
        note.delay().get()


def test_a_job_may_wait_for_another(app: Scheduler, t: Travel) -> None:
    @app.task(name="inner")
    def inner() -> str:
        return "inner"

    @app.task(name="outer")
    def outer() -> str:
        return inner.delay(countdown=10).get() + " and outer"

    assert outer.delay().get() == "inner and outer"
    assert [(run.task, run.at) for run in t.ran] == [("inner", at(10)), ("outer", NOON)]


def test_a_job_that_waits_for_itself_fails_and_does_not_hang(app: Scheduler, t: Travel) -> None:
    @app.task(name="own", bind=True)
    def own(self: Any) -> None:
        app.AsyncResult(self.request.id).get()

    own.delay()
    assert "Deadlock" in (t.advance()[0].error or "")


def test_from_a_coroutine(app: Scheduler, t: Travel) -> None:
    @app.task(name="nap")
    async def nap(number: int) -> int:
        await asyncio.sleep(0)
        return number

    async def main() -> list[Any]:
        first, second = await nap.adelay(1, countdown=60), await nap.adelay(2, countdown=120)
        ran = await t.aadvance(minutes=1)
        assert not second.ready()
        assert await t.ato("2026-03-01 12:01:30") == []
        return [ran[0].result, await first.aget(), await second.aget()]

    assert asyncio.run(main()) == [1, 1, 2]
    assert t.now == at(120)


# ---- never for ever --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("countdown", [None, 0.001])
def test_jobs_that_add_each_other_for_ever_are_an_error_with_their_name(app: Scheduler, countdown: Any) -> None:
    @app.task(name="endless")
    def endless() -> None:
        endless.delay(countdown=countdown)

    with travel(app, START, most=50) as t:
        endless.delay()
        with pytest.raises(SchedulerError, match="more than 50 runs in one call, and endless"):
            t.advance(hours=1)
        assert len(t.ran) == 50
        assert app.store.check() == []
        assert [due.attempt for due in t.pending] == [0]


def test_the_limit_counts_from_zero_at_each_advance(app: Scheduler) -> None:
    @app.task(name="tick")
    def tick() -> None:
        tick.delay(countdown=60)

    with travel(app, START, most=60) as t:
        tick.delay(countdown=60)
        for _ in range(5):
            assert len(t.advance(hours=1)) == 60


def test_an_interrupt_gets_through_and_the_job_is_recorded(app: Scheduler, t: Travel) -> None:
    @app.task(name="stop")
    def stop() -> None:
        raise KeyboardInterrupt

    stop.delay()
    with pytest.raises(KeyboardInterrupt):
        t.advance()
    assert [run.outcome for run in t.ran] == ["failed"]


# ---- in and out ------------------------------------------------------------------------------------------------


def test_the_app_is_afterwards_as_it_was_also_after_an_exception(tmp_path: Path) -> None:
    clock = FakeClock()
    first = Scheduler(NOWHERE)  # the default
    app = Scheduler(tmp_path / "tasks.json", clock=clock, durability="os")

    @app.task(name="note")
    def note() -> None: ...

    real = note.delay()
    before = [app.clock, app.backing.store, app.backing.url, app.life.runner, app.life.ticker]
    with pytest.raises(ZeroDivisionError), travel(app, "2030-01-01"):
        assert real.state == "unknown"
        assert get_default() is app
        note.delay()
        raise ZeroDivisionError
    assert [app.clock, app.backing.store, app.backing.url, app.life.runner, app.life.ticker] == before
    assert get_default() is first
    assert app.clock is clock
    assert [job.id for job in app.store.scan()] == [real.id]
    assert app.run_due() == 1
    app.close()
    first.close()


def test_the_apps_file_is_not_touched_not_even_by_close_and_start(app: Scheduler) -> None:
    @app.task(name="note")
    def note() -> str:
        return "done"

    with travel(app, START) as t:
        threads = set(threading.enumerate())
        app.start()
        assert app.running
        with app:
            result = note.delay()
            assert t.ran == []
        t.advance()
        app.close()
        assert result.get() == "done"
        assert set(threading.enumerate()) <= threads  # one that an earlier test has left may end meanwhile
    assert not app.running


def test_when_it_is_over_what_has_run_can_be_looked_at_and_nothing_can_be_run(app: Scheduler) -> None:
    @app.task(name="note")
    def note() -> None: ...

    with travel(app, START) as t:
        note.delay()
        t.advance()
    assert len(t.ran) == 1
    for act in (t.advance, lambda: t.to(at(60)), lambda: t.pending):
        with pytest.raises(SchedulerError, match="this travel.. has ended"):
            act()


def test_afterwards_it_can_be_started() -> None:
    app = Scheduler(MemoryStore(), workers=1)

    @app.task(name="note")
    def note() -> str:
        return "done"

    with travel(app):
        pass
    with app:
        assert note.delay().get(timeout=5) == "done"
    with travel(app) as t:
        note.delay()
        assert len(t.advance()) == 1
    app.close()


def test_a_scheduler_that_runs_does_not_travel() -> None:
    app = Scheduler(MemoryStore(), workers=1)
    with app:
        with pytest.raises(SchedulerError, match=r"is running: stop\(\) it first"), travel(app):
            pass
        assert app.running
    app.close()


def test_a_scheduler_travels_once_at_a_time(app: Scheduler, t: Travel) -> None:
    with pytest.raises(SchedulerError, match="is in travel.. already"), travel(app):
        pass
    assert t.now == NOON


@pytest.mark.parametrize(
    ("args", "options", "says"),
    [
        (["app"], {}, "app must be a Scheduler"),
        ([None, "noon"], {}, "start must be a date"),
        ([None, datetime(2026, 1, 1)], {}, "start must be an aware datetime"),  # noqa: DTZ001 - naive on purpose
        ([None], {"tz": "Mars/Olympus"}, "timezone must be"),
        ([None], {"most": 0}, "most must be"),
        ([None], {"most": True}, "most must be"),
    ],
)
def test_what_breaks_a_rule_is_refused_and_changes_nothing(
    app: Scheduler, args: list[Any], options: Any, says: str
) -> None:
    clock = app.clock
    with pytest.raises(InvalidValue, match=says), travel(args[0] or app, *args[1:], **options):
        pass
    assert app.clock is clock


def test_shared_tasks_are_carried_by_the_scheduler_that_travels(app: Scheduler) -> None:
    other = Scheduler(NOWHERE)
    set_default(other)

    @task(name="shared")
    def shared() -> str:
        return "done"

    with travel(app, START) as t:
        shared.delay(countdown=60)
        assert [run.result for run in t.advance(minutes=1)] == ["done"]
    assert get_default() is other
    other.close()


def test_two_schedulers_travel_at_once_each_by_its_own_clock(app: Scheduler) -> None:
    other = Scheduler(NOWHERE)
    with travel(app, "2026-01-01") as one, travel(other, "2030-01-01") as two:
        two.advance(days=1)
        assert (one.now.year, two.now.day) == (2026, 2)
    other.close()


def test_a_store_of_ones_own_is_used_and_left_open(app: Scheduler, tmp_path: Path) -> None:
    store = JsonStore(tmp_path / "tasks.json", durability="os")

    @app.task(name="note")
    def note() -> None: ...

    with travel(app, START, store=store) as t:
        note.delay(countdown=60)
        t.advance(minutes=1)
    assert store.check() == []
    assert store.stats(0).succeeded == 1
    store.close()


def test_without_a_start_it_begins_at_the_present_of_the_app_and_stands_still() -> None:
    app = Scheduler(NOWHERE, clock=FakeClock(NOON))
    with travel(app) as t:
        assert t.now == NOON
    app.close()


def test_a_journey_says_where_it_is(app: Scheduler, t: Travel) -> None:
    assert repr(t) == f"<Travel of {app!r}, now 2026-03-01 12:00:00+00:00, 0 runs>"


# ---- freezegun -------------------------------------------------------------------------------------------------


def test_freezegun_is_moved_along_so_that_jobs_see_their_instant_in_datetime_now(app: Scheduler) -> None:
    @app.task(name="when")
    def when() -> str:
        return datetime.now(UTC).isoformat()

    with freeze_time("2020-01-01") as frozen, travel(app, START, frozen=frozen) as t:
        when.delay(countdown=0.25)
        when.delay(countdown=3600)
        assert [run.result for run in t.advance(hours=2)] == ["2026-03-01T12:00:00.250000+00:00",
                                                              "2026-03-01T13:00:00+00:00"]  # fmt: skip
        assert datetime.now(UTC) == t.now == at(7200)
        when.delay(countdown=60)
        frozen.tick(60)
        assert app.run_due() == 1
        assert t.ran[-1].at == at(7260)


def test_within_freeze_time_a_journey_begins_at_the_frozen_instant(app: Scheduler) -> None:
    with freeze_time(NOON), travel(app) as t:
        assert t.now == NOON
