"""Names of schedules: what tells two of them apart, and what is the same one again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hourwheel import InvalidValue, Scheduler, State, crontab, every
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.testing import FakeClock

NOW = 1_800_000_000_000


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def app(clock: FakeClock) -> Scheduler:
    return Scheduler(MemoryStore(), clock=clock)


def listed(app: Scheduler) -> list[tuple[str, str]]:
    return [(one.name, one.spec) for one in app.schedules]


def results(app: Scheduler) -> list[Any]:
    return sorted(job.result for job in app.store.scan(limit=1_000) if job.state is State.SUCCEEDED)


def define(app: Scheduler) -> Any:
    """A task, as its module has it: a reload makes another of the same name."""

    @app.task(name="shop.add")
    def add(x: int = 0, y: int = 0) -> int:
        return 10 * x + y

    return add


def define_report(app: Scheduler, when: str, n: int) -> None:
    @app.periodic(crontab(when), name="report", args=(n,))
    def report(n: int) -> int:
        return n


def test_of_two_periods_of_one_call_the_first_was_lost(app: Scheduler, clock: FakeClock) -> None:
    add = define(app)
    assert app.add_periodic_task(10, add.s(2, 2)) == "shop.add(2, 2)"
    assert app.add_periodic_task(20, add.s(2, 2)) == "shop.add(2, 2):2"
    assert app.add_periodic_task(10, add.s(2, y=2)) == "shop.add(2, y=2)"
    assert app.add_periodic_task(10, add) == "shop.add"
    assert app.add_periodic_task(10, add, queue="slow") == "shop.add:2"
    assert app.add_periodic_task(20, add.s(2, 2)) == "shop.add(2, 2):2", "the same again"
    app.run_due()
    for _ in range(2):
        clock.advance(10)
        app.run_due()
    assert results(app) == [0] * 4 + [22] * 5


def test_of_the_schedules_that_a_loop_made_one_was_left(app: Scheduler) -> None:
    """Their names do not depend on the order, or two processes would run one call twice and the other never."""
    add = define(app)
    names = {app.add_periodic_task(10, add.s(n)) for n in range(9)}
    assert names == {f"shop.add({n})" for n in range(9)}
    other = Scheduler(MemoryStore())
    again = define(other)
    assert {other.add_periodic_task(10, again.s(n)) for n in reversed(range(9))} == names


def test_schedules_from_one_factory_each_stand(app: Scheduler, clock: FakeClock) -> None:
    def plan(period: float, x: int) -> str:
        return app.add_periodic_task(every(period), add, args=(x,))

    add = define(app)
    assert len({plan(5, 1), plan(5, 2), plan(10, 1)}) == 3
    app.run_due()
    clock.advance(10)
    app.run_due()
    assert results(app) == [10, 10, 20]


def test_a_module_that_is_loaded_again_replaces_its_schedules(app: Scheduler) -> None:
    add = define(app)
    app.add_periodic_task(10, add.s(1))
    app.add_periodic_task(20, add.s(1))
    app.add_periodic_task(10, add.s(3), name="named")
    define_report(app, "0 7 * * *", 1)
    again = define(app)
    app.add_periodic_task(30, again.s(2))
    app.add_periodic_task(15, again.s(4), name="named")
    define_report(app, "0 8 * * *", 2)
    assert listed(app) == [
        ("named", "every 15000 ms"), ("report", "crontab 0 0 8 * * * UTC"), ("shop.add(2)", "every 30000 ms"),
    ]  # fmt: skip


def test_a_module_of_schedules_alone_can_be_loaded_again_with_other_arguments(app: Scheduler) -> None:
    """The task is the same object then; what is new is the module's code. Twice in one module it is a mistake."""
    add = define(app)

    def load(x: int) -> None:
        text = f"app.add_periodic_task({x}, add.s({x}), name='n'); app.add_periodic_task(5, add.s({x}))"
        exec(compile(text, "shop/schedules.py", "exec"), {"app": app, "add": add})

    load(7)
    load(8)
    assert listed(app) == [("n", "every 8000 ms"), ("shop.add(8)", "every 5000 ms")]
    assert app.fires.entries["n"].payload == "[[8],{}]"
    twice = "app.add_periodic_task(5, add.s(1), name='m'); app.add_periodic_task(5, add.s(2), name='m')"
    with pytest.raises(InvalidValue, match="name must be unique"):
        exec(compile(twice, "shop/schedules.py", "exec"), {"app": app, "add": add})
    for x in (10, 20):
        console = compile(f"app.add_periodic_task({x}, add.s(1))", "<stdin>", "exec")
        exec(console, {"app": app, "add": add})
    assert [name for name, _ in listed(app)] == ["m", "n", "shop.add(1)", "shop.add(1):2", "shop.add(8)"]
    other = compile("app.add_periodic_task(5, add.s(1), name='n')", "shop/others.py", "exec")
    with pytest.raises(InvalidValue, match="name must be unique"):
        exec(other, {"app": app, "add": add})


def test_two_times_for_one_function_stand_above_each_other(app: Scheduler, clock: FakeClock) -> None:
    def load(first: str) -> Any:
        @app.periodic(every(30), name="by-name", args=(3,))
        @app.periodic(crontab(first), args=(2,), queue="mail", priority=5)
        @app.periodic(every(20), name="shop.report", args=(1,))
        def report(n: int) -> int:
            return n

        return report

    report = load("0 8 * * *")
    assert report(7) == 7
    assert report.name == "shop.report"
    expected = ["by-name", "shop.report", "shop.report:2"]
    assert [one.name for one in app.schedules] == expected
    load("0 9 * * *")
    assert listed(app)[2] == ("shop.report:2", "crontab 0 0 9 * * * UTC")
    assert [one.name for one in app.schedules] == expected
    app.run_due()
    assert {(job.queue, job.priority) for job in app.store.scan()} == {("default", 0), ("mail", 5)}
    clock.advance(60)
    app.run_due()
    assert results(app) == [1, 3]


def test_a_schedule_above_a_task_takes_options_of_calls_only(app: Scheduler) -> None:
    add = define(app)
    assert app.periodic(5)(add) is add
    assert [one.name for one in app.schedules] == ["shop.add"]
    for options in ({"max_retries": 5}, {"aliases": ["x"]}, {"countdown": 5}, {"key": "k"}):
        with pytest.raises(InvalidValue):
            app.periodic(5, **options)(add)
    for time in ({"countdown": 5}, {"countdown": 0}):
        with pytest.raises(InvalidValue, match="countdown and eta must be left out of a schedule"):
            app.add_periodic_task(5, add.s().set(**time))
    with pytest.raises(InvalidValue, match="countdown must be left out of a schedule"):
        app.add_periodic_task(5, add, countdown=5)
    with pytest.raises(InvalidValue, match="eta must be left out of a schedule"):
        app.conf.beat_schedule = {"x": {"task": "shop.add", "schedule": 5, "options": {"eta": 5}}}
    assert [one.name for one in app.schedules] == ["shop.add"]


NAMES = ["__main__.clean", "add every 10", "Käse", "每天", "a/b:c", "(1)", "x" * 200, "<stdin>.clean", "a@b", "{}", "'"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_a_task_may_have_was_refused_to_a_schedule(name: str, clock: FakeClock, tmp_path: Any) -> None:
    store = JsonStore(tmp_path / "tasks.json", durability="os")
    app = Scheduler(store, clock=clock)
    add = app.task(name="t")(lambda n=0: n)
    assert app.add_periodic_task(5, add.s(7), name=name) == name
    app.conf.beat_schedule = {f"{name[:-1]}!": {"task": "t", "schedule": 5}}
    app.run_due()
    clock.advance(5)
    app.run_due()
    assert results(app) == [0, 7]
    assert app.pause_schedule(name)
    clock.advance(20)
    app.run_due()
    assert app.resume_schedule(name)
    result = app.run_schedule(name)
    assert app.run_due() >= 1
    assert result.get(timeout=0) == 7
    fire = next(job for job in store.scan() if job.fire is not None and job.fire.schedule == name)
    assert app.AsyncResult(fire.id).id == fire.id
    assert app.remove_schedule(name)
    assert store.check() == []
    store.close()


@pytest.mark.parametrize("name", ["", " a", "a\n", "x" * 201, "a\0b", 7, b"a", ("a",)], ids=repr)
def test_a_name_that_could_not_be_told_from_another_is_refused(name: Any, app: Scheduler) -> None:
    add = define(app)
    with pytest.raises(InvalidValue, match="name must be"):
        app.add_periodic_task(5, add, name=name)
    with pytest.raises(InvalidValue):
        app.conf.beat_schedule = {name: {"task": "t", "schedule": 5}}


def test_long_arguments_make_a_short_name_that_is_the_same_in_every_process(app: Scheduler) -> None:
    call = app.task(name="t")(lambda text: text)
    names = [app.add_periodic_task(5, call.s(text)) for text in ("x" * 500, "y" * 500, "a\x07b", "two\nlines")]
    assert names[0] == "t(2dbc2d52cc98)"
    assert len(set(names)) == 4
    assert all(len(name) < 200 and name.isprintable() for name in names)


def test_two_schedules_say_whether_they_fire_at_the_same_times() -> None:
    """every(5) == every(5) was False, so a test of a program's schedules could not be written."""
    from datetime import UTC, datetime

    moment = datetime(2031, 1, 1, tzinfo=UTC)
    same: list[list[Callable[[], Any]]] = [
        [lambda: every(5), lambda: every(seconds=5), lambda: every(minutes=1 / 12)],
        [lambda: every(5, anchor=moment), lambda: every(seconds=5.0, anchor=moment)],
        [lambda: crontab(0, 7), lambda: crontab("0 7 * * *"), lambda: crontab(minute=[0], hour={7}), lambda: crontab("0 0 7 * * *")],
        [lambda: crontab(0, 7, "mon-fri"), lambda: crontab("0 7 * * 1-5"), lambda: crontab("0 7 * * MON,2,3,4,5")],
        [lambda: crontab("@daily"), lambda: crontab(0, 0)],
        [lambda: crontab("CRON_TZ=Europe/Berlin 0 7 * * *"), lambda: crontab(0, 7, timezone="Europe/Berlin")],
        [lambda: crontab(0, 7, "fri", 13)], [lambda: crontab("0 7 13 * fri")], [lambda: crontab()],
        [lambda: crontab("0 0-23 * * *")], [lambda: crontab("0 * * * *")],
    ]  # fmt: skip
    for group in same:
        for one in group:
            for other in group:
                assert one() == other()
                assert hash(one()) == hash(other())
    distinct = {group[0]() for group in same}
    assert len(distinct) == len(same)
    assert every(5) != 5
    assert crontab() != "crontab"


def test_an_anchor_in_the_future_is_the_first_fire() -> None:
    """every(..., anchor=next Monday) began at once."""
    from datetime import UTC, datetime, timedelta

    clock = FakeClock(datetime(2026, 11, 29, tzinfo=UTC))
    app, ran = Scheduler(MemoryStore(), clock=clock), list[str]()
    anchor = datetime(2026, 12, 7, 8, tzinfo=UTC)
    app.periodic(every(days=1, anchor=anchor), name="t")(lambda: ran.append(f"{clock.now_ms()}"))
    for _ in range(10 * 24):
        app.run_due()
        clock.advance(3600)
    moments = [round((anchor + timedelta(days=n)).timestamp() * 1000) for n in range(2)]
    assert ran == [str(ms) for ms in moments]


# ---- a fire that a change of code would have lost ------------------------------------------------------------------


def test_a_deploy_that_changed_a_schedule_s_days_lost_today_s_fire(clock: FakeClock) -> None:
    """Old and new fire next at the same instant: the new code took that for issued already, and planned tomorrow's."""
    store = MemoryStore()
    old, new, ran = Scheduler(store, clock=clock), Scheduler(store, clock=clock), list[str]()
    old.periodic(crontab("0 9 * * *"), name="report")(lambda: ran.append("old"))
    old.run_due()
    new.periodic(crontab("0 9 * * fri"), name="report")(lambda: ran.append("new"))  # 15 January 2027 is one
    new.run_due()
    clock.advance(3600)
    new.run_due()
    assert ran == ["new"]
    assert [one.next_at.isoformat() for one in new.schedules if one.next_at] == ["2027-01-22T09:00:00+00:00"]


def test_a_deploy_after_an_outage_lost_what_was_missed(clock: FakeClock) -> None:
    store = MemoryStore()
    old, new, ran = Scheduler(store, clock=clock), Scheduler(store, clock=clock), list[str]()
    old.periodic(crontab("0 9 * * *"), name="report")(lambda: ran.append("old"))
    old.run_due()
    clock.advance(2 * 3600)  # nothing ran at nine
    new.periodic(crontab("30 12 * * *"), name="report")(lambda: ran.append("new"))
    new.run_due()
    assert ran == ["new"], "run late, as its misfire policy says"
    assert [one.next_at.isoformat() for one in new.schedules if one.next_at] == ["2027-01-15T12:30:00+00:00"]
