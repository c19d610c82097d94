"""Being run again: by policy, by self.retry(), by Retry and Snooze. Under a clock that the tests move."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hourwheel import InvalidValue, Job, MaxRetriesExceeded, PayloadError, Scheduler, Snooze, State, Task
from hourwheel.store import MemoryStore
from hourwheel.tasks.options.retry import RetryPolicy, policy_of
from hourwheel.testing import FakeClock

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Gateway(OSError):
    """What goes wrong in these tests."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def app(clock: FakeClock) -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), clock=clock)
    yield app
    assert app.store.check() == []


def waits(app: Scheduler, clock: FakeClock, id: str) -> list[float]:
    """Run the job to its end; the seconds between its attempts."""
    found: list[float] = []
    for _ in range(50):
        app.run_due()
        job = app.store.get([id])[0]
        assert job is not None
        if job.finished:
            return found
        wait_s = (job.due_ms - clock.now_ms()) / 1000
        found.append(wait_s)
        clock.advance(wait_s)
    raise AssertionError("it never ended")


def failing(app: Scheduler, error: BaseException | None = None, **options: Any) -> Task[[], None]:
    @app.task(name="failing", **options)
    def fails() -> None:
        raise Gateway("down") if error is None else error

    return fails


def ended(app: Scheduler, id: str) -> Job:
    job = app.store.get([id])[0]
    assert job is not None and job.finished
    return job


# ---- by policy -------------------------------------------------------------------------------------------


def test_exceptions_of_autoretry_for_are_tried_again_and_the_last_one_is_the_jobs_error(
    app: Scheduler, clock: FakeClock
) -> None:
    job = failing(app, autoretry_for=(OSError,), default_retry_delay=5, max_retries=2).delay()
    assert waits(app, clock, job.id) == [5, 5]
    last = ended(app, job.id)
    assert (last.state, last.attempt, last.reason) == (State.FAILED, 3, "it was run 3 times, and max_retries is 2")
    assert last.error is not None and last.error.type.endswith("Gateway") and "raise Gateway" in last.error.traceback


def test_other_exceptions_fail_at_once(app: Scheduler, clock: FakeClock) -> None:
    job = failing(app, error=KeyError("x"), autoretry_for=(OSError,)).delay()
    assert waits(app, clock, job.id) == []


def test_dont_autoretry_for_wins_over_autoretry_for(app: Scheduler, clock: FakeClock) -> None:
    job = failing(app, autoretry_for=(Exception,), dont_autoretry_for=(OSError,)).delay()
    assert waits(app, clock, job.id) == []


def test_backoff_doubles_from_the_factor_to_the_limit(app: Scheduler, clock: FakeClock) -> None:
    fails = failing(
        app, autoretry_for=OSError, retry_backoff=3, retry_backoff_max=20, retry_jitter=False, max_retries=5
    )
    assert waits(app, clock, fails.delay().id) == [3, 6, 12, 20, 20]


def test_backoff_true_begins_with_a_second(app: Scheduler, clock: FakeClock) -> None:
    fails = failing(app, autoretry_for=OSError, retry_backoff=True, retry_jitter=False)
    assert waits(app, clock, fails.delay().id) == [1, 2, 4]


def test_by_default_delays_are_drawn_after_autoretry_for_and_not_when_a_function_asks() -> None:
    """Celery draws the one, and ignores retry_backoff in the other; who writes self.retry() expects what he wrote."""
    policy = policy_of({"retry_backoff": 8})
    assert (policy.wait(1, lambda: 0.25), policy.wait(1, lambda: 0.25, asked=True)) == (4, 16)
    assert policy_of({"retry_backoff": 8, "retry_jitter": True}).wait(1, lambda: 0.25, asked=True) == 4
    assert policy_of({"retry_backoff": 8, "retry_jitter": False}).wait(1, lambda: 0.25) == 16


def test_jitter_draws_from_zero_to_the_delay_so_that_jobs_do_not_come_back_together() -> None:
    policy = RetryPolicy(backoff=8, jitter=True)
    assert [policy.wait(1, lambda: drawn) for drawn in (0.0, 0.5, 1.0)] == [0.0, 8.0, 16.0]
    assert len({policy.wait(3) for _ in range(20)}) > 15


def test_delay_of_a_thousandth_attempt_is_the_limit() -> None:
    assert RetryPolicy(backoff=1, jitter=False, max_retries=None).wait(100_000) == 600


def test_max_retries_none_has_no_end() -> None:
    assert not RetryPolicy(max_retries=None).exhausted(1_000_000)


def test_retry_kwargs_of_celery(app: Scheduler, clock: FakeClock) -> None:
    fails = failing(app, autoretry_for=OSError, retry_kwargs={"max_retries": 1, "countdown": 7})
    assert waits(app, clock, fails.delay().id) == [7]


def test_retries_and_retry_delay_of_huey(app: Scheduler, clock: FakeClock) -> None:
    assert waits(app, clock, failing(app, retries=2, retry_delay=4).delay().id) == [4, 4]


def test_retries_of_huey_without_a_delay_run_again_at_once(app: Scheduler) -> None:
    job = failing(app, retries=2).delay()
    assert app.run_due() == 3
    assert ended(app, job.id).state is State.FAILED


def test_no_retries_of_huey(app: Scheduler) -> None:
    job = failing(app, retries=0).delay()
    assert app.run_due() == 1
    assert ended(app, job.id).attempt == 1


# ---- self.retry ------------------------------------------------------------------------------------------


def test_self_retry_uses_its_countdown_and_raises_the_reason_in_the_end(app: Scheduler, clock: FakeClock) -> None:
    @app.task(bind=True, max_retries=2)
    def send(self: Any) -> None:
        try:
            raise Gateway("down")
        except OSError as error:
            raise self.retry(exc=error, countdown=10 * (1 + self.request.retries)) from error

    job = send.delay()
    assert waits(app, clock, job.id) == [10, 20]
    last = ended(app, job.id).error
    assert last is not None and last.type.endswith("Gateway")


def test_self_retry_may_say_its_own_max_retries(app: Scheduler, clock: FakeClock) -> None:
    @app.task(bind=True, default_retry_delay=1)
    def send(self: Any) -> None:
        self.retry(exc=Gateway("down"), max_retries=5)

    assert len(waits(app, clock, send.delay().id)) == 5


def test_self_retry_with_other_arguments(app: Scheduler) -> None:
    seen: list[Any] = []

    @app.task(bind=True)
    def send(self: Any, to: str, urgent: bool = False) -> None:
        seen.append((to, urgent))
        if len(seen) == 1:
            self.retry(args=("second",), kwargs={"urgent": True}, countdown=0)

    job = send.delay("first")
    app.run_due()
    assert seen == [("first", False), ("second", True)]
    assert ended(app, job.id).args == ("second",)


def test_self_retry_with_an_argument_that_is_no_json_fails_and_says_so(app: Scheduler) -> None:
    @app.task(bind=True)
    def send(self: Any, to: Any) -> None:
        self.retry(args=(object(),), countdown=0)

    job = send.delay("x")
    app.run_due()
    error = ended(app, job.id).error
    assert error is not None and error.type == f"{PayloadError.__module__}.PayloadError"


def test_self_retry_without_a_reason_ends_in_max_retries_exceeded(app: Scheduler) -> None:
    @app.task(bind=True, max_retries=1)
    def send(self: Any) -> None:
        self.retry(countdown=0)

    job = send.delay()
    app.run_due()
    error = ended(app, job.id).error
    assert error is not None and error.type.endswith("MaxRetriesExceeded")
    assert error.message == f"{send.name} was run 2 times"


def test_self_retry_outside_of_a_job_raises_the_reason(app: Scheduler) -> None:
    @app.task(bind=True)
    def send(self: Any) -> None:
        assert self.request.called_directly
        try:
            raise Gateway("down")
        except OSError:
            self.retry(countdown=1)

    with pytest.raises(Gateway):
        send()
    with pytest.raises(MaxRetriesExceeded):
        send.retry()


def test_request_shows_the_job_under_the_names_that_celery_has(app: Scheduler, clock: FakeClock) -> None:
    seen: dict[str, Any] = {}

    @app.task(bind=True, queue="mail", priority=5)
    def send(self: Any, to: str, *, urgent: bool) -> None:
        request = self.request
        seen.update(id=request.id, task=request.task, args=request.args, kwargs=request.kwargs, eta=request.eta)
        seen.update(
            retries=request.retries, expires=request.expires, host=request.hostname, where=request.delivery_info
        )
        assert repr(request) == f"<Request: {send.name}[{request.id}]>"

    job = send.apply_async(("x",), {"urgent": True}, expires=60)
    app.run_due()
    assert seen["id"] == job.id
    assert (seen["task"], seen["args"], seen["kwargs"], seen["retries"]) == (send.name, ("x",), {"urgent": True}, 0)
    assert (seen["eta"], seen["expires"]) == (START, START + timedelta(minutes=1))
    assert seen["host"] == f"{app.owner}-due"  # in whose name a sweep claims
    assert seen["where"] == {"queue": "mail", "routing_key": "mail", "priority": 5}
    away = send.request
    assert (away.id, away.task, away.args, away.kwargs, away.retries, away.eta) == (None, None, (), {}, 0, None)
    assert (away.expires, away.hostname, away.delivery_info) == (None, None, {})
    assert repr(away) == "<Request: called directly>"


# ---- Snooze ----------------------------------------------------------------------------------------------


def test_snooze_runs_later_and_does_not_count_the_attempt(app: Scheduler, clock: FakeClock) -> None:
    left = [30, 60]

    @app.task(max_retries=0)
    def send() -> str:
        if left:
            raise Snooze(left.pop(0), reason="the shop is closed")
        return "sent"

    job = send.delay()
    assert waits(app, clock, job.id) == [30, 60]
    last = ended(app, job.id)
    assert (last.result, last.attempt) == ("sent", 1)


def test_snooze_shows_its_reason_while_the_job_waits(app: Scheduler) -> None:
    @app.task
    def send() -> None:
        raise Snooze(eta=START + timedelta(hours=1), reason="the shop is closed")

    job = send.delay()
    app.run_due()
    waiting = app.store.get([job.id])[0]
    assert waiting is not None
    assert (waiting.state, waiting.reason, waiting.attempt) == (State.SCHEDULED, "the shop is closed", 0)
    assert waiting.due_ms == int((START + timedelta(hours=1)).timestamp() * 1000)


# ---- what survives ---------------------------------------------------------------------------------------


def test_attempts_survive_a_restart(tmp_path: Any, clock: FakeClock) -> None:
    for attempt in (1, 2, 3):
        app = Scheduler(tmp_path / "tasks.json", clock=clock)
        fails = failing(app, autoretry_for=OSError, default_retry_delay=1, max_retries=2)
        if attempt == 1:
            id = fails.delay().id
        app.run_due()
        job = app.store.get([id])[0]
        assert job is not None and job.attempt == attempt
        assert job.state is (State.FAILED if attempt == 3 else State.SCHEDULED)
        app.close()
        clock.advance(1)


def test_policy_that_is_deployed_holds_for_jobs_that_wait_already(clock: FakeClock) -> None:
    store = MemoryStore()
    old = Scheduler(store, clock=clock)
    id = failing(old).delay().id
    new = Scheduler(store, clock=clock)
    failing(new, autoretry_for=OSError, default_retry_delay=9, max_retries=1)
    assert waits(new, clock, id) == [9]


# ---- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"autoretry_for": ("OSError",)}, "autoretry_for must be exception classes in a tuple"),
        ({"dont_autoretry_for": OSError()}, "dont_autoretry_for must be exception classes in a tuple"),
        ({"retry_backoff": -1}, "retry_backoff must be a number of seconds, zero or more, got -1"),
        ({"retry_backoff": "3"}, "retry_backoff must be a number of seconds"),
        ({"retry_backoff_max": 0}, "retry_backoff_max must be a number of seconds, more than zero, got 0"),
        ({"retry_backoff_max": float("inf")}, "retry_backoff_max must be a number of seconds"),
        ({"retry_jitter": 1}, "retry_jitter must be True or False, got 1"),
        ({"retry_kwargs": {"max_retrys": 1}}, "retry_kwargs must be a dict of max_retries and countdown"),
        ({"retry_kwargs": 3}, "retry_kwargs must be a dict"),
        ({"retries": -1}, "retries must be a whole number"),
        ({"retry_delay": 1}, "retry_delay needs retries"),
        ({"retries": 1, "max_retries": 1}, "pass retries or max_retries, not both"),
        ({"retries": 1, "autoretry_for": OSError}, "pass retries or autoretry_for, not both"),
        (
            {"retries": 1, "retry_delay": 1, "retry_backoff": 2},
            "pass retry_delay or retry_backoff, not both",
        ),
        ({"max_crashes": 0}, "max_crashes must be a whole number from 1"),
    ],
)
def test_an_option_that_breaks_its_rule_is_refused_where_the_task_is_made(
    app: Scheduler, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidValue, match=message):
        failing(app, **options)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"countdown": 1, "eta": START},
        {"countdown": -1},
        {"countdown": 1, "reason": 3},
        {"eta": datetime(2026, 1, 1)},
    ],
)
def test_a_snooze_that_breaks_its_rule_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        Snooze(**arguments)


def test_policy_of_nothing_is_celerys() -> None:
    assert policy_of({}) == RetryPolicy(max_retries=3, delay=180, backoff=0.0, backoff_max=600.0, jitter=None)
    assert policy_of({"retry_backoff": timedelta(seconds=2)}).backoff == 2.0
    assert policy_of({"retry_backoff": False}).backoff == 0.0
