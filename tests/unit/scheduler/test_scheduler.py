"""The scheduler as users hold it: its life, adding jobs, one sweep by hand. Threads are waited for by events."""

from __future__ import annotations

import gc
import logging
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from hourwheel import Found, InvalidValue, Retry, Scheduler, SchedulerError, State, StoreBusy, current_job
from hourwheel.contract import Filter
from hourwheel.job import Job
from hourwheel.store import MemoryStore
from hourwheel.tasks.default_app import get_default, set_default
from hourwheel.testing import FakeClock

LONG_S = 10.0


@pytest.fixture
def app() -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), workers=2)
    yield app
    app.close()
    assert app.store.check() == []


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 3, 29, 0, 59, tzinfo=UTC))


@pytest.fixture
def still(clock: FakeClock) -> Iterator[Scheduler]:
    """A scheduler that is never started: the test moves its clock and sweeps by hand."""
    app = Scheduler(MemoryStore(), clock=clock)
    yield app
    assert app.store.check() == []


class Gate:
    """What a job passes through: it says that it has begun, and waits until it is let."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self._open = threading.Event()

    def pass_through(self) -> None:
        self.begun.release()
        assert self._open.wait(LONG_S)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells."""
    pause = threading.Event()
    for _ in range(int(LONG_S * 1000)):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("it did not come to pass")


# ---- what it may be given --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workers", 0),
        ("workers", True),
        ("workers", 2.0),
        ("queues", "mail"),
        ("queues", []),
        ("queues", ["mail", ""]),
        ("result_ttl", -1),
        ("result_ttl", "1h"),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../etc/passwd"),
        ("owner", "a b"),
        ("owner", ""),
        ("store", ""),
        ("store", None),
        ("store", 7),
    ],
)
def test_option_that_breaks_its_rule_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidValue, match=f"^{name} must be"):
        Scheduler(**{"store": MemoryStore(), name: value})


def test_durability_belongs_to_a_path_and_not_to_a_store() -> None:
    with pytest.raises(InvalidValue, match="durability"):
        Scheduler(MemoryStore(), durability="os")


def test_store_is_opened_when_it_is_needed_and_not_before(tmp_path: Any) -> None:
    path = tmp_path / "tasks.json"
    app = Scheduler(path, durability="os")
    assert not path.exists()
    assert app.store.next_due() is None
    assert path.exists()
    app.close()
    app.close()


def test_store_that_another_thread_opens_at_the_same_moment_is_not_opened_twice(tmp_path: Any) -> None:
    app, other = Scheduler(tmp_path / "tasks.json"), MemoryStore()

    class OtherComesFirst:
        def __enter__(self) -> None:
            app.backing.store = other

        def __exit__(self, *_: object) -> None:
            return

    app.backing._lock = OtherComesFirst()  # type: ignore[assignment]
    assert app.store is other
    assert list(tmp_path.iterdir()) == []
    app.backing.begin()


def test_closed_scheduler_opens_its_store_again_when_it_is_used_again(tmp_path: Any) -> None:
    app = Scheduler(tmp_path / "tasks.json", durability="os")
    app.store.add([Job(id="a", task="t", due_ms=0)], 0)
    app.close()
    assert app.store.get(["a"])[0] is not None
    app.close()


def test_store_that_was_given_is_not_closed(app: Scheduler) -> None:
    app.close()
    assert app.store.next_due() is None


def test_owner_is_unique_even_where_the_same_name_was_given() -> None:
    owners = {Scheduler(MemoryStore(), owner="web").owner for _ in range(3)}
    assert len(owners) == 3
    assert all(owner.startswith("web-") for owner in owners)


def test_utc_needs_no_time_zone_data() -> None:
    assert Scheduler(MemoryStore()).timezone is UTC


def test_first_scheduler_is_the_default_until_it_is_closed() -> None:
    set_default(None)
    first, second = Scheduler(MemoryStore()), Scheduler(MemoryStore())
    assert get_default() is first
    set_default(second)
    first.close()
    assert get_default() is second
    second.close()
    set_default(None)


# ---- start and stop --------------------------------------------------------------------------------------


def test_job_runs_in_a_started_scheduler_at_once(app: Scheduler) -> None:
    @app.task
    def double(x: int) -> int:
        return 2 * x

    with app:
        assert app.running
        assert double.delay(21).get(timeout=LONG_S) == 42
    assert not app.running


def test_job_with_a_countdown_inside_the_second_does_not_wait_for_a_tick(app: Scheduler) -> None:
    @app.task
    def started() -> int:
        return time.time_ns() // 1_000_000

    with app:
        results = [started.delay(countdown=0.03 * n) for n in range(5)]
        late_ms = [result.get(timeout=LONG_S) - result.job().due_ms for result in results]  # type: ignore[union-attr]
    assert min(late_ms) >= 0
    assert sorted(late_ms)[2] < 500, late_ms


def test_start_twice_is_one_start(app: Scheduler, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "hourwheel.worker")
    app.start()
    before = set(threading.enumerate())
    app.start()
    assert set(threading.enumerate()) <= before
    assert "runs already" in caplog.text


def test_stop_before_start_and_stop_twice_are_fine(app: Scheduler) -> None:
    assert app.stop() == []
    app.start()
    assert app.stop() == []
    assert app.stop() == []


@pytest.mark.parametrize("timeout", [-1, float("nan"), "30", True])
def test_stop_refuses_a_timeout_that_is_none(app: Scheduler, timeout: Any) -> None:
    with pytest.raises(InvalidValue, match="timeout"):
        app.stop(timeout)


def test_start_after_stop_runs_again_with_new_threads(app: Scheduler) -> None:
    @app.task
    def thread() -> int | None:
        return threading.current_thread().ident

    for _ in range(3):
        with app:
            assert thread.delay().get(timeout=LONG_S)
    result = thread.delay()
    assert result.state == "scheduled"


def test_stopped_scheduler_leaves_no_thread_behind(app: Scheduler) -> None:
    before = set(threading.enumerate())
    app.start()
    mine = set(threading.enumerate()) - before
    assert len(mine) == 3
    app.stop()
    for thread in mine:
        thread.join(LONG_S)
        assert not thread.is_alive()


def test_stop_waits_for_what_runs_and_gives_back_what_was_not_begun(app: Scheduler, gate: Gate) -> None:
    @app.task
    def work() -> str:
        gate.pass_through()
        return "done"

    app.start()
    results = app.schedule_many(work, [((), {})] * 6)
    for _ in range(2):
        assert gate.begun.acquire(timeout=LONG_S)
    stopping = threading.Thread(target=app.stop)
    stopping.start()
    until(lambda: not app.running)
    gate.open()
    stopping.join(LONG_S)
    states = sorted(result.state for result in results)
    assert states == ["scheduled"] * 4 + ["succeeded"] * 2
    assert {job.attempt for job in app.store.scan(Filter(states=frozenset({State.SCHEDULED})))} == {0}


def test_stop_returns_what_still_runs_at_its_timeout_and_that_is_recorded_when_it_ends(
    app: Scheduler, gate: Gate
) -> None:
    ended = threading.Event()
    settle = app.store.settle

    def settled(*args: Any) -> Any:
        try:
            return settle(*args)
        finally:
            ended.set()

    @app.task
    def slow() -> str:
        gate.pass_through()
        return "late"

    app.start()
    result = slow.delay()
    assert gate.begun.acquire(timeout=LONG_S)
    assert [job.id for job in app.stop(timeout=0)] == [result.id]
    app.store.settle = settled  # type: ignore[method-assign,assignment]
    gate.open()
    assert ended.wait(LONG_S)
    assert result.get(timeout=LONG_S) == "late"


def test_outcome_that_the_store_refused_until_the_stop_is_recorded_by_the_next_start(app: Scheduler) -> None:
    refused = threading.Event()
    settle = app.store.settle

    def refuse(*args: Any) -> Any:
        refused.set()
        raise StoreBusy("held by pid 1")

    @app.task
    def hello() -> str:
        return "hello"

    app.store.settle = refuse  # type: ignore[method-assign,assignment]
    app.start()
    result = hello.delay()
    assert refused.wait(LONG_S)
    app.stop(timeout=0.1)
    assert result.state == "running"
    app.store.settle = settle  # type: ignore[method-assign]
    with app:
        assert result.get(timeout=LONG_S) == "hello"
    job = result.job()
    assert job is not None and job.attempt == 1


def test_stop_from_inside_a_job_does_not_wait_for_itself(app: Scheduler) -> None:
    stopped = threading.Event()
    left: list[Job] = []

    @app.task
    def stop() -> str:
        left.extend(app.stop())
        stopped.set()
        return "stopped"

    app.start()
    ticker = app.life.ticker
    assert ticker is not None
    result = stop.delay()
    assert stopped.wait(LONG_S)
    ticker.thread.join(LONG_S)
    assert not app.running
    assert [job.id for job in left] == [result.id]
    assert result.state == "succeeded"


def test_start_while_the_scheduler_still_stops_begins_a_new_life(app: Scheduler, gate: Gate) -> None:
    @app.task
    def slow() -> str:
        gate.pass_through()
        return "from the first life"

    @app.task
    def quick() -> str:
        return "from the second"

    app.start()
    first = slow.delay()
    assert gate.begun.acquire(timeout=LONG_S)
    app.stop(timeout=0)
    app.start()
    assert quick.delay().get(timeout=LONG_S) == "from the second"
    gate.open()
    assert first.get(timeout=LONG_S) == "from the first life"


def test_scheduler_that_nobody_holds_any_more_is_forgotten() -> None:
    app = Scheduler(MemoryStore())
    set_default(None)
    gone = weakref.ref(app)
    del app
    gc.collect()
    assert gone() is None


def test_dead_ticker_shows_as_not_running_and_start_works_anew(
    app: Scheduler, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hourwheel.worker.outage._FIRST_S", 0.0)

    @app.task
    def hello() -> str:
        return "hello"

    claim = app.store.claim
    app.store.claim = lambda *args, **kwargs: 1 / 0  # type: ignore[method-assign,assignment]
    app.start()
    ticker = app.life.ticker
    assert ticker is not None
    ticker.thread.join(LONG_S)
    assert not app.running
    assert [record.levelname for record in caplog.records] == 10 * ["CRITICAL"]
    app.store.claim = claim  # type: ignore[method-assign]
    with app:
        assert hello.delay().get(timeout=LONG_S) == "hello"


# ---- jobs that misbehave ---------------------------------------------------------------------------------


def test_jobs_that_raise_whatever_kill_no_thread(app: Scheduler) -> None:
    @app.task
    def raises(name: str) -> None:
        raise {"exit": SystemExit, "interrupt": KeyboardInterrupt, "memory": MemoryError, "value": ValueError}[name]

    @app.task
    def hello() -> str:
        return "hello"

    before = set(threading.enumerate())
    with app:
        workers = {thread for thread in threading.enumerate() if "worker" in thread.name} - before
        results = app.schedule_many(raises, [((name,), {}) for name in ("exit", "interrupt", "memory", "value")] * 5)
        hello.options(priority=-1).delay().get(timeout=LONG_S)
        until(lambda: all(result.ready() for result in results))
        assert workers <= set(threading.enumerate())
        assert {result.state for result in results} == {"failed"}
        assert hello.delay().get(timeout=LONG_S) == "hello"


def test_jobs_each_have_a_context_of_their_own(app: Scheduler) -> None:
    variable: ContextVar[int] = ContextVar("variable", default=0)

    @app.task
    def count() -> int:
        variable.set(variable.get() + 1)
        return variable.get()

    with app:
        assert [count.delay().get(timeout=LONG_S) for _ in range(5)] == [1] * 5


def test_store_that_is_busy_for_a_while_costs_nothing_but_time(app: Scheduler) -> None:
    @app.task
    def hello() -> str:
        return "hello"

    settle, failures = app.store.settle, iter(range(3))

    def busy(*args: Any) -> Any:
        if next(failures, None) is not None:
            raise StoreBusy("held by pid 1")
        return settle(*args)

    app.store.settle = busy  # type: ignore[method-assign,assignment]
    with app:
        assert hello.delay().get(timeout=LONG_S) == "hello"
    assert app.store.stats(0).succeeded == 1


# ---- adding jobs -----------------------------------------------------------------------------------------


def test_many_jobs_are_added_in_one_write_and_held_lazily(still: Scheduler) -> None:
    @still.task
    def add(x: int, y: int = 0) -> int:
        return x + y

    results = still.schedule_many(add, [((n,), {"y": 1}) for n in range(100)], countdown=900)
    assert len(results) == 100 and len(set(results.ids)) == 100
    assert results[7].job().args == (7,)  # type: ignore[union-attr]
    assert [result.id for result in results[10:12]] == results.ids[10:12]
    assert {result.job().due_ms for result in results} == {still.clock.now_ms() + 900_000}  # type: ignore[union-attr]


def test_one_wrong_call_among_many_adds_none(still: Scheduler) -> None:
    @still.task
    def add(x: int) -> int:
        return x

    with pytest.raises(TypeError):
        still.schedule_many(add, [((1,), {}), ((), {})])
    with pytest.raises(TypeError, match="datetime"):
        still.schedule_many(add, [((1,), {}), ((datetime.now(UTC),), {})])
    assert still.store.stats(0).accepted == 0


def test_no_calls_are_no_jobs(still: Scheduler) -> None:
    @still.task
    def add() -> None: ...

    assert list(still.schedule_many(add, [])) == []


def test_many_calls_with_one_key_are_one_job(still: Scheduler) -> None:
    @still.task
    def tidy() -> None: ...

    results = still.schedule_many(tidy, [((), {})] * 3, key="tidy")
    assert len(set(results.ids)) == 1
    assert still.store.stats(0).accepted == 1


def test_schedule_many_refuses_a_plain_function_and_one_id_for_all(still: Scheduler) -> None:
    @still.task
    def tidy() -> None: ...

    with pytest.raises(InvalidValue, match="task must be"):
        still.schedule_many(tidy.fn, [((), {})])  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="task_id"):
        still.schedule_many(tidy, [((), {})], task_id="a")


def test_send_task_stores_a_call_of_a_task_that_is_not_registered_here(still: Scheduler) -> None:
    result = still.send_task("elsewhere.mail", (1,), {"text": "x"}, countdown=5, queue="mail")
    job = result.job()
    assert job is not None
    assert (job.task, job.args, job.kwargs, job.queue) == ("elsewhere.mail", (1,), {"text": "x"}, "mail")
    assert still.run_due(still.clock.now_ms() + 5_000) == 1
    job = result.job()
    assert job is not None and job.state is State.SCHEDULED and job.attempt == 0
    assert job.reason is not None and job.reason.startswith("unregistered")


def test_async_result_finds_a_job_by_any_spelling_of_its_id(still: Scheduler) -> None:
    result = still.send_task("t", countdown=5)
    assert still.AsyncResult(result.id.replace("-", "").upper()).cancel() is Found.SCHEDULED
    assert still.AsyncResult("nobody").state == "unknown"


def test_job_added_by_another_thread_wakes_a_sleeping_ticker(app: Scheduler) -> None:
    """Ten jobs one after the other, each added when the one before has ended: ten ticks would be ten seconds."""

    @app.task
    def hello() -> None: ...

    with app:
        began = time.monotonic()
        for _ in range(10):
            hello.delay().get(timeout=LONG_S)
        assert time.monotonic() - began < 5


def test_reschedule_to_now_does_not_wait_for_the_tick(app: Scheduler) -> None:
    @app.task
    def hello() -> str:
        return "hello"

    with app:
        result = hello.delay(countdown=3600)
        assert result.reschedule(countdown=0) is Found.SCHEDULED
        assert result.get(timeout=LONG_S) == "hello"


# ---- one sweep by hand -----------------------------------------------------------------------------------


def test_run_due_runs_what_is_due_and_nothing_else(still: Scheduler, clock: FakeClock) -> None:
    ran: list[int] = []

    @still.task
    def note(n: int) -> None:
        ran.append(n)

    for n in range(5):
        note.delay(n, countdown=n * 60)
    assert still.run_due() == 1
    clock.advance(119.999)
    assert still.run_due() == 1
    clock.advance(0.001)
    assert still.run_due() == 1
    assert still.run_due(clock.now_ms() + 120_000) == 2
    assert ran == [0, 1, 2, 3, 4]
    assert still.run_due() == 0


def test_run_due_takes_an_instant_and_jobs_see_that_instant_as_now(still: Scheduler, clock: FakeClock) -> None:
    @still.task
    def again() -> None:
        raise Retry(countdown=60)

    result = again.delay(countdown=3600)
    then = datetime(2026, 3, 29, 5, 0, tzinfo=UTC)
    assert still.run_due(then) == 1
    job = result.job()
    assert job is not None and job.due_ms == int(then.timestamp() * 1000) + 60_000


def test_run_due_rounds_now_down(still: Scheduler) -> None:
    @still.task
    def hello() -> None: ...

    due = datetime(2026, 3, 29, 1, 0, 0, 5000, tzinfo=UTC)
    hello.at(due).delay()
    assert still.run_due(due - timedelta(microseconds=1)) == 0
    assert still.run_due(due) == 1


@pytest.mark.parametrize("now", [datetime(2026, 1, 1), -1, 1.5, "now"])  # noqa: DTZ001 - naive on purpose
def test_run_due_refuses_what_is_no_instant(still: Scheduler, now: Any) -> None:
    with pytest.raises(InvalidValue, match="now must be"):
        still.run_due(now)


def test_run_due_works_under_freezegun(app: Scheduler) -> None:
    @app.task
    def hello() -> None: ...

    with freeze_time("2026-01-01 00:00:00") as frozen:
        hello.delay(countdown=900)
        assert app.run_due() == 0
        frozen.tick(899)
        assert app.run_due() == 0
        frozen.tick(1)
        assert app.run_due() == 1


def test_run_due_catches_up_after_two_hours_with_thousands_due_each_exactly_once(
    still: Scheduler, clock: FakeClock
) -> None:
    ran: list[int] = []

    @still.task
    def note(n: int) -> None:
        ran.append(n)

    for n in range(3000):
        note.delay(n, countdown=n * 2.4)
    clock.advance(7200)
    assert still.run_due() == 3000
    assert ran == list(range(3000))


def test_run_due_gives_back_the_rest_of_a_batch_when_a_job_is_slow(still: Scheduler, clock: FakeClock) -> None:
    running: list[int] = []

    @still.task
    def slow_from_fifty_on(n: int) -> None:
        if n >= 50:
            running.append(still.store.stats(0).running)
            clock.advance(2)

    for n in range(60):
        slow_from_fifty_on.delay(n)
    assert still.run_due() == 60
    assert running[0] > 5, "claimed in a batch, as short as the jobs had been"
    assert running[1:] == [1] * 9, "the others of that batch were given back, and claimed one by one"


def test_interrupt_during_run_due_reaches_the_caller_and_every_claim_is_settled(still: Scheduler) -> None:
    ran: list[int] = []

    @still.task
    def interrupted(n: int) -> None:
        ran.append(n)
        if n == 5:
            raise KeyboardInterrupt

    for n in range(10):
        interrupted.delay(n)
    with pytest.raises(KeyboardInterrupt):
        still.run_due()
    stats = still.store.stats(0)
    assert (stats.succeeded, stats.failed, stats.running, stats.scheduled) == (5, 1, 0, 4)
    assert still.run_due() == 4
    assert ran == list(range(10))


def test_ctrl_c_of_run_due_made_the_job_fail_that_it_had_struck(still: Scheduler) -> None:
    before = signal.getsignal(signal.SIGINT)

    @still.task
    def long() -> None:
        signal.raise_signal(signal.SIGINT)

    jobs = [long.delay(), long.apply_async(acks_early=True)]
    for _ in jobs:
        with pytest.raises(KeyboardInterrupt):
            still.run_due()
        still.store.cancel([jobs[0].id], 0)
    assert [job.state for job in jobs] == ["cancelled", "failed"]
    assert signal.getsignal(signal.SIGINT) is before


def test_job_that_adds_a_job_in_the_same_frozen_instant_finds_it_run(still: Scheduler) -> None:
    @still.task
    def chain(left: int) -> None:
        if left:
            chain.delay(left - 1)

    chain.delay(5)
    assert still.run_due() == 6


def test_run_due_has_a_current_job_with_a_growing_token(still: Scheduler, clock: FakeClock) -> None:
    tokens: list[int] = []

    @still.task
    def again() -> None:
        job = current_job()
        assert job is not None
        tokens.append(job.token)
        raise Retry(countdown=1, max_retries=2)

    again.delay()
    for _ in range(4):
        still.run_due()
        clock.advance(1)
    assert len(tokens) == 3
    assert tokens == sorted(set(tokens))


def test_queues_restrict_what_is_claimed(clock: FakeClock) -> None:
    store = MemoryStore()
    mail = Scheduler(store, clock=clock, queues=["mail"])
    mail.send_task("a", queue="mail")
    mail.send_task("b", queue="other")
    assert mail.run_due() == 1
    assert mail.run_due() == 0
    assert Scheduler(store, clock=clock).run_due() == 2  # it looks at both, and knows neither


# ---- run -------------------------------------------------------------------------------------------------


def test_run_in_another_thread_blocks_until_stop_and_leaves_signals_alone(app: Scheduler) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]

    @app.task
    def hello() -> str:
        return "hello"

    thread = threading.Thread(target=app.run)
    thread.start()
    assert hello.delay().get(timeout=LONG_S) == "hello"
    assert thread.is_alive()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers
    app.stop()
    thread.join(LONG_S)
    assert not thread.is_alive()


def test_run_ends_with_an_error_when_the_ticker_dies(app: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hourwheel.worker.outage._FIRST_S", 0.0)
    app.store.claim = lambda *args, **kwargs: 1 / 0  # type: ignore[method-assign,assignment]
    with pytest.raises(SchedulerError, match="ZeroDivisionError"):
        app.run()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_run_and_the_handlers_from_before_are_put_back(app: Scheduler, number: signal.Signals) -> None:
    before = signal.getsignal(number)

    @app.task
    def kill() -> None:
        signal.raise_signal(number)  # a signal raised in a thread is handled by the main one

    kill.delay()
    assert app.run() == []
    assert signal.getsignal(number) is before
    assert not app.running


def test_run_writes_to_stderr_only_where_nobody_else_would(app: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    seen: list[int] = []

    @app.task
    def look() -> None:
        seen.append(len(logging.getLogger("hourwheel").handlers))
        app.stop()

    look.delay()
    app.run()
    monkeypatch.setattr(root, "handlers", [logging.NullHandler()])
    look.delay()
    app.run()
    assert seen == [1, 0]
    assert logging.getLogger("hourwheel").handlers == []
