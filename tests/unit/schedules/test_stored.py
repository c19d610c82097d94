"""Schedules as data: added, changed, paused and removed at run time, seen by all processes, there after a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hourwheel import (
    InvalidValue,
    Job,
    PayloadError,
    Schedule,
    Scheduler,
    State,
    Task,
    UnknownSchedule,
    crontab,
    current_job,
    every,
)
from hourwheel.clock import MAX_MS
from hourwheel.schedules.stored import DEFINITION, find_definition
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.testing import FakeClock, travel

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
Processes = Callable[..., Scheduler]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def ran() -> list[Any]:
    """What has been called: (the schedule's name, seconds since NOW, *arguments)."""
    return []


@pytest.fixture
def process(tmp_path: Path, clock: FakeClock, ran: list[Any]) -> Iterator[Processes]:
    """A scheduler in a process of its own, so to speak: with its own open store, with or without the task "send"."""
    opened: list[JsonStore] = []

    def process(*, knows: bool = True) -> Scheduler:
        opened.append(JsonStore(tmp_path / "tasks.json", durability="os", clock=clock))
        app = Scheduler(opened[-1], clock=clock, timezone="Europe/Berlin")

        def send(*args: Any, **kwargs: Any) -> None:
            job = current_job()
            assert job is not None
            name = job.fire.schedule if job.fire is not None else None
            ran.append((name, round((clock.now_ms() / 1000) - NOW.timestamp()), *args, *kwargs.items()))

        if knows:
            app.task(name="send")(send)
        return app

    yield process
    for store in opened:
        assert store.check() == []
        store.close()


def pending(app: Scheduler) -> list[Job]:
    return [job for job in app.store.scan() if job.state is State.SCHEDULED and job.task != DEFINITION]


def steps(clock: FakeClock, seconds: int, *apps: Scheduler) -> None:
    for _ in range(seconds):
        clock.advance(1)
        for app in apps:
            app.run_due()


# ---- adding ------------------------------------------------------------------------------------------------


def test_a_schedule_that_is_added_at_run_time_fires_in_every_process_once(
    process: Processes, clock: FakeClock, ran: list[Any]
) -> None:
    one, other = process(), process()
    for app in (one, other):
        app.run_due()
    made = one.schedules.add("a", every(10), "send", (1,), {"text": "x"})
    assert (made.name, made.words, made.task, made.args, made.kwargs) == (
        "a",
        "every 10 seconds",
        "send",
        (1,),
        {"text": "x"},
    )
    assert (made.stored, made.registered, made.paused) == (True, True, False)
    assert made.next_at == NOW + timedelta(seconds=10)
    assert other.schedules == [made]
    steps(clock, 20, other, one)
    assert ran == [("a", 10, 1, ("text", "x")), ("a", 20, 1, ("text", "x"))]


def test_it_is_there_after_a_restart_and_needs_nothing_from_the_code(
    process: Processes, clock: FakeClock, ran: list[Any]
) -> None:
    app = process()
    app.schedules.add(
        "a", crontab("0 10 * * *"), app.registry.get("send"), max_instances=1, queue="default", misfire="skip"
    )
    clock.advance(7 * 86_400)
    later = process()
    assert [(one.name, one.spec) for one in later.schedules] == [("a", "crontab 0 0 10 * * * Europe/Berlin")]
    later.run_due()
    assert [job.reason for job in later.store.scan() if job.state is State.CANCELLED] != [], "the week that it missed"
    clock.advance(3_600)
    later.run_due()
    assert [one[:2] for one in ran] == [("a", 7 * 86_400 + 3_600)]


def test_what_is_stored_is_data_with_a_version(process: Processes) -> None:
    app = process()
    app.schedules.add("a", every(weeks=2, on="mon", at="07:30"), "send", [1], misfire_grace_time=5, priority=3)
    definition = find_definition(app.store, "a")
    assert definition is not None
    assert (definition.task, definition.due_ms, definition.args) == (DEFINITION, MAX_MS, ())
    assert definition.kwargs == {
        "version": 1, "schedule": "every 2 weeks on mon at 07:30:00 Europe/Berlin", "task": "send", "args": [1],
        "options": {"priority": 3}, "misfire_grace_time": 5,
    }  # fmt: skip
    assert [(job.task, job.priority) for job in pending(app)] == [("send", 3)]


@pytest.mark.parametrize(
    ("told", "error", "rule"),
    [
        ({"name": ""}, InvalidValue, "name must be 1 to"),
        ({"when": "5 minutes"}, InvalidValue, r"schedule must be hourwheel's every\(...\)"),
        ({"when": every(5, end=NOW)}, InvalidValue, "schedule must be one that fires from now on"),
        ({"task": len}, InvalidValue, "task must be a task, or the name of one"),
        ({"args": "ab"}, InvalidValue, "args must be a list or tuple"),
        ({"args": (NOW,)}, PayloadError, "datetime"),
        ({"countdown": 5}, InvalidValue, "countdown must be left out of a schedule"),
        ({"key": "k"}, InvalidValue, "key and task_id must be left out"),
        ({"expires": timedelta(seconds=5)}, PayloadError, "timedelta"),
        ({"quue": "mail"}, InvalidValue, "option must be one of"),
        ({"misfire": "never"}, InvalidValue, "misfire must be"),
        ({"max_instances": 0}, InvalidValue, "max_instances must be"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_stored(
    process: Processes, told: dict[str, Any], error: type[Exception], rule: str
) -> None:
    app = process()
    with pytest.raises(error, match=rule):
        app.schedules.add(**{"name": "a", "when": every(5), "task": "send", **told})
    assert app.schedules == []
    assert app.store.scan() == []


def test_arguments_that_a_known_task_does_not_take_are_refused_at_the_call(process: Processes) -> None:
    app = process()
    app.task(name="none")(lambda: None)
    with pytest.raises(TypeError):
        app.schedules.add("a", every(5), "none", (1,))
    assert app.store.scan() == []


def test_a_schedule_of_the_users_own_class_cannot_be_stored(process: Processes) -> None:
    class Odd:
        spec = "every 5000 s"

        def after(self, ms: int) -> int | None:
            return ms + 5_000

        def localized(self, zone: Any) -> Schedule:
            return self

    app = process()
    with pytest.raises(InvalidValue, match="other schedules are code and cannot be stored"):
        app.schedules.add("a", Odd(), "send")


# ---- names -------------------------------------------------------------------------------------------------


def test_a_name_that_is_taken_is_refused_whoever_has_it(process: Processes, clock: FakeClock) -> None:
    one, other = process(), process()
    one.schedules.add("a", every(5), "send")
    with pytest.raises(InvalidValue, match=r"name must be new: the store has a schedule of that name; change\(\) or"):
        other.schedules.add("a", every(7), "send")
    other.periodic(every(5), name="coded")(lambda: None)
    with pytest.raises(InvalidValue, match="name must be new: the code has a schedule of that name"):
        other.schedules.add("coded", every(7), "send")
    other.run_due()
    with pytest.raises(InvalidValue, match="name must be new: the code of another process has a schedule of that name"):
        one.schedules.add("coded", every(7), "send")
    assert [(one.name, one.stored) for one in other.schedules] == [("a", True), ("coded", False)]


def test_code_that_has_the_name_of_a_stored_one_is_told_so_and_does_not_fire(
    process: Processes, clock: FakeClock, ran: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    app = process()
    app.schedules.add("a", every(10), "send")
    coded = process()
    coded.periodic(every(5), name="a")(lambda: ran.append("code"))
    steps(clock, 40, coded)
    assert [one[:2] for one in ran] == [("a", 10), ("a", 20), ("a", 30), ("a", 40)]
    told = [record.message for record in caplog.records if "does not fire" in record.message]
    assert len(told) == 1
    assert "hourwheel schedules remove a" in told[0]
    assert coded.schedules.remove("a")
    steps(clock, 40, coded)
    assert "code" in ran


# ---- changing ----------------------------------------------------------------------------------------------


def test_a_change_of_the_times_moves_the_next_fire(process: Processes, clock: FakeClock, ran: list[Any]) -> None:
    one, other = process(), process()
    one.schedules.add("a", every(10), "send", (1,))
    changed = other.schedules.change("a", when=every(7))
    assert (changed.words, changed.args) == ("every 7 seconds", (1,))
    assert len(pending(one)) == 1
    steps(clock, 20, one, other)
    assert [one[1] for one in ran] == [3, 10, 17]
    back = other.schedules.change("a", when=every(10))
    assert back.next_at == NOW + timedelta(seconds=30)


def test_a_change_back_does_not_skip_the_fire_that_was_there_before(process: Processes, clock: FakeClock) -> None:
    app = process()
    app.schedules.add("a", crontab("0 12 * * *"), "send")
    app.schedules.change("a", when=crontab("0 13 * * *"))
    back = app.schedules.change("a", when=crontab("0 12 * * *"))
    assert back.next_at == datetime(2026, 12, 1, 11, tzinfo=UTC)
    app.schedules.remove("a")
    again = app.schedules.add("a", crontab("0 12 * * *"), "send")
    assert again.next_at == datetime(2026, 12, 1, 11, tzinfo=UTC)


def test_a_change_of_the_call_applies_to_the_fire_that_is_pending(
    process: Processes, clock: FakeClock, ran: list[Any]
) -> None:
    app, other = process(), process()
    app.schedules.add("a", every(10), "send", (1,), misfire="each", max_instances=3, priority=2)
    app.schedules.change("a", args=(2,), kwargs={"n": 1})
    steps(clock, 10, other)
    assert ran == [("a", 10, 2, ("n", 1))]
    definition = find_definition(app.store, "a")
    assert definition is not None
    kept = {name: definition.kwargs[name] for name in ("misfire", "max_instances", "options")}
    assert kept == {"misfire": "each", "max_instances": 3, "options": {"priority": 2}}


def test_what_is_not_there_cannot_be_changed_and_a_wrong_change_changes_nothing(process: Processes) -> None:
    app = process()
    app.periodic(every(5), name="coded")(lambda: None)
    with pytest.raises(UnknownSchedule, match="the store has no schedule named 'a'"):
        app.schedules.change("a", args=(1,))
    with pytest.raises(UnknownSchedule, match="that of the code is changed there"):
        app.schedules.change("coded", args=(1,))
    before = app.schedules.add("a", every(10), "send", (1,))
    with pytest.raises(InvalidValue):
        app.schedules.change("a", when=every(5, end=NOW))
    with pytest.raises(InvalidValue):
        app.schedules.change("a", misfire="never")  # type: ignore[arg-type]
    assert app.schedules.get("a") == before


def test_a_change_while_a_fire_is_being_claimed_does_not_make_two_chains(
    process: Processes, clock: FakeClock, ran: list[Any]
) -> None:
    app, other = process(), process()
    app.schedules.add("a", every(10), "send")
    clock.advance(10)
    claims = other.store.claim(other.owner, clock.now_ms(), 10)
    follow = other.fires.follow
    app.schedules.change("a", when=every(4))
    run, _ = follow(claims, other.store, clock.now_ms(), other.on)
    assert len(run) == 1
    assert [job.id for job in pending(app)] == ["a@2026-12-01T08:00:12Z"]


# ---- pausing, resuming, removing, running now --------------------------------------------------------------


def test_it_is_paused_and_resumed_in_all_processes(process: Processes, clock: FakeClock, ran: list[Any]) -> None:
    one, other = process(), process()
    one.schedules.add("a", every(10), "send")
    assert other.schedules.pause("a")
    assert not one.schedules.pause("a")
    assert one.schedules[0].paused
    steps(clock, 25, one, other)
    assert ran == []
    assert one.schedules.resume("a")
    steps(clock, 5, one, other)
    assert [one[:2] for one in ran] == [("a", 30)]


def test_a_new_one_of_the_name_of_one_that_was_paused_and_removed_is_not_paused(process: Processes) -> None:
    app = process()
    app.schedules.add("a", every(10), "send")
    app.schedules.pause("a")
    app.schedules.remove("a")
    assert not app.schedules.add("a", every(10), "send").paused


def test_while_the_last_run_of_a_removed_one_goes_on_its_name_is_taken(process: Processes, clock: FakeClock) -> None:
    app = process()
    app.schedules.add("a", every(10, end=NOW + timedelta(seconds=10)), "send")
    clock.advance(10)
    app.store.claim(app.owner, clock.now_ms(), 1)
    app.schedules.remove("a")
    with pytest.raises(InvalidValue, match="name must be new: a run of a removed schedule of that name has not ended"):
        app.schedules.add("a", every(10), "send")


def test_removed_it_fires_no_more_anywhere(process: Processes, clock: FakeClock, ran: list[Any]) -> None:
    one, other = process(), process()
    one.schedules.add("a", every(10), "send")
    steps(clock, 10, one, other)
    assert other.schedules.remove("a")
    with pytest.raises(UnknownSchedule):
        one.schedules.remove("a")
    assert one.schedules == []
    assert one.schedules.get("a") is None
    steps(clock, 100, one, other)
    assert len(ran) == 1
    assert pending(one) == []


def test_removed_while_a_fire_is_being_claimed_it_ends_with_the_next(
    process: Processes, clock: FakeClock, ran: list[Any]
) -> None:
    app, other = process(), process()
    app.schedules.add("a", every(10), "send")
    clock.advance(10)
    claims = other.store.claim(other.owner, clock.now_ms(), 10)
    definition = find_definition(other.store, "a")
    with pytest.MonkeyPatch.context() as patched:  # it has read the definition, and now it is removed
        patched.setattr("hourwheel.schedules.fires.find_definition", lambda store, name: definition)
        app.schedules.remove("a")
        other.fires.follow(claims, other.store, clock.now_ms(), other.on)
    assert len(pending(app)) == 1
    steps(clock, 30, app)
    assert pending(app) == []
    assert ran == []
    skipped = [job.reason for job in app.store.scan() if job.state is State.CANCELLED and job.task == "send"]
    assert "skipped: its schedule was removed" in skipped


def test_it_is_run_now_beside_its_fires(process: Processes, ran: list[Any]) -> None:
    app = process()
    app.schedules.add("a", every(10), "send", (7,))
    app.schedules.run("a")
    app.run_due()
    assert ran == [(None, 0, 7)]


# ---- what goes wrong ---------------------------------------------------------------------------------------


def test_a_task_that_nobody_has_is_shown_as_unregistered_and_its_fire_waits(
    process: Processes, clock: FakeClock, ran: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    without = process(knows=False)
    assert not without.schedules.add("a", every(10), "send").registered
    steps(clock, 35, without)
    assert [(job.id, job.state) for job in pending(without)] == [("a@2026-12-01T08:00:10Z", State.SCHEDULED)]
    assert [(one.name, one.registered) for one in without.schedules] == [("a", False)]
    assert caplog.text.count("waits for a process that has its task send") == 1
    knowing = process()
    knowing.run_due()
    assert ran == [("a", 35)]
    assert knowing.schedules[0].registered


def test_a_process_that_gets_the_task_later_runs_it(process: Processes, clock: FakeClock, ran: list[Any]) -> None:
    app = process(knows=False)
    app.schedules.add("a", every(10), "late")
    steps(clock, 15, app)
    app.task(name="late")(lambda: ran.append(1))
    app.run_due()
    assert ran == [1]


def test_a_fire_that_was_cancelled_by_hand_is_replaced_by_the_one_after_it(
    process: Processes, clock: FakeClock, ran: list[Any]
) -> None:
    """Otherwise `hourwheel cancel` of a fire would have ended the schedule for ever."""
    app = process()
    app.run_due()
    app.schedules.add("a", every(10), "send")
    app.store.cancel(["a@2026-12-01T08:00:10Z"], clock.now_ms())
    steps(clock, 60, app)
    assert [one[1] for one in ran][-2:] == [50, 60]


def test_a_definition_that_was_moved_by_hand_goes_back_and_does_not_run(
    process: Processes, clock: FakeClock, ran: list[Any]
) -> None:
    app = process()
    app.schedules.add("a", every(10), "send")
    definition = find_definition(app.store, "a")
    assert definition is not None
    app.store.reschedule([definition.id], clock.now_ms(), clock.now_ms())
    steps(clock, 10, app)
    back = find_definition(app.store, "a")
    assert back is not None
    assert (back.id, back.state, back.due_ms) == (definition.id, State.SCHEDULED, MAX_MS)
    assert len(ran) == 1


def test_what_a_later_version_has_written_is_shown_and_held_and_can_be_removed(
    process: Processes, clock: FakeClock, ran: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    app = process()
    app.schedules.add("a", every(10), "send")
    definition = find_definition(app.store, "a")
    assert definition is not None
    newer = definition._replace(id="newer", payload=definition.payload.replace('"version":1', '"version":2'))
    app.store.add([newer], clock.now_ms(), on_conflict="replace")
    steps(clock, 35, app)
    assert ran == []
    assert "version must be 1" in caplog.text
    shown = app.schedules.get("a")
    assert shown is not None
    assert (shown.words, shown.task, shown.registered) == ("every 10 seconds", "send", False)
    assert app.schedules == [shown]
    with pytest.raises(InvalidValue, match="version must be 1"):
        app.schedules.change("a", args=(1,))
    assert app.schedules.pause("a")
    assert app.schedules.remove("a")
    assert app.schedules == []


def test_one_that_has_ended_stays_in_the_list_without_a_next_fire(
    process: Processes, clock: FakeClock, ran: list[Any]
) -> None:
    app = process()
    app.schedules.add("a", every(10, start=NOW, times=3), "send")
    steps(clock, 40, app)
    assert [one[1] for one in ran] == [10, 20]
    assert [(one.name, one.next_at) for one in app.schedules] == [("a", None)]


def test_the_time_zone_is_that_of_the_process_that_has_added_it(process: Processes) -> None:
    app, other = process(), process()
    app.schedules.add("a", crontab("0 12 * * *"), "send")
    other.conf.timezone = "Asia/Tokyo"
    assert other.schedules[0].spec == "crontab 0 0 12 * * * Europe/Berlin"
    changed = other.schedules.change("a", args=())
    assert changed.spec == "crontab 0 0 12 * * * Europe/Berlin"


def test_the_options_of_its_task_apply_where_it_has_none(process: Processes, clock: FakeClock) -> None:
    app = process()
    mail: Task[..., None] = app.task(name="mail", queue="mail", priority=5)(lambda: None)
    app.schedules.add("a", every(10), mail, priority=1)
    steps(clock, 10, app)
    assert {(job.queue, job.priority) for job in app.store.scan() if job.task == "mail"} == {("mail", 1)}


def test_a_year_of_it_passes_in_travel_and_the_definition_is_no_pending_job() -> None:
    app, ran = Scheduler(MemoryStore(), timezone="Europe/Berlin"), list[str]()

    @app.task(name="t")
    def t() -> None:
        ran.append("t")

    with travel(app, "2026-03-01 00:00", tz="Europe/Berlin") as journey:
        app.schedules.add("nightly", every(at="02:30"), t)
        assert [due.task for due in journey.pending] == ["t"]
        journey.advance(timedelta(days=60))
        assert len(ran) == 60
