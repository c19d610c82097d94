"""A: a task that is not yet due lives in a worker's memory, unacknowledged."""

from __future__ import annotations

import pytest
from hourwheel import Scheduler, State
from hourwheel.testing import FakeClock

from .conftest import Opened

HOUR_S = 3600


def mail(app: Scheduler, ran: list[int]) -> object:
    @app.task(name="mail")
    def mail(number: int) -> None:
        ran.append(number)

    return mail


@pytest.mark.parametrize("hours", [0.6, 1.5, 6, 24 * 400])
def test_celery_2599_a_long_countdown_was_executed_many_times(another: Opened, clock: FakeClock, hours: float) -> None:
    """Also kombu #337, celery #2481, #3270, #6760: beyond the visibility timeout, or RabbitMQ's consumer timeout."""
    apps, ran = [another() for _ in range(3)], list[int]()
    tasks = [mail(app, ran) for app in apps]
    tasks[0].delay(1, countdown=hours * HOUR_S)  # type: ignore[attr-defined]
    step_s = hours * HOUR_S / 8
    for _ in range(16):
        for app in apps:
            app.run_due()
        assert ran == [] or clock.now_ms() >= 1_800_000_000_000 + hours * HOUR_S * 1000
        clock.advance(step_s)
    assert ran == [1]


def test_celery_2218_and_9849_each_waiting_task_took_kilobytes_of_the_worker(another: Opened) -> None:
    app = another()
    task = mail(app, [])
    app.schedule_many(task, [((n,), {}) for n in range(500)], countdown=HOUR_S)  # type: ignore[arg-type]
    assert app.run_due() == 0
    assert app.store.stats(app.clock.now_ms()).running == 0  # nobody holds any of them


def test_celery_2541_a_waiting_task_stuck_to_the_worker_that_had_fetched_it(another: Opened, clock: FakeClock) -> None:
    first, second, ran = another(), another(), list[int]()
    mail(second, ran)
    mail(first, []).delay(1, countdown=60)  # type: ignore[attr-defined]
    first.run_due()
    clock.advance(60)
    assert second.run_due() == 1
    assert ran == [1]


def test_celery_2731_a_slot_was_taken_by_a_task_that_waits(another: Opened, clock: FakeClock) -> None:
    """Also rabbitmq #11948: four waiting tasks blocked a worker of four for an hour."""
    app, ran = another(), list[int]()
    task = mail(app, ran)
    for number in range(50):
        task.delay(number, countdown=HOUR_S)  # type: ignore[attr-defined]
    task.delay(99)  # type: ignore[attr-defined]
    assert app.run_due() == 1
    assert ran == [99]
    assert app.store.stats(clock.now_ms()).scheduled == 50
    assert {job.state for job in app.store.scan()} == {State.SCHEDULED, State.SUCCEEDED}
