"""Rate and concurrency limits, limits that tasks share, and pausing, as users write them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hourwheel import Bound, InvalidValue, Limit, Scheduler
from hourwheel.store import MemoryStore
from hourwheel.tasks.options.limit import checked_rate, in_words
from hourwheel.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_800_000_000_000)


@pytest.fixture
def app(clock: FakeClock) -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), clock=clock)
    yield app
    assert app.store.check() == []


def ran_in(app: Scheduler, clock: FakeClock, seconds: float, step_s: float = 1.0) -> list[int]:
    """How many jobs ran at each step."""
    counts = [app.run_due()]
    for _ in range(int(seconds / step_s)):
        clock.advance(step_s)
        counts.append(app.run_due())
    return counts


def test_a_rate_spaces_the_starts_evenly(app: Scheduler, clock: FakeClock) -> None:
    @app.task(rate_limit="10/m")
    def send(n: int) -> None: ...

    for n in range(4):
        send.delay(n)
    assert ran_in(app, clock, 18) == [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]


def test_a_limit_with_a_key_counts_each_key_by_itself(app: Scheduler, clock: FakeClock) -> None:
    @app.task(rate_limit="1/m")
    def send(user: int) -> None: ...

    for user in (1, 2, 1):
        send.options(limit_key=("user", user)).delay(user)
    assert app.run_due() == 2
    clock.advance(60)
    assert app.run_due() == 1


def test_tasks_share_a_limit_that_has_a_name(app: Scheduler, clock: FakeClock) -> None:
    smtp = Limit("smtp", rate="60/m")

    @app.task(limits=smtp)
    def mail() -> None: ...

    @app.task(limits=[smtp, Limit("all", concurrency=5)])
    def report() -> None: ...

    mail.delay()
    report.delay()
    mail.delay()
    assert ran_in(app, clock, 2) == [1, 1, 1]


def test_a_concurrency_limit_holds_for_all_who_claim(app: Scheduler, clock: FakeClock) -> None:
    @app.task(concurrency=2, name="import_file")
    def import_file(n: int) -> None: ...

    for n in range(5):
        import_file.delay(n)
    claimed = [len(app.store.claim(owner, clock.now_ms(), 10)) for owner in ("a", "b", "c")]
    assert claimed == [2, 0, 0]
    job = app.store.scan()[0]
    assert job.limits == (Bound("task:import_file", 2),)


def test_options_of_a_call_come_before_those_of_the_task(app: Scheduler) -> None:
    @app.task(name="t", rate_limit="10/m", concurrency=1)
    def call() -> None: ...

    job = call.options(rate_limit="1/h", limit_key="k", limits=Limit("x", concurrency=3)).delay().job()
    assert job.limits == (Bound("task:t k", 1, 3_600_000), Bound("task:t k", 1), Bound("x", 3))
    assert call.apply_async(concurrency=4).job().limits == (Bound("task:t", 10, 60_000), Bound("task:t", 4))


def test_without_limits_a_job_carries_none(app: Scheduler) -> None:
    @app.task(limit_key="k")
    def call() -> None: ...

    assert call.delay().job().limits == ()


@pytest.mark.parametrize(
    ("rate", "means"),
    [
        ("10/m", (10, 60_000)), ("100/h", (100, 3_600_000)), ("5/s", (5, 1_000)), ("1/d", (1, 86_400_000)),
        ("7", (7, 1_000)), (3, (3, 1_000)), (0.5, (1, 2_000)), ("0.1/m", (1, 600_000)), (1.0, (1, 1_000)),
    ],
)  # fmt: skip
def test_rates_are_written_as_celery_has_them(rate: Any, means: tuple[int, int]) -> None:
    assert checked_rate(rate) == means


@pytest.mark.parametrize("rate", [0, -1, "0/m", "10/y", "10 / m", "ten", "", True, [], float("nan"), 1e9, "1e3/s"])
def test_what_is_no_rate_is_refused_at_once(app: Scheduler, rate: Any) -> None:
    with pytest.raises(InvalidValue, match="rate_limit must be a number per second"):
        app.task(name="t", rate_limit=rate)(lambda: None)


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", True, 10**7])
def test_what_is_no_count_is_refused_at_once(app: Scheduler, count: Any) -> None:
    with pytest.raises(InvalidValue, match="concurrency must be a whole number from 1"):
        app.task(name="t", concurrency=count)(lambda: None)


def test_what_is_no_limit_is_refused_at_once(app: Scheduler) -> None:
    with pytest.raises(InvalidValue, match="limits must be a Limit"):
        app.task(name="t", limits="smtp")(lambda: None)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="limits must be a Limit"):
        app.task(name="t", limits=[Limit("x", rate=1), "smtp"])(lambda: None)  # type: ignore[list-item]
    with pytest.raises(InvalidValue, match="limit_key must be text"):
        app.task(name="t", limit_key=7)(lambda: None)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="pass rate or concurrency, or both"):
        Limit("x")
    for name in ("", "x" * 201, 7, "\ud800\udc00"):
        with pytest.raises(InvalidValue, match="name must be text"):
            Limit(name, rate=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["task:app.send", "queue:mail", "schedule:night", "running:x"])
def test_a_limit_that_had_the_name_of_a_task_s_own_counted_its_jobs_too(name: str) -> None:
    with pytest.raises(InvalidValue, match="name must be one that does not start with task:"):
        Limit(name, concurrency=1)


def test_a_limit_says_what_it_is() -> None:
    assert repr(Limit("smtp", rate="30/m", concurrency=2)) == "Limit('smtp', 30/m, 2 at once)"
    assert in_words(Bound("x", 1, 2_500)) == "1 in 2.5 s"


# ---- pausing -----------------------------------------------------------------------------------------------


def test_a_queue_or_a_task_is_paused_and_resumed(app: Scheduler) -> None:
    @app.task(name="mail", queue="mails")
    def mail() -> None: ...

    @app.task(name="sms")
    def sms() -> None: ...

    mail.delay()
    sms.delay()
    assert (app.pause(queue="mails"), app.pause(task=sms), app.pause(task="sms")) == (True, True, False)
    assert app.paused() == ["queue:mails", "task:sms"]
    assert app.run_due() == 0
    assert app.resume(task="sms")
    assert app.run_due() == 1
    assert app.resume(queue="mails")
    assert not app.resume(queue="mails")
    assert app.run_due() == 1


@pytest.mark.parametrize("wrong", [{}, {"queue": "a", "task": "b"}, {"queue": "a b"}, {"task": 7}, {"task": ""}])
def test_exactly_one_queue_or_task_is_paused_at_a_time(app: Scheduler, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        app.pause(**wrong)
    assert app.paused() == []


def test_resume_wakes_the_ticker_of_its_own_process() -> None:
    with Scheduler(MemoryStore(), workers=1) as app:
        task = app.task(name="t")(lambda: 7)
        app.pause(task="t")
        result = task.delay()
        app.resume(task="t")
        assert result.get(timeout=10) == 7


# ---- what it is too late for -------------------------------------------------------------------------------


def test_a_hook_is_told_of_each_job_that_ends_unrun(app: Scheduler, clock: FakeClock, caplog: Any) -> None:
    told: list[tuple[str, str | None]] = []
    app.on.skipped(lambda job: told.append((job.id, job.reason)))
    task = app.task(name="t")(lambda: 1)
    task.apply_async(task_id="late", expires=5)
    task.apply_async(task_id="missed", misfire_grace_time=2)
    clock.advance(10)
    assert app.run_due() == 0
    assert [id for id, _ in told] == ["late", "missed"]
    assert "it had expired before its turn came" in str(told[0][1])
    assert "nobody took it within 2 s" in str(told[1][1])
    assert "Task t[late] is not run: it had expired before its turn came" in caplog.text


def test_a_hook_is_told_of_what_waited_in_vain(app: Scheduler) -> None:
    told: list[str | None] = []
    app.on.skipped(lambda job: told.append(job.reason))
    task = app.task(name="t")(lambda: 1)
    result = task.apply_async(link_error=task.si())
    app.run_due()
    assert result.state == "succeeded"
    assert told == ["not needed: nothing that it waited for has failed"]
