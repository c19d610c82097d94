"""Ways to be run again, and what each of them does to somebody: as in Celery, where Celery says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hourwheel import InvalidValue, JobExpired, Retry, Scheduler, State, chain, group
from hourwheel.store import MemoryStore
from hourwheel.tasks.options.retry import policy_of
from hourwheel.testing import FakeClock

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Mine(Exception):
    """What goes wrong in these tests."""


class Fussy(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def app(clock: FakeClock) -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), clock=clock)
    yield app
    assert app.store.check() == []


def drain(app: Scheduler, clock: FakeClock, steps: int = 20, step_s: float = 1) -> None:
    for _ in range(steps):
        while app.run_due():
            pass
        clock.advance(step_s)


# ---- what is raised in the end -----------------------------------------------------------------------------


def test_a_class_for_a_reason_is_raised_when_no_attempt_is_left(app: Scheduler, clock: FakeClock) -> None:
    runs: list[int] = []

    @app.task(bind=True, max_retries=3, default_retry_delay=0)
    def send(self: Any) -> None:
        runs.append(1)
        raise self.retry(exc=Mine)

    job = send.delay()
    drain(app, clock)
    assert (len(runs), job.state, job.job().error.type) == (4, "failed", f"{__name__}.Mine")


@pytest.mark.parametrize("exc", [Fussy, int, "the gateway is busy", 7])
def test_a_reason_that_cannot_be_raised_is_said_to_be_none(app: Scheduler, clock: FakeClock, exc: Any) -> None:
    @app.task(bind=True)
    def send(self: Any) -> None:
        raise self.retry(exc=exc)

    job = send.delay()
    drain(app, clock, 1)
    assert job.state == "failed"
    assert "exc must be an exception, or a class of exceptions that can be called without arguments" in str(job.result)
    with pytest.raises(InvalidValue, match="exc must be"):
        Retry(exc=exc)


def test_giving_up_is_final_though_any_exception_is_tried_again(app: Scheduler, clock: FakeClock) -> None:
    runs: list[int] = []

    @app.task(bind=True, max_retries=10, autoretry_for=(Exception,), default_retry_delay=0)
    def send(self: Any) -> None:
        runs.append(1)
        if len(runs) == 3:
            raise self.retry(exc=Mine("no use"), max_retries=0)
        raise self.retry(exc=Mine("again"))

    job = send.delay()
    drain(app, clock)
    assert (len(runs), job.state, job.job().error.message) == (3, "failed", "no use")


def test_giving_up_without_a_reason_is_final_too(app: Scheduler, clock: FakeClock) -> None:
    runs: list[int] = []

    @app.task(bind=True, autoretry_for=(Exception,), default_retry_delay=0)
    def send(self: Any) -> None:
        runs.append(1)
        self.retry(max_retries=0)

    job = send.delay()
    drain(app, clock)
    assert (len(runs), job.job().error.type) == (1, "hourwheel.MaxRetriesExceeded")


def test_another_error_after_giving_up_is_an_error_as_any(app: Scheduler, clock: FakeClock) -> None:
    runs: list[int] = []

    @app.task(bind=True, max_retries=2, autoretry_for=(KeyError,), default_retry_delay=0)
    def send(self: Any) -> None:
        runs.append(1)
        try:
            self.retry(exc=Mine("no use"), max_retries=0)
        except Mine as error:
            raise KeyError("later") from error

    send.delay()
    drain(app, clock)
    assert len(runs) == 3


# ---- throw=False -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", ["plain", "coroutine"])
def test_a_retry_that_is_not_thrown_is_not_forgotten(app: Scheduler, clock: FakeClock, pool: str) -> None:
    runs: list[int] = []

    def once(self: Any) -> str:
        runs.append(1)
        if self.request.retries >= 1:
            return "done"
        self.retry(exc=Mine("x"), throw=False, countdown=3)
        return "first"

    async def later(self: Any) -> str:
        await asyncio.sleep(0)
        return once(self)

    send: Any = app.task(bind=True, name="send")(once if pool == "plain" else later)
    job = send.delay()
    app.run_due()
    assert (job.state, job.job().error.type) == ("scheduled", f"{__name__}.Mine")
    clock.advance(2.9)
    assert app.run_due() == 0
    clock.advance(0.1)
    drain(app, clock, 1)
    assert (len(runs), job.get()) == (2, "done")


def test_a_retry_that_is_not_thrown_and_an_error_afterwards_is_tried_again(app: Scheduler, clock: FakeClock) -> None:
    @app.task(bind=True, max_retries=1)
    def send(self: Any) -> str:
        if self.request.retries:
            return "done"
        self.retry(throw=False, countdown=0)
        raise Mine("after")

    job = send.delay()
    app.run_due()
    assert job.get() == "done"


def test_a_retry_that_is_made_and_raised_later_counts_once(app: Scheduler, clock: FakeClock) -> None:
    runs: list[int] = []

    @app.task(bind=True, max_retries=1)
    def send(self: Any) -> None:
        runs.append(1)
        raise self.retry(throw=False, countdown=0, exc=Mine())

    job = send.delay()
    drain(app, clock)
    assert (len(runs), job.state) == (2, "failed")


def test_what_one_run_has_said_does_not_reach_another(app: Scheduler, clock: FakeClock) -> None:
    error = Mine("one and the same")

    @app.task(bind=True)
    def gives_up(self: Any) -> None:
        self.retry(exc=error, max_retries=0)

    @app.task(autoretry_for=(Mine,), max_retries=1, default_retry_delay=0)
    def fails() -> None:
        raise error

    gives_up.delay()
    job = fails.delay()
    drain(app, clock)
    assert job.retries == 1


# ---- what the next attempt is like -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "json"])
def test_a_retry_may_go_to_another_queue(kind: str, tmp_path: Path, clock: FakeClock) -> None:
    where: Any = MemoryStore() if kind == "memory" else tmp_path / "tasks.json"
    app = Scheduler(where, clock=clock)
    seen: list[Any] = []

    def send(self: Any, to: str, *, urgent: bool = False) -> None:
        seen.append((to, urgent, self.request.delivery_info["queue"], self.request.delivery_info["priority"]))
        if self.request.retries == 0:
            raise self.retry(queue="slow", priority=-5, expires=600, kwargs={"urgent": True}, countdown=1)

    app.task(bind=True, name="send")(send)
    job = app.send_task("send", ("ann",), queue="fast")
    app.run_due()
    found = job.job()
    assert found is not None and found.expires_ms == clock.now_ms() + 600_000
    if kind == "json":
        app.close()
        app = Scheduler(where, clock=clock)
        app.task(bind=True, name="send")(send)
    clock.advance(1)
    app.run_due()
    assert seen == [("ann", False, "fast", 0), ("ann", True, "slow", -5)]
    assert app.store.check() == []
    app.close()


def test_an_option_that_a_retry_does_not_know_is_named(app: Scheduler, clock: FakeClock) -> None:
    @app.task(bind=True)
    def send(self: Any, how: dict[str, Any]) -> None:
        raise self.retry(**how)

    for how, message in (
        ({"colour": "blue"}, "option must be one of expires, priority, queue, got 'colour'"),
        ({"queue": ""}, "queue must be 1 to 100 letters"),
        ({"priority": 101}, "priority must be a whole number"),
        ({"expires": 0}, "expires must be a number of seconds"),
        ({"args": "ab"}, "args must be a tuple or list, got 'ab'"),
        ({"countdown": 1, "eta": 5}, "pass countdown or eta, not both"),
    ):
        job = send.delay(how)
        drain(app, clock, 1)
        assert message in str(job.result)


def test_retry_can_be_raised_with_the_same_options(app: Scheduler, clock: FakeClock) -> None:
    @app.task
    def send() -> None:
        raise Retry("busy", countdown=5, queue="slow", priority=3, expires=60)

    job = send.delay()
    app.run_due()
    found = job.job()
    assert found is not None
    assert (found.queue, found.priority, found.expires_ms) == ("slow", 3, clock.now_ms() + 60_000)


def test_a_member_of_a_chain_that_is_tried_again_with_other_arguments_is_given_those(
    app: Scheduler, clock: FakeClock
) -> None:
    seen: list[Any] = []

    @app.task
    def first() -> str:
        return "first"

    @app.task(bind=True)
    def second(self: Any, *args: Any) -> str:
        seen.append(args)
        match self.request.retries:
            case 0:
                raise self.retry(countdown=1)
            case 1:
                raise self.retry(countdown=1, args=("new",))
            case 2:
                raise self.retry(countdown=1, kwargs={})
        return "second"

    @app.task
    def third(*args: Any) -> Any:
        return list(args)

    held = chain(first.s(), second.s("own"), third.s()).delay()
    drain(app, clock)
    assert seen == [("first", "own"), ("first", "own"), ("new",), ("new",)]
    assert held.get() == ["second"]


def test_a_member_of_a_group_that_is_tried_again_does_not_lose_the_chord(app: Scheduler, clock: FakeClock) -> None:
    @app.task(bind=True, max_retries=2)
    def flaky(self: Any, number: int) -> int:
        if self.request.retries < number:
            raise self.retry(countdown=1)
        return number

    @app.task
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    held = (group(flaky.s(n) for n in range(3)) | total.s()).delay()
    drain(app, clock)
    assert held.get() == 3


def test_links_and_errbacks_are_tried_again_and_called_after_the_last_attempt(app: Scheduler, clock: FakeClock) -> None:
    told: list[Any] = []

    @app.task(bind=True, max_retries=1, default_retry_delay=1)
    def fails(self: Any, *_: Any) -> None:
        told.append("run")
        raise self.retry(exc=Mine())

    @app.task(bind=True, max_retries=1)
    def note(self: Any, *given: Any) -> None:
        if not self.request.retries:
            raise self.retry(countdown=1)
        told.append("told")

    @app.task
    def works() -> int:
        return 1

    fails.apply_async(link_error=note.s())
    drain(app, clock)
    assert told == ["run", "run", "told"]
    works.apply_async(link=fails.s().set(link_error=note.s()))
    drain(app, clock)
    assert told == ["run", "run", "told"] * 2


# ---- too late ----------------------------------------------------------------------------------------------


def test_an_error_is_told_though_the_job_expires_before_its_next_attempt(app: Scheduler, clock: FakeClock) -> None:
    told: list[BaseException] = []
    app.on.failed(lambda job, error: told.append(error))

    @app.task(expires=60, autoretry_for=(Mine,))
    def send() -> None:
        raise Mine("no gateway")

    job = send.delay()
    app.run_due()
    assert job.state == "failed"
    assert "no gateway (it expires 120 s before its next attempt would be due)" in str(job.result)
    assert [str(error) for error in told] == ["no gateway"]


def test_a_retry_in_time_is_made(app: Scheduler, clock: FakeClock) -> None:
    @app.task(expires=60, autoretry_for=(Mine,), default_retry_delay=59)
    def send() -> None:
        raise Mine("no gateway")

    job = send.delay()
    app.run_due()
    assert job.state == "scheduled"


def test_an_error_is_told_though_nobody_made_the_next_attempt_in_time(app: Scheduler, clock: FakeClock) -> None:
    told: list[str] = []
    app.on.failed(lambda job, error: told.append(str(error)))
    late = app.task(name="late", expires=60)(lambda: None).delay()

    @app.task(expires=60, autoretry_for=(Mine,), default_retry_delay=30)
    def send() -> None:
        raise Mine("no gateway")

    app.pause(task="late")
    job = send.delay()
    app.run_due()
    clock.advance(90)
    app.resume(task="late")
    app.run_due()
    assert (job.state, late.state) == ("expired", "expired")
    with pytest.raises(JobExpired, match=r"; its last attempt failed with .*Mine: no gateway"):
        job.get()
    assert told == [f"{__name__}.Mine: no gateway"]


@pytest.mark.parametrize(
    "call",
    [
        lambda task: task.delay("x", countdown=900),
        lambda task: task.apply_async(("x",), countdown=900),
        lambda task: task.apply_async(("x",), eta=START + timedelta(seconds=900)),
        lambda task: task.after(900).delay("x"),
        lambda task: task.at(START + timedelta(seconds=900)).delay("x"),
        lambda task: task.options(countdown=900).delay("x"),
        lambda task: task.after(60).options(expires=60).delay("x"),
        lambda task: task.options(expires=START).delay("x"),
        lambda task: task.s("x").set(countdown=900).delay(),
        lambda task: task.scheduler.schedule_many(task, [(("x",), {})], countdown=900),
        lambda task: task.scheduler.send_task("send", ("x",), countdown=900, expires=300),
    ],
)
def test_a_call_that_could_never_run_is_refused(app: Scheduler, call: Any) -> None:
    send = app.task(name="send", expires=300)(lambda to: None)
    with pytest.raises(InvalidValue, match="expires must be later than the job is due"):
        call(send)
    assert app.store.stats(0).accepted == 0


def test_a_job_whose_end_has_come_is_not_scheduled_once_more_to_expire_again(app: Scheduler, clock: FakeClock) -> None:
    send = app.task(name="send", expires=300)(lambda: 1)
    job = send.delay(countdown=5)
    clock.advance(400)
    app.run_due()
    assert job.state == "expired"
    with pytest.raises(InvalidValue, match="expires must be later"):
        job.retry()


def test_a_job_that_waits_for_others_is_not_ended_by_a_new_time(app: Scheduler) -> None:
    one = app.task(name="one")(lambda *given: 1)
    held = chain(one.after(5).s(), one.s()).delay()
    with pytest.raises(InvalidValue, match="waits for 1 other jobs"):
        held.reschedule(countdown=1)
    assert held.job().state is State.SCHEDULED


# ---- backoff -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "delay"),
    [
        ({"retry_backoff": 0}, 0),
        ({"retry_backoff": 0.0}, 0),
        ({"retry_backoff": timedelta(0)}, 0),
        ({"retry_backoff": False}, 180),
        ({"retry_backoff": 0, "default_retry_delay": 30}, 30),
        ({"retries": 2, "retry_delay": 10, "retry_backoff": 0}, 10),
        ({"retries": 2, "retry_backoff": 0}, 0),
    ],
)
def test_a_backoff_of_nothing_is_no_delay_but_that_which_is_said(options: dict[str, Any], delay: float) -> None:
    assert [policy_of(options).wait(retries) for retries in range(3)] == [delay] * 3
