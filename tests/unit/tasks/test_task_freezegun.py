"""The API under freezegun, as users' own tests hold it: time is frozen, nothing is started, run_due() sweeps by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
from hourwheel import Found, JobExpired, Retry, Scheduler, State, Store, Task, set_default, task
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.tasks.registry import SHARED

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["memory", "json"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else JsonStore(tmp_path / "tasks.json", durability="os")
    yield made
    assert made.check() == []
    made.close()


@pytest.fixture
def frozen() -> Iterator[FrozenDateTimeFactory]:
    with freeze_time(START) as frozen:
        yield frozen


@pytest.fixture
def app(frozen: FrozenDateTimeFactory, store: Store) -> Iterator[Scheduler]:
    app = Scheduler(store)
    yield app
    app.close()


@pytest.fixture
def ran() -> list[tuple[int, datetime]]:
    return []


@pytest.fixture
def remind(app: Scheduler, ran: list[tuple[int, datetime]]) -> Task[[int], int]:
    @app.task(name="app.remind")
    def remind(user_id: int) -> int:
        ran.append((user_id, datetime.now(UTC)))
        return user_id * 2

    return remind


def test_a_countdown_passes_when_time_is_ticked_and_never_early(
    frozen: FrozenDateTimeFactory, app: Scheduler, remind: Task[[int], int], ran: list[tuple[int, datetime]]
) -> None:
    result = remind.delay(1, countdown=900)
    assert app.run_due() == 0
    frozen.tick(899.999)
    assert app.run_due() == 0
    assert result.state == State.SCHEDULED
    frozen.tick(0.001)
    assert app.run_due() == 1
    assert result.get(timeout=0) == 2
    assert ran == [(1, START + timedelta(seconds=900))]
    assert app.run_due() == 0


def test_what_came_due_while_nobody_looked_runs_late_and_in_due_order(
    frozen: FrozenDateTimeFactory, app: Scheduler, remind: Task[[int], int], ran: list[tuple[int, datetime]]
) -> None:
    for number in (3, 1, 2):
        remind.after(number * 100_000).delay(number)
    frozen.tick(timedelta(days=30))
    assert app.run_due() == 3
    assert [number for number, _ in ran] == [1, 2, 3]


def test_calls_made_at_one_instant_run_in_the_order_they_were_made(
    frozen: FrozenDateTimeFactory, app: Scheduler, remind: Task[[int], int], ran: list[tuple[int, datetime]]
) -> None:
    numbers = list(range(50))
    for number in numbers:
        remind.delay(number)
    assert app.run_due() == 50
    assert [number for number, _ in ran] == numbers


def test_eta_and_apply_async_and_a_delay_without_a_time(
    frozen: FrozenDateTimeFactory, app: Scheduler, remind: Task[[int], int], ran: list[tuple[int, datetime]]
) -> None:
    remind.delay(0)
    remind.apply_async((1,), countdown=60)
    remind.at(START + timedelta(minutes=2)).delay(2)
    remind.apply_async([3], eta=START + timedelta(minutes=3))
    for _ in range(4):
        assert app.run_due() == 1
        frozen.tick(60)
    assert ran == [(number, START + timedelta(minutes=number)) for number in range(4)]


def test_cancel_and_reschedule(
    frozen: FrozenDateTimeFactory, app: Scheduler, remind: Task[[int], int], ran: list[tuple[int, datetime]]
) -> None:
    gone, moved = remind.after(60).delay(1), remind.after(60).delay(2)
    assert gone.cancel() is Found.SCHEDULED
    assert moved.reschedule(countdown=3600) is Found.SCHEDULED
    frozen.tick(61)
    assert app.run_due() == 0
    frozen.tick(3600)
    assert app.run_due() == 1
    assert [number for number, _ in ran] == [2]
    assert moved.cancel() is Found.FINISHED


def test_a_job_whose_time_is_over_expires_unrun(
    frozen: FrozenDateTimeFactory, app: Scheduler, remind: Task[[int], int], ran: list[tuple[int, datetime]]
) -> None:
    result = remind.apply_async((1,), countdown=10, expires=60)
    frozen.tick(61)
    assert app.run_due() == 0
    with pytest.raises(JobExpired):
        result.get(timeout=0)
    assert ran == []


def test_retry_runs_again_after_its_countdown_until_max_retries(frozen: FrozenDateTimeFactory, app: Scheduler) -> None:
    attempts = []

    @app.task(name="app.flaky", max_retries=2)
    def flaky() -> None:
        attempts.append(datetime.now(UTC) - START)
        raise Retry("busy", countdown=30)

    result = flaky.delay()
    for _ in range(5):
        app.run_due()
        frozen.tick(30)
    assert attempts == [timedelta(), timedelta(seconds=30), timedelta(seconds=60)]
    assert result.state == State.FAILED


def test_a_shared_task_runs_on_the_default_scheduler(
    frozen: FrozenDateTimeFactory, app: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SHARED, "_tasks", {})

    @task(name="app.double")
    def double(number: int) -> int:
        return number * 2

    set_default(app)
    try:
        result = double.delay(4, countdown=900)
        frozen.tick(901)
        assert app.run_due() == 1
        assert result.get(timeout=0) == 8
    finally:
        set_default(None)


def test_a_bound_task_sees_its_job(frozen: FrozenDateTimeFactory, app: Scheduler) -> None:
    @app.task(name="app.bound", bind=True)
    def bound(self: Task[[], list[object]]) -> list[object]:
        assert self.job is not None
        return [self.name, self.job.id, self.job.attempt]

    result = bound.delay()
    assert app.run_due() == 1
    assert result.get(timeout=0) == ["app.bound", result.id, 1]
