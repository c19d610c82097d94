"""delay_on_commit() and apply_async_on_commit(): stored after the commit, never after a rollback, with an id at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hourwheel import InvalidValue, PayloadError, Scheduler, SchedulerError, StoreClosed, UnknownJob, task
from hourwheel.job import State
from hourwheel.store import MemoryStore
from hourwheel.testing import FakeClock

from tests.kit.django_project import databases

pytest.importorskip("django")
from django.db import transaction  # noqa: E402


@pytest.fixture(autouse=True)
def _databases() -> Iterator[None]:
    with databases():
        yield


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_800_000_000_000)


@pytest.fixture
def app(clock: FakeClock) -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), clock=clock)
    yield app
    app.close()


@pytest.fixture
def remind(app: Scheduler) -> Any:
    @app.task(name="remind")
    def remind(user_id: int, text: str = "") -> str:
        return f"{user_id} {text}"

    return remind


def accepted(app: Scheduler) -> int:
    return app.store.stats(app.clock.now_ms()).accepted


def test_a_job_is_stored_after_the_commit_under_the_id_that_was_given_before(app: Scheduler, remind: Any) -> None:
    with transaction.atomic():
        result = remind.delay_on_commit(7, text="x")
        assert (result.state, accepted(app), app.run_due()) == ("unknown", 0, 0)
    assert (result.state, accepted(app)) == ("scheduled", 1)
    assert app.run_due() == 1
    assert result.get(timeout=0) == "7 x"


def test_after_a_rollback_nothing_is_stored(app: Scheduler, remind: Any) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        result = remind.delay_on_commit(7)
        _ = 1 / 0
    assert (result.state, accepted(app)) == ("unknown", 0)
    with pytest.raises(UnknownJob):
        result.get(timeout=0)


def test_of_a_savepoint_that_is_rolled_back_nothing_is_stored(app: Scheduler, remind: Any) -> None:
    with transaction.atomic():
        outer = remind.delay_on_commit(1)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            inner = remind.delay_on_commit(2)
            _ = 1 / 0
    assert (outer.state, inner.state, accepted(app)) == ("scheduled", "unknown", 1)


def test_outside_of_a_transaction_it_is_stored_at_once(app: Scheduler, remind: Any) -> None:
    assert remind.delay_on_commit(7).state == "scheduled"
    assert remind.apply_async_on_commit((7,), {"text": "x"}).state == "scheduled"


def test_the_time_is_counted_from_the_call(app: Scheduler, remind: Any, clock: FakeClock) -> None:
    called = clock.now_ms()
    with transaction.atomic():
        results = [
            remind.delay_on_commit(7, countdown=900),
            remind.after(900).delay_on_commit(7),
            remind.apply_async_on_commit((7,), countdown=900),
            remind.delay_on_commit(7, eta=datetime.fromtimestamp(called / 1000 + 900, UTC)),
        ]
        clock.advance(60)
    assert [result.job().due_ms for result in results] == [called + 900_000] * 4


@pytest.mark.parametrize(
    ("args", "kwargs", "error"),
    [((), {}, TypeError), ((object(),), {}, PayloadError), ((1,), {"countdown": -1}, InvalidValue)],
)
def test_what_is_wrong_with_a_call_is_said_in_the_transaction(
    app: Scheduler, remind: Any, args: Any, kwargs: Any, error: type[Exception]
) -> None:
    with transaction.atomic(), pytest.raises(error):
        remind.delay_on_commit(*args, **kwargs)
    assert accepted(app) == 0


def test_another_database_may_be_named(app: Scheduler, remind: Any) -> None:
    with transaction.atomic(using="other"), transaction.atomic():
        theirs = remind.apply_async_on_commit((1,), using="other")
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            ours = remind.apply_async_on_commit((2,))
            _ = 1 / 0
        assert theirs.state == "unknown"
    assert (theirs.state, ours.state) == ("scheduled", "unknown")


def test_what_is_linked_is_stored_with_it(app: Scheduler, remind: Any) -> None:
    with transaction.atomic():
        result = remind.apply_async_on_commit((1,), link=remind.si(2), task_id="order-7")
        assert (result.id, accepted(app)) == ("order-7", 0)
    assert accepted(app) == 2
    assert app.run_due() == 2


def test_of_two_jobs_with_one_key_the_first_stays_and_is_found_by_it(app: Scheduler, remind: Any) -> None:
    keyed = remind.options(key=("cart", 7))
    first = keyed.delay(7)
    with transaction.atomic():
        second = keyed.delay_on_commit(7)
    assert second.state == "unknown"
    assert keyed.pending().id == first.id


def test_a_store_that_cannot_take_the_job_is_told_to_the_one_who_commits(app: Scheduler, remind: Any) -> None:
    def commit() -> None:
        with transaction.atomic():
            remind.delay_on_commit(7)
            app.store.close()

    with pytest.raises(StoreClosed):
        commit()


def test_a_shared_task_is_carried_by_the_scheduler_there_is(app: Scheduler) -> None:
    from hourwheel import set_default

    @task(name="tests.on_commit.shared")
    def shared() -> None: ...

    set_default(app)
    try:
        with transaction.atomic():
            result = shared.delay_on_commit()
        assert result.job().state is State.SCHEDULED
    finally:
        set_default(None)


def test_without_django_it_is_said(app: Scheduler, remind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "django.db.transaction", None)
    with pytest.raises(SchedulerError, match="needs Django"):
        remind.delay_on_commit(7)
    assert accepted(app) == 0
