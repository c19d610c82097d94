"""E: several processes, one schedule. F: missed runs, daylight saving, clocks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hourwheel import Filter, State, crontab, every
from hourwheel.testing import FakeClock

from .conftest import Opened

BERLIN = "Europe/Berlin"


def steps(apps: list[Any], clock: FakeClock, seconds: int, step: float = 1) -> None:
    for _ in range(round(seconds / step)):
        clock.advance(step)
        for app in apps:
            app.run_due()


def test_apscheduler_256_four_workers_each_sent_the_mail(another: Opened, clock: FakeClock) -> None:
    """Also apscheduler #655, #481, #766, flask-apscheduler #13, lokole #1, huey #567, #195, taskiq #296, celery #2856."""
    apps, sent = [another() for _ in range(4)], list[int]()
    for app in apps:
        app.periodic(every(10), name="mail")(lambda: sent.append(clock.now_ms()))
        app.run_due()
    steps(apps, clock, 60)
    assert len(sent) == 6


def test_arq_196_the_fire_was_issued_again_when_it_had_ended(another: Opened, clock: FakeClock) -> None:
    """A process that lags comes to a fire that others have run, and whose result nobody keeps any more."""
    quick, lagging = another(), another()
    sent: list[int] = []
    for app in (quick, lagging):
        app.periodic(every(10), name="mail", result_ttl=0)(lambda: sent.append(clock.now_ms()))
    lagging.run_due()
    steps([quick], clock, 30)
    quick.store.compact()  # type: ignore[attr-defined]
    clock.travel(clock.now_ms() - 25_000)
    lagging.run_due()
    steps([lagging], clock, 25)
    assert len(sent) == 3


def test_huey_751_what_was_due_while_nothing_ran_was_dropped(another: Opened, clock: FakeClock) -> None:
    """Also apscheduler #292, #182, #273, deleterr #292: a weekly job on a machine that sleeps at night never ran."""
    app, ran = another(), list[int]()
    app.periodic(crontab("0 3 * * sun"), name="weekly")(lambda: ran.append(clock.now_ms()))
    app.run_due()
    for _ in range(4):
        clock.advance(7 * 86_400)
        again = another()
        again.periodic(crontab("0 3 * * sun"), name="weekly")(lambda: ran.append(clock.now_ms()))
        again.run_due()
    assert len(ran) == 4


def test_huey_304_a_period_drifted_by_the_time_that_each_run_took(another: Opened, clock: FakeClock) -> None:
    app, began = another(), list[int]()

    def slow() -> None:
        began.append(clock.now_ms() % 10_000)
        clock.advance(3)

    app.periodic(every(10), name="slow")(slow)
    app.run_due()
    steps([app], clock, 100)
    assert set(began) == {0}


@pytest.mark.parametrize(("day", "count"), [("2026-03-28T12:00:00+01:00", 2), ("2026-10-24T12:00:00+02:00", 2)])
def test_apscheduler_1021_a_schedule_hung_or_fell_out_when_the_clocks_were_set(
    another: Opened, clock: FakeClock, day: str, count: int
) -> None:
    """Also apscheduler #980, #1059, #606, #529, #120: by the hour over the days on which Berlin changes its clocks."""
    clock.travel(datetime.fromisoformat(day))
    app, ran = another(), list[int]()
    app.periodic(crontab("30 2 * * *", timezone=BERLIN), name="nightly")(lambda: ran.append(clock.now_ms()))
    app.run_due()
    steps([app], clock, 48 * 3600, 3600)
    assert len(ran) == count


def test_apscheduler_526_a_clock_that_jumped_ahead_ran_thousands(another: Opened, clock: FakeClock) -> None:
    """Also apscheduler #1066, #794, #351, #35: one year ahead is one run, and the schedule goes on."""
    app, ran = another(), list[int]()
    app.periodic(every(1), name="second")(lambda: ran.append(clock.now_ms()))
    app.run_due()
    clock.advance(366 * 86_400)
    app.run_due()
    assert len(ran) == 1
    steps([app], clock, 3)
    assert len(ran) == 4


def test_schedule_323_a_clock_that_was_set_back_stopped_everything(another: Opened, clock: FakeClock) -> None:
    """What is planned stays planned; an operator who wants it sooner removes or reschedules it. Nothing runs twice."""
    app, ran = another(), list[int]()
    app.periodic(every(10), name="ten")(lambda: ran.append(clock.now_ms()))
    app.run_due()
    steps([app], clock, 20)
    clock.travel(clock.now_ms() - 60_000)
    steps([app], clock, 90)
    assert len(ran) == 5


def test_apscheduler_341_a_renamed_function_wiped_its_schedule(another: Opened, clock: FakeClock) -> None:
    old, new = another(), another()
    old.add_beat_schedule({"nightly": {"task": "shop.clean", "schedule": 10}})
    old.run_due()
    new.task(name="shop.tidy", aliases=["shop.clean"])(lambda: "tidy")
    new.add_beat_schedule({"nightly": {"task": "shop.tidy", "schedule": 10}})
    clock.advance(10)
    new.run_due()
    done = new.store.scan(Filter(states=frozenset({State.SUCCEEDED})))
    assert [job.result for job in done] == ["tidy"]


def test_celery_4777_the_file_of_the_beat_was_corrupt_and_its_schedules_gone(another: Opened, clock: FakeClock) -> None:
    """There is no file of a beat: a schedule's place is a job like any other, in the same journal."""
    app = another()
    app.periodic(every(10), name="ten")(lambda: None)
    app.run_due()
    assert [job.key for job in another().store.scan()] == ["schedule:ten"]
    assert another().store.check() == []
