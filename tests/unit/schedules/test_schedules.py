"""Schedules in a store: each fire is issued once, by whoever; what is missed, paused, changed and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hourwheel import (
    Filter,
    InvalidValue,
    Job,
    Limit,
    Retry,
    Scheduler,
    State,
    StoreError,
    UnknownSchedule,
    crontab,
    every,
)
from hourwheel.schedules.misfires import Decision, Policy, decide
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.testing import FakeClock

NOW = 1_800_000_000_000
Apps = Callable[[], Scheduler]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    yield store
    assert store.check() == []


@pytest.fixture
def another(store: MemoryStore, clock: FakeClock) -> Apps:
    """One more scheduler on the same store, as another process would have it."""
    return lambda: Scheduler(store, clock=clock)


def ran(store: MemoryStore) -> list[str]:
    """The instants of the fires that have succeeded, as hours and seconds."""
    return [job.id.partition("@")[2] for job in store.scan(limit=10_000) if job.state is State.SUCCEEDED]


def steps(apps: list[Scheduler], clock: FakeClock, seconds: int) -> None:
    for _ in range(seconds):
        clock.advance(1)
        for app in apps:
            app.run_due()


def beating(app: Scheduler, seconds: float = 5, **options: Any) -> None:
    app.periodic(every(seconds), name="beat", **options)(lambda: None)


# ---- once, by whoever --------------------------------------------------------------------------------------


def test_each_fire_is_issued_once_whatever_the_number_of_schedulers(
    another: Apps, clock: FakeClock, store: MemoryStore
) -> None:
    apps = [another() for _ in range(4)]
    for app in apps:
        beating(app)
        app.run_due()
    steps(apps, clock, 20)
    assert [job.id for job in store.scan()] == [f"beat@2027-01-15T08:00:{n:02}Z" for n in (5, 10, 15, 20, 25)]
    assert len(ran(store)) == 4


def test_a_fire_is_a_job_with_the_name_and_the_instant(another: Apps, clock: FakeClock, store: MemoryStore) -> None:
    app = another()
    app.periodic(every(0.5), name="half", args=(1,), kwargs={"text": "x"}, queue="mail", priority=3)(
        lambda n, text: text
    )
    app.run_due()
    job = store.scan()[0]
    assert (job.id, job.args, job.kwargs, job.queue, job.priority, job.due_ms) == (
        "half@2027-01-15T08:00:00.500Z", (1,), {"text": "x"}, "mail", 3, NOW + 500,
    )  # fmt: skip
    clock.advance(0.5)
    assert app.run_due() == 1
    done = store.get([job.id])[0]
    assert done is not None
    assert (done.result, done.key) == ("x", None)


def test_a_scheduler_in_threads_looks_after_its_schedules() -> None:
    with Scheduler(MemoryStore(), workers=1) as app:
        beating(app, 0.1)
        found = app.store.scan(limit=1)
        while not any(job.state is State.SUCCEEDED for job in found):
            found = app.store.scan(limit=50)
        assert found[0].fire is not None


def test_a_fire_is_tried_again_like_any_job_and_the_next_comes_in_between(
    another: Apps, clock: FakeClock, store: MemoryStore
) -> None:
    app, tries = another(), list[int]()

    def failing() -> None:
        tries.append(clock.now_ms() - NOW)
        if len(tries) == 1:
            raise Retry(countdown=7)

    app.periodic(every(5), name="beat")(failing)
    app.run_due()
    steps([app], clock, 13)
    assert tries == [5_000, 10_000, 12_000]
    assert len(ran(store)) == 2


def test_a_crash_between_the_claim_and_the_next_fire_loses_and_doubles_nothing(
    tmp_path: Path, clock: FakeClock
) -> None:
    def opened() -> Scheduler:
        app = Scheduler(JsonStore(tmp_path / "tasks.json", durability="os"), clock=clock)
        beating(app)
        return app

    app, dying = opened(), opened()
    app.run_due()
    clock.advance(5)
    assert len(dying.store.claim(dying.owner, clock.now_ms(), 10)) == 1
    dying.store.close()  # before it could say what comes next
    clock.advance(1)
    assert app.run_due() == 1
    assert [job.id[-3:] for job in app.store.scan()] == ["05Z", "10Z"]
    assert app.store.check() == []
    app.store.close()


def test_a_store_that_fails_when_the_next_fire_is_added_gets_the_fire_back(clock: FakeClock) -> None:
    class Failing(MemoryStore):
        failing = False

        def settle(self, settlements: Any, now_ms: int) -> Any:
            if self.failing:
                self.failing = False
                raise StoreError("no room")
            return super().settle(settlements, now_ms)

    store = Failing()
    app = Scheduler(store, clock=clock)
    beating(app)
    app.run_due()
    clock.advance(5)
    store.failing = True
    assert app.run_due() == 1, "it was given back, and taken again in the same sweep"
    assert [job.state for job in store.scan()] == [State.SUCCEEDED, State.SCHEDULED]


# ---- what was missed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "late_ms", "decision"),
    [
        (Policy(), 0, Decision(20_000)),
        (Policy(), 9_999, Decision(20_000)),
        (Policy(), 10_000, Decision(30_000, 1)),
        (Policy(), 35_000, Decision(50_000, 3)),
        (Policy("each"), 35_000, Decision(20_000)),
        (Policy("each", 30_000), 30_000, Decision(20_000)),
        (Policy("each", 30_000), 35_000, Decision(20_000, 0, "skipped: it was 35 s late, more than 30 s")),
        (Policy("skip", 9_000), 9_000, Decision(20_000)),
        (Policy("skip", 5_000), 9_000, Decision(20_000, 0, "skipped: it was 9 s late, more than 5 s")),
        (
            Policy("skip", 60_000), 65_001,
            Decision(70_000, 0, "skipped: it was 65.001 s late, more than 60 s; a newer one runs instead", 6),
        ),
        (
            Policy("skip", 4_000), 65_001,
            Decision(80_000, 6, "skipped: it was 65.001 s late, more than 4 s; 6 more were skipped, too"),
        ),
    ],
)  # fmt: skip
def test_what_becomes_of_a_fire_depends_on_how_late_it_is(policy: Policy, late_ms: int, decision: Decision) -> None:
    assert decide(policy, every(10).after, 10_000, 10_000 + late_ms) == decision


def test_what_was_missed_is_run_once_by_default_and_it_says_for_how_many(
    another: Apps, clock: FakeClock, store: MemoryStore, caplog: Any
) -> None:
    app = another()
    beating(app)
    app.run_due()
    clock.advance(3600)
    assert app.run_due() == 1
    job = store.get(["beat@2027-01-15T08:00:05Z"])[0]
    assert job is not None
    assert job.fire is not None
    assert job.fire.missed == 719
    assert "in place of 719 others" in caplog.text
    assert app.schedules[0].next_at == datetime(2027, 1, 15, 9, 0, 5, tzinfo=UTC)


def test_skipped_fires_are_recorded_and_told(another: Apps, clock: FakeClock, store: MemoryStore) -> None:
    app, told = another(), list[Job]()
    app.on.skipped(told.append)
    beating(app, misfire="skip", misfire_grace_time=1)
    app.run_due()
    clock.advance(3603)
    assert app.run_due() == 0
    job = store.get(["beat@2027-01-15T08:00:05Z"])[0]
    assert job is not None
    assert (job.state, [one.id for one in told]) == (State.CANCELLED, [job.id])
    assert str(job.reason).startswith("skipped: it was 3598 s late")
    steps([app], clock, 5)
    assert len(ran(store)) == 1


def test_each_missed_fire_is_run_if_that_is_asked_for(another: Apps, clock: FakeClock, store: MemoryStore) -> None:
    app = another()
    beating(app, misfire="each")
    app.run_due()
    clock.advance(60)
    app.run_due()
    assert len(ran(store)) == 12


@pytest.mark.parametrize(
    ("options", "means"),
    [
        ({}, ("coalesce", None)),
        ({"misfire": "skip"}, ("skip", 60_000)),
        ({"misfire_grace_time": 5}, ("skip", 5_000)),
        ({"expires": 7}, ("skip", 7_000)),
        ({"misfire": "each"}, ("each", None)),
        ({"misfire": "each", "expires": 7}, ("each", 7_000)),
        ({"misfire": "coalesce", "misfire_grace_time": 7}, ("coalesce", 7_000)),
        ({"expires": 7, "misfire_grace_time": 5}, ("skip", 5_000)),
    ],
)
def test_the_misfire_options_mean(another: Apps, options: dict[str, Any], means: tuple[str, int]) -> None:
    app = another()
    beating(app, **options)
    policy = app.fires.entries["beat"].policy
    assert (policy.misfire, policy.grace_ms) == means


def test_a_clock_that_is_set_back_issues_nothing_again(another: Apps, clock: FakeClock, store: MemoryStore) -> None:
    app = another()
    beating(app)
    app.run_due()
    steps([app], clock, 10)
    before = ran(store)
    clock.travel(NOW - 3_600_000)
    steps([app], clock, 60)
    assert ran(store) == before
    assert len(store.scan(Filter(states=frozenset({State.SCHEDULED})))) == 1


# ---- changes of mind ---------------------------------------------------------------------------------------


def test_a_paused_schedule_fires_nowhere_and_goes_on_with_the_next_instant(
    another: Apps, clock: FakeClock, store: MemoryStore
) -> None:
    app, other = another(), another()
    beating(app)
    beating(other)
    app.run_due()
    assert app.pause_schedule("beat")
    assert other.schedules[0].paused
    steps([app, other], clock, 17)
    assert ran(store) == []
    assert other.resume_schedule("beat")
    steps([app, other], clock, 4)
    assert ran(store) == ["2027-01-15T08:00:20Z"]


def test_a_schedule_can_be_run_now_beside_its_fires(another: Apps, store: MemoryStore) -> None:
    app = another()
    app.periodic(every(hours=1), name="report", args=(7,))(lambda n: n * 2)
    app.run_due()
    result = app.run_schedule("report")
    assert app.run_due() == 1
    assert result.get(timeout=0) == 14
    assert app.schedules[0].next_at is not None


def test_a_changed_schedule_moves_its_next_fire_when_a_process_starts_with_it(
    another: Apps, clock: FakeClock, store: MemoryStore
) -> None:
    old, new = another(), another()
    old.periodic(crontab("0 12 * * *"), name="report")(lambda: 1)
    old.run_due()
    new.periodic(crontab("0 9 * * *"), name="report")(lambda: 1)
    new.run_due()
    pending = store.scan(Filter(states=frozenset({State.SCHEDULED})))
    assert [job.id for job in pending] == ["report@2027-01-15T09:00:00Z"]
    clock.advance(60)
    old.run_due()
    assert store.scan(Filter(states=frozenset({State.SCHEDULED}))) == pending, "a process that runs moves nothing"


def test_the_next_fire_has_the_arguments_of_the_code_that_runs_it(
    another: Apps, clock: FakeClock, store: MemoryStore
) -> None:
    old, new = another(), another()
    old.periodic(every(5), name="report", args=(1,))(lambda n: n)
    old.run_due()
    new.periodic(every(5), name="report", args=(2,))(lambda n: n)
    clock.advance(5)
    new.run_due()
    assert [job.result for job in store.scan() if job.finished] == [2]


def test_a_fire_that_was_cancelled_is_not_the_end_of_its_schedule(
    another: Apps, clock: FakeClock, store: MemoryStore
) -> None:
    app = another()
    beating(app)
    app.run_due()
    store.cancel(["beat@2027-01-15T08:00:05Z"], NOW)
    steps([app], clock, 40)
    assert len(ran(store)) >= 1


def test_a_schedule_that_nobody_here_knows_keeps_its_place(
    another: Apps, clock: FakeClock, store: MemoryStore, caplog: Any
) -> None:
    app, stranger = another(), another()
    beating(app)
    app.run_due()
    clock.advance(5)
    assert stranger.run_due() == 0
    assert "There is no schedule named beat in this process" in caplog.text
    clock.advance(60)
    assert app.run_due() == 1


def test_a_removed_schedule_leaves_nothing_pending(another: Apps, store: MemoryStore) -> None:
    app = another()
    beating(app)
    app.run_due()
    assert app.remove_schedule("beat")
    assert app.schedules == []
    assert store.scan(Filter(states=frozenset({State.SCHEDULED}))) == []
    with pytest.raises(UnknownSchedule, match="no schedule named 'beat' here; there are: none"):
        app.run_schedule("beat")


# ---- how they are written ----------------------------------------------------------------------------------


def test_celery_s_ways_to_say_it(another: Apps, clock: FakeClock, store: MemoryStore) -> None:
    app = another()

    @app.task(name="add")
    def add(a: int, b: int) -> int:
        return a + b

    app.add_periodic_task(5.0, add.s(1, 2), name="five")
    app.add_periodic_task(every(10), add.s(2), args=(1,), name="ten")
    app.add_beat_schedule(
        {"fifteen": {"task": "add", "schedule": 15, "args": (5, 5), "options": {"queue": "x", "expires": 3}}}
    )
    app.run_due()
    steps([app], clock, 15)
    assert sorted(job.result for job in store.scan() if job.finished) == [3, 3, 3, 3, 10]
    assert [(one.name, one.spec, one.task) for one in app.schedules] == [
        ("fifteen", "every 15000 ms", "add"), ("five", "every 5000 ms", "add"), ("ten", "every 10000 ms", "add"),
    ]  # fmt: skip


def test_a_shared_limit_holds_for_fires_too(another: Apps, clock: FakeClock, store: MemoryStore) -> None:
    app = another()
    app.periodic(every(1), name="a", limits=Limit("x", rate="6/m"), misfire="each")(lambda: None)
    app.run_due()
    steps([app], clock, 20)
    assert len(ran(store)) == 2


@pytest.mark.parametrize(
    "add",
    [
        lambda app, t: app.periodic("soon"),
        lambda app, t: app.periodic(True),
        lambda app, t: app.periodic(5, misfire="often", name="x")(lambda: None),
        lambda app, t: app.periodic(5, key="k", name="x")(lambda: None),
        lambda app, t: app.periodic(5, name="a ")(lambda: None),
        lambda app, t: app.add_periodic_task(5, t, name="x" * 201),
        lambda app, t: app.add_periodic_task(5, t, misfire="run"),
        lambda app, t: app.add_periodic_task(5, t.s().set(link=t.s())),
        lambda app, t: app.add_periodic_task(5, "t"),
        lambda app, t: app.add_beat_schedule({"x": {"task": "t"}}),
        lambda app, t: app.add_beat_schedule({"x": {"task": 7, "schedule": 5}}),
        lambda app, t: app.add_beat_schedule({"x": {"task": "t", "schedule": 5, "relative": True}}),
        lambda app, t: app.add_beat_schedule({"fine": {"task": "t", "schedule": 5}, "x": 7}),
    ],
)
def test_what_breaks_a_rule_is_refused_at_once_and_nothing_is_scheduled(another: Apps, add: Any) -> None:
    app = another()
    t = app.task(name="t")(lambda: None)
    with pytest.raises(InvalidValue):
        add(app, t)
    assert app.schedules == []


def test_arguments_that_do_not_fit_are_refused_at_once(another: Apps) -> None:
    app = another()
    with pytest.raises(TypeError):
        app.periodic(5, name="x", args=(1,))(lambda: None)
    with pytest.raises(TypeError):
        app.add_periodic_task(5, app.task(name="t")(lambda: None), args=(1,))


def test_two_schedules_of_one_name_are_refused(another: Apps) -> None:
    app = another()
    t = app.task(name="t")(lambda n: None)
    app.add_periodic_task(5, t.s(1), name="x")
    app.add_periodic_task(6, t.s(1), name="x")
    assert app.schedules[0].spec == "every 6000 ms"
    with pytest.raises(InvalidValue, match="name must be unique"):
        app.add_periodic_task(5, t.s(2), name="x")


def test_a_fire_that_was_moved_away_stood_in_the_way_of_one_of_the_same_instant(
    another: Apps, clock: FakeClock, store: MemoryStore
) -> None:
    """Every 10 s became every 5 s: the fire of second 10 was there already, as cancelled, and the schedule stood still."""
    old, new = another(), another()
    beating(old, 10)
    old.run_due()
    beating(new, 5)
    new.run_due()
    steps([new], clock, 20)
    assert ran(store) == [f"2027-01-15T08:00:{second:02}Z" for second in (5, 10, 15, 20)]
