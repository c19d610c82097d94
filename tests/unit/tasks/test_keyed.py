"""Keyed timers: a call again moves the job, keeps it or is refused; and it can be found and cancelled by its key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hourwheel import DuplicateJob, Found, InvalidValue, JobCancelled, Scheduler, SchedulerError, Snooze, State, Task
from hourwheel.store import MemoryStore
from hourwheel.tasks.options.plan import key_text
from hourwheel.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_000_000)


@pytest.fixture
def app(clock: FakeClock) -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), clock=clock)
    yield app
    assert app.store.check() == []


@pytest.fixture
def close_order(app: Scheduler) -> Task[..., str]:
    @app.task(name="close_order")
    def close_order(order: int, note: str = "") -> str:
        return f"{order} closed {note}"

    return close_order


def due_in_s(app: Scheduler, clock: FakeClock) -> list[float]:
    return [(job.due_ms - clock.now_ms()) / 1000 for job in app.store.scan() if not job.finished]


def test_an_order_that_is_not_paid_is_closed_in_30_minutes_and_one_that_is_paid_is_not(
    app: Scheduler, close_order: Task[..., str], clock: FakeClock
) -> None:
    for order in (7, 8):
        close_order.options(key=("order", order)).after(1800).delay(order)
    assert close_order.options(key=("order", 7)).cancel() is Found.SCHEDULED
    clock.advance(1800)
    assert app.run_due() == 1
    assert close_order.options(key=("order", 7)).cancel() is Found.UNKNOWN


def test_calling_again_keeps_the_first_by_default(
    app: Scheduler, close_order: Task[..., str], clock: FakeClock
) -> None:
    timer = close_order.options(key="k").after(60)
    first = timer.delay(1)
    clock.advance(30)
    assert timer.delay(2) == first
    assert due_in_s(app, clock) == [30]


def test_calling_again_with_replace_moves_it(app: Scheduler, close_order: Task[..., str], clock: FakeClock) -> None:
    timer = close_order.options(key="k", on_conflict="replace").after(60)
    first = timer.delay(1)
    clock.advance(30)
    second = timer.delay(2)
    assert due_in_s(app, clock) == [60]
    clock.advance(60)
    app.run_due()
    assert second.get() == "2 closed "
    with pytest.raises(JobCancelled, match="replaced by a newer job with the same key"):
        first.get()


def test_max_wait_ends_the_moving(app: Scheduler, close_order: Task[..., str], clock: FakeClock) -> None:
    timer = close_order.options(key="k", max_wait=100).after(60)
    for _ in range(3):
        last = timer.delay(1)
        clock.advance(40)
    assert due_in_s(app, clock) == [-20.0]
    app.run_due()
    assert last.state == "succeeded"
    timer.delay(1)
    assert due_in_s(app, clock) == [60]  # a new life, a new wait


def test_calling_again_with_raise_is_refused(app: Scheduler, close_order: Task[..., str]) -> None:
    timer = close_order.options(key="k", on_conflict="raise").after(60)
    timer.delay(1)
    with pytest.raises(DuplicateJob):
        timer.delay(1)


def test_the_pending_job_is_found_by_its_key(app: Scheduler, close_order: Task[..., str], clock: FakeClock) -> None:
    timer = close_order.options(key=("order", 7)).after(60)
    assert timer.pending() is None
    result = timer.delay(7)
    assert timer.pending() == result
    (claim,) = app.store.claim("me", clock.now_ms() + 60_000, 1)
    found = timer.pending()
    assert found == result and found.state == "running"
    assert timer.cancel() is Found.RUNNING
    job = app.store.get([claim.job.id])[0]
    assert job is not None and job.cancel_ms == clock.now_ms()


def test_the_scheduled_one_is_found_before_the_running_one_that_it_replaced(
    app: Scheduler, close_order: Task[..., str], clock: FakeClock
) -> None:
    timer = close_order.options(key="k", on_conflict="replace")
    timer.delay(1)
    app.store.claim("me", clock.now_ms(), 1)
    second = timer.after(60).delay(2)
    assert timer.pending() == second


def test_the_reminder_was_sent_as_another_job_was_cancelled_in_its_place(
    app: Scheduler, close_order: Task[..., str], clock: FakeClock
) -> None:
    """Of the unfinished jobs of a key two were looked at: with two that ran, the scheduled one was not found."""
    keyed = close_order.options(key="k", on_conflict="replace")
    running = []
    for n in range(3):
        running.append(keyed.delay(n).id)
        app.store.claim("another", clock.now_ms(), 1)
        hold = keyed.pending()
        assert hold is not None
        assert hold.id == running[-1], "the newest of those that run"
    waiting = keyed.after(60).delay(9)
    assert keyed.cancel() is Found.SCHEDULED
    assert waiting.state == "cancelled"
    assert app.store.check() == []


def test_a_schedule_never_fired_as_a_call_had_its_key(app: Scheduler, close_order: Task[..., str]) -> None:
    for key in ("schedule:beat", "schedule:"):
        with pytest.raises(InvalidValue, match="key must be one that does not start with 'schedule:'"):
            close_order.options(key=key)
    assert close_order.options(key="schedule").delay(1).id
    assert close_order.options(key=("schedule:", 1)).delay(1).id


def test_without_a_key_there_is_nothing_to_find(close_order: Task[..., str]) -> None:
    with pytest.raises(InvalidValue, match=r"pass a key first"):
        close_order.cancel()


@pytest.mark.parametrize(
    ("key", "text"), [("k", "k"), (("cart", 7), '["cart",7]'), (("ä", "b:c"), '["\\u00e4","b:c"]'), ((1,), "[1]")]
)
def test_a_key_may_be_text_or_a_tuple(key: Any, text: str) -> None:
    assert key_text(key) == text


@pytest.mark.parametrize("key", ["", (), ("a", 1.5), ["a"], 7, ("x" * 300,), (True,), None])
def test_other_keys_are_refused(key: Any) -> None:
    with pytest.raises(
        InvalidValue, match="key must be text of 1 to 200 characters, or a tuple of text and whole numbers"
    ):
        key_text(key)


# ---- while it runs ---------------------------------------------------------------------------------------


def test_a_running_function_can_see_that_it_was_cancelled_and_give_up(app: Scheduler) -> None:
    @app.task(bind=True)
    def copy(self: Any) -> None:
        assert not self.is_cancelled()
        assert app.AsyncResult(self.request.id).cancel() is Found.RUNNING
        assert self.is_cancelled()
        raise Snooze(0)

    result = copy.delay()
    app.run_due()
    assert result.state == "cancelled"
    assert not copy.is_cancelled()


def test_a_running_function_can_say_how_far_it_has_come(app: Scheduler) -> None:
    seen: list[Any] = []

    @app.task(bind=True)
    def copy(self: Any) -> str:
        result = app.AsyncResult(self.request.id)
        self.update_state(meta={"done": 1, "of": 3})
        seen.append((result.state, result.progress))
        self.update_state(state="PROGRESS", meta={"done": 2})
        seen.append((result.state, result.progress))
        return "done"

    result = copy.delay()
    app.run_due()
    assert seen == [("running", {"done": 1, "of": 3}), ("running", {"state": "PROGRESS", "meta": {"done": 2}})]
    assert result.get() == "done"
    assert app.AsyncResult("gone").progress is None


def test_one_who_has_lost_his_claim_is_told_when_he_says_how_far_he_has_come(app: Scheduler) -> None:
    @app.task(bind=True)
    def copy(self: Any) -> None:
        job = self.job
        store: Any = app.store
        store._state.rows[job.id] = job._replace(token=job.token + 1, owner="another")
        store._state.running[job.id] = "another"
        store._state.token += 1
        self.update_state(meta=1)

    result = copy.delay()
    app.run_due()
    job = result.job()
    assert job is not None and job.state is State.RUNNING  # by the other one
    assert job.note is None
    with pytest.raises(SchedulerError, match="must be called in a running job"):
        copy.update_state(meta=1)
