"""Whatever is said first, the same holds: settings, schedules and tasks in every order, or a refusal that says why."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations, permutations
from typing import Any

import pytest
from hourwheel import HourwheelError, InvalidValue, Scheduler, State, crontab, every
from hourwheel.settings.table import SETTINGS
from hourwheel.store import MemoryStore
from hourwheel.testing import FakeClock

Step = Callable[[Scheduler], Any]
BEAT = {
    "night": {"task": "clean", "schedule": crontab(hour=13, minute=40), "args": [1]},
    "often": {"task": "count", "schedule": 90, "options": {"priority": 3}},
}


def define_clean(app: Scheduler) -> None:
    app.task(name="clean", queue="slow", misfire_grace_time=1800, result_ttl=77)(lambda n=0: n)


def define_count(app: Scheduler) -> None:
    app.task(name="count", rate_limit="1/m", max_crashes=9)(lambda: None)


STEPS: dict[str, Step] = {
    "timezone": lambda app: app.conf.update(timezone="Asia/Shanghai"),
    "beat": lambda app: app.conf.update(beat_schedule=BEAT),
    "routes": lambda app: app.conf.update(task_routes={"count": "counted"}),
    "queue": lambda app: app.conf.update(task_default_queue="rest"),
    "ttl": lambda app: app.conf.update(result_ttl=55, failed_ttl=66),
    "object": lambda app: app.config_from_object({"timezone": "Europe/Berlin", "result_ttl": 44, "owner": "me"}),
    "clean": define_clean,
    "count": define_count,
    "periodic": lambda app: app.periodic(crontab("0 7 * * *"), name="report")(lambda: None),
    "added": lambda app: app.add_periodic_task(crontab("0 8 * * *"), app.task(name="own")(lambda: None), name="added"),
}


def state_of(app: Scheduler) -> Any:
    """What is planned, and how its calls are carried."""
    app.run_due()
    jobs = [job._replace(created_ms=0) for job in app.store.scan()]
    policies = {name: entry.told_by(app.registry).policy for name, entry in app.fires.entries.items()}
    return [(one.name, one.spec, one.next_at) for one in app.schedules], jobs, sorted(policies.items())


def after(names: tuple[str, ...]) -> Any:
    app = Scheduler(MemoryStore(), clock=FakeClock(1_800_000_000_000))
    for name in names:
        STEPS[name](app)
    return state_of(app)


@pytest.mark.parametrize("seed", range(60))
def test_the_order_of_lines_moved_a_schedule_to_another_zone_or_queue(seed: int) -> None:
    names = [*STEPS]
    random.Random(seed).shuffle(names)
    assert after(tuple(names)) == after(tuple(STEPS)), names


@pytest.mark.parametrize("pair", [*combinations(STEPS, 2)], ids="-".join)
def test_two_lines_can_change_places(pair: tuple[str, str]) -> None:
    assert after(pair) == after(pair[::-1])


VALUES: dict[str, Any] = {
    "store": "json:other.json", "durability": "os", "pool": "processes", "workers": 3, "queues": ["a"], "result_ttl": 5, "failed_ttl": 99,
    "time_limit": 9, "soft_time_limit": 8, "max_tasks_per_child": 7, "max_memory_per_child": 600_000,
    "task_default_queue": "q", "task_routes": {"x.*": "y"}, "timezone": "Europe/Berlin", "owner": "me", "beat_schedule": {},
}  # fmt: skip


def test_every_setting_is_tried() -> None:
    assert set(VALUES) == set(SETTINGS)


def test_each_pair_of_settings_can_be_said_in_both_orders_or_one_says_what_to_do() -> None:
    for pair in permutations(VALUES, 2):
        app = Scheduler()
        refused = ""
        for name in pair:
            try:
                setattr(app.conf, name, VALUES[name])
            except HourwheelError as error:
                refused = str(error)
        if refused:
            assert 'pool="processes"' in refused, f"{pair}: {refused}"
            app.conf.update({"pool": "processes"} | {name: VALUES[name] for name in pair})
        assert {name: app.conf[name] for name in pair} == Scheduler_with(pair)


def Scheduler_with(pair: tuple[str, str]) -> dict[str, Any]:  # noqa: N802 - as the class that it makes
    app = Scheduler()
    app.conf.update({"pool": "processes"} | {name: VALUES[name] for name in pair})
    return {name: app.conf[name] for name in pair}


# ---- beat_schedule ---------------------------------------------------------------------------------------------


def test_a_beat_schedule_before_its_zone_stayed_in_utc() -> None:
    """The order of Celery's own manual."""
    app = Scheduler(MemoryStore())
    app.conf.beat_schedule = BEAT
    app.conf.timezone = "Asia/Shanghai"
    assert [one.spec for one in app.schedules] == ["crontab 0 40 13 * * * Asia/Shanghai", "every 90000 ms"]
    with pytest.raises(InvalidValue):
        app.conf.timezone = "Asia/Nowhere"
    app.conf.update(timezone="UTC")
    assert app.schedules[0].spec == "crontab 0 40 13 * * * UTC"


def test_a_beat_schedule_that_was_taken_back_went_on() -> None:
    app = Scheduler(MemoryStore())
    app.periodic(every(5), name="own")(lambda: None)
    app.add_beat_schedule({"added": {"task": "t", "schedule": 5}})
    app.conf.beat_schedule = BEAT
    app.conf.beat_schedule = {"night": {"task": "clean", "schedule": 7}}
    assert [(one.name, one.spec) for one in app.schedules] == [
        ("added", "every 5000 ms"), ("night", "every 7000 ms"), ("own", "every 5000 ms"),
    ]  # fmt: skip
    app.conf.beat_schedule = None
    assert [one.name for one in app.schedules] == ["added", "own"]
    app.config_from_object({"beat_schedule": BEAT})
    app.config_from_object({"timezone": "Asia/Shanghai"})
    assert [one.name for one in app.schedules] == ["added", "own"]


def test_a_beat_schedule_with_one_bad_entry_changes_nothing() -> None:
    app = Scheduler(MemoryStore())
    app.conf.beat_schedule = BEAT
    before = list(app.schedules)
    app.periodic(every(5), name="own")(lambda: None)
    for bad in ({"x": {"task": "t"}}, {"own": {"task": "t", "schedule": 5}}, {"ok": BEAT["often"], "x": 7}):
        with pytest.raises(InvalidValue):
            app.conf.beat_schedule = bad
        with pytest.raises(InvalidValue):
            app.conf.update(timezone="Europe/Berlin", beat_schedule=bad)
    assert [one for one in app.schedules if one.name != "own"] == before
    assert dict(app.conf.beat_schedule) == BEAT


def test_a_schedule_of_the_setting_and_one_of_the_code_cannot_have_one_name_in_either_order() -> None:
    for first in (True, False):
        app = Scheduler(MemoryStore())
        call = app.task(name="clean")(lambda n=0: n)
        steps: list[Callable[[], Any]] = [
            lambda: app.conf.update(beat_schedule=BEAT),
            lambda: app.add_periodic_task(5, call.s(2), name="night"),
        ]
        steps[not first]()
        with pytest.raises(InvalidValue, match="name must be unique: a schedule of clean"):
            steps[first]()


@pytest.mark.parametrize("args", [16, "daily", {"a": 1}, {1, 2}], ids=repr)
def test_arguments_that_are_no_list_were_taken_for_letters_or_raised_a_foreign_error(args: Any) -> None:
    app = Scheduler(MemoryStore())
    call = app.task(name="t")(lambda *parts: parts)
    with pytest.raises(InvalidValue, match=r"args must be a list or tuple, such as \(16,\)"):
        app.conf.beat_schedule = {"x": {"task": "t", "schedule": 5, "args": args}}
    with pytest.raises(InvalidValue, match="args must be"):
        app.add_periodic_task(5, call, args=args)
    with pytest.raises(InvalidValue, match="args must be"):
        app.periodic(5, name="p", args=args)(lambda *parts: parts)
    assert app.schedules == []


def test_arguments_that_do_not_fit_are_refused_or_said_in_every_order(caplog: Any) -> None:
    app = Scheduler(MemoryStore())
    app.task(name="t")(lambda n: n)
    with pytest.raises(TypeError):
        app.conf.beat_schedule = {"x": {"task": "t", "schedule": 5}}
    app.conf.beat_schedule = {"x": {"task": "u", "schedule": 5}, "y": {"task": "v", "schedule": 5}}
    app.task(name="u")(lambda n: n)
    app.run_due()
    app.run_due()
    assert caplog.text.count("Each run of schedule x will fail: ") == 1
    assert "missing 1 required positional argument: 'n'" in caplog.text
    assert "schedule y" not in caplog.text


def test_a_task_defined_after_its_schedule_was_run_in_the_wrong_queue() -> None:
    clock = FakeClock(1_800_000_000_000)
    app = Scheduler(MemoryStore(), clock=clock)
    app.conf.beat_schedule = {"often": {"task": "count", "schedule": 10}}
    app.run_due()
    app.task(name="count", queue="counted", misfire="skip")(lambda: None)
    clock.advance(10)
    app.run_due()
    clock.advance(3500)
    app.run_due()
    fires = [(job.queue, job.state, bool(job.reason)) for job in app.store.scan()]
    assert fires[0] == ("default", State.SUCCEEDED, False), "it was planned before there was such a task"
    assert ("counted", State.CANCELLED, True) in fires, "skip is what the task says"
    assert fires[-1] == ("counted", State.SCHEDULED, False)
