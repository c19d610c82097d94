"""One job's data costs that job and nothing else; what fails on our side is not taken for a failure of the job's."""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import Enum, IntEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hourwheel import Retry, Scheduler, Snooze, chain, chord, current_job, every, payload
from hourwheel.errors import InvalidValue, JobFailed, PayloadError, StoreBusy
from hourwheel.job import Claim, Failed, Job, Released, Snoozed, State, Succeeded
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.testing import FakeClock
from hourwheel.worker.run.failure import end_forked_child, failure_of
from hourwheel.worker.run.returned import encode_returned
from hourwheel.worker.run.runner import HELD_MS, Runner
from hourwheel.worker.settling import settle

LONG_S = 30.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def app(clock: FakeClock) -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), clock=clock, workers=2)
    yield app
    app.close()


@pytest.fixture
def live() -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), workers=2)
    yield app
    app.close()


def run_all(app: Scheduler) -> None:
    while app.run_due():
        pass


# ---- what a job is given of others -----------------------------------------------------------------------


def page(number: int, size: int = 1_000) -> str:
    return "x" * (size + number % 2)


def length(pages: list[str]) -> int:
    return sum(map(len, pages))


def test_a_chord_of_ten_results_of_30_kb_ended_the_ticker_and_every_worker_after_it(live: Scheduler) -> None:
    get, join, other = live.task(page), live.task(length), live.task(name="other")(lambda: "alive")
    with live:
        whole = chord([get.s(n, 30_000) for n in range(10)], join.s()).delay()
        assert whole.get(timeout=LONG_S) == 300_005
        assert other.delay().get(timeout=LONG_S) == "alive"
        assert live.running


def test_ten_thousand_results_of_a_kilobyte_are_a_chord_as_any_other(app: Scheduler) -> None:
    get, join = app.task(page), app.task(length)
    whole = chord([get.s(n) for n in range(10_000)], join.s()).delay()
    run_all(app)
    assert whole.result == 10_005_000


def test_results_that_are_too_much_together_fail_the_job_that_wants_them_and_nothing_else(
    app: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    get, join, wait = app.task(page), app.task(length), app.task(name="wait")(lambda _: None)
    errors: list[BaseException] = []
    app.on.failed(lambda _, error: errors.append(error))
    monkeypatch.setattr("hourwheel.worker.run.prepare.GATHERED_BYTES", 5_000)
    last = (chord([get.s(n) for n in range(10)], join.s()) | wait.s()).delay()
    waits = last.job()
    assert waits is not None and waits.after is not None
    [body] = waits.after.ids
    run_all(app)
    failed = app.store.get([body])[0]
    assert failed is not None and failed.state is State.FAILED and failed.error is not None
    assert "must be at most 5000 bytes of JSON" in failed.error.message
    assert [type(error) for error in errors] == [PayloadError]
    assert last.state == "failed"
    other = get.delay(1)
    run_all(app)
    assert other.state == "succeeded"


def test_a_job_sees_what_it_was_given_however_much_it_is(app: Scheduler) -> None:
    seen: list[Any] = []

    @app.task
    def look(*pages: str, tail: str) -> None:
        job = current_job()
        assert job is not None
        seen.append((job.args == pages, job.kwargs))

    chain(app.task(page).s(0, 262_000), look.s("y" * 500, tail="z" * 1_000)).delay()
    run_all(app)
    assert seen == [(True, {"tail": "z" * 1_000})]


def test_a_result_as_deep_as_can_be_reaches_the_next_job(app: Scheduler) -> None:
    deep: Any = 1
    for _ in range(payload.MAX_DEPTH):
        deep = [deep]
    bottom, got = app.task(name="bottom")(lambda: deep), []
    chord([bottom.s()], app.task(name="got")(got.append).s()).delay()
    run_all(app)
    assert got == [[deep]]


def test_a_store_that_fails_while_a_result_is_read_costs_the_job_no_attempt() -> None:
    def busy(_: str) -> Job | None:
        raise StoreBusy("held by pid 1")

    app = Scheduler(MemoryStore(), clock=FakeClock())
    last = chain(app.task(page).s(1), app.task(length).s()).delay()
    job = app.store.get([last.id])[0]
    assert job is not None
    runner = Runner(app.registry, app.clock, look=busy)
    outcome = runner(Claim(job, 1, "me"))
    assert isinstance(outcome, Snoozed) and "held by pid 1" in (outcome.reason or "")
    assert outcome.due_ms == app.clock.now_ms() + HELD_MS


# ---- what a function returns -----------------------------------------------------------------------------

Pair = namedtuple("Pair", "a b")


class Level(IntEnum):
    HIGH = 3


class Color(str, Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ((1, (2, 3)), [1, [2, 3]]),
        ({"rows": [(1, "a")]}, {"rows": [[1, "a"]]}),
        (Pair(1, Level.HIGH), [1, 3]),
        (OrderedDict({Color.RED: Color.RED}), {"red": "red"}),
    ],
)
def test_a_function_that_returns_a_tuple_sent_its_mail_three_times(app: Scheduler, value: Any, stored: Any) -> None:
    sent = []

    @app.task(autoretry_for=(Exception,), default_retry_delay=0)
    def send() -> Any:
        sent.append(1)
        return value

    result = send.delay()
    run_all(app)
    assert (result.result, len(sent)) == (stored, 1)
    assert type(result.result) is type(stored)


@pytest.mark.parametrize("value", [datetime(2026, 1, 1, tzinfo=UTC), {1: 2}, {1, 2}, object(), b"x", "x" * 300_000])
def test_a_result_that_cannot_be_stored_fails_the_job_once_and_does_no_work_twice(app: Scheduler, value: Any) -> None:
    sent, errors = [], []
    app.on.failed(lambda _, error: errors.append(type(error)))

    @app.task(autoretry_for=(Exception,), default_retry_delay=0)
    def send() -> Any:
        sent.append(1)
        return value

    result = send.delay()
    run_all(app)
    job = result.job()
    assert job is not None and job.reason == "it has returned, but its result cannot be stored; it is not retried"
    assert (result.state, len(sent), errors) == ("failed", 1, [PayloadError])


def test_ignore_result_takes_whatever_is_returned_for_the_task_or_for_one_call(app: Scheduler) -> None:
    seen: list[Any] = []
    app.on.succeeded(lambda _job, value, _seconds: seen.append(value))
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    always = app.task(name="always", ignore_result=True)(lambda: moment)
    once = app.task(name="once")(lambda: moment)
    results = [always.delay(), once.apply_async(ignore_result=True), always.apply_async(ignore_result=False)]
    run_all(app)
    assert [result.state for result in results] == ["succeeded", "succeeded", "failed"]
    assert ([result.result for result in results[:2]], seen) == ([None, None], [moment, moment])
    with pytest.raises(InvalidValue, match="ignore_result must be True or False, got 1"):
        once.options(ignore_result=1)


def test_ignore_result_is_on_the_disk(tmp_path: Path) -> None:
    with_option = Job(id="a", task="t", due_ms=1, ignore_result=True)
    store = JsonStore(tmp_path / "t.json", durability="os")
    store.add([with_option], 0)
    store.compact()
    store.close()
    again = JsonStore(tmp_path / "t.json", durability="os")
    assert again.get(["a"])[0] == with_option
    again.close()


class Loud(list):  # type: ignore[type-arg]
    def __iter__(self) -> Iterator[Any]:
        raise SystemExit("asked")


def test_making_a_result_plain_asks_none_of_its_methods_and_ends_for_any_shape() -> None:
    assert encode_returned(Loud([1])) == "[1]"
    loop: list[Any] = [(1,)]
    loop += [loop, loop]
    with pytest.raises(PayloadError):
        encode_returned(loop)


# ---- what a function raises ------------------------------------------------------------------------------


class Sub(str):  # noqa: SLOT000
    def __len__(self) -> int:
        raise RuntimeError("no length")


def raising(*names: str) -> BaseException:
    def fail(*_: object) -> Any:
        raise SystemExit("asked")

    fields: dict[str, Any] = {name: property(fail) if name != "__str__" else fail for name in names}
    return type("Hostile", (Exception,), fields)()  # type: ignore[no-any-return]


def deep_group() -> BaseException:
    group: Exception = ValueError("in the middle")
    for _ in range(3_000):
        group = ExceptionGroup("deep", [group])
    return group


def long_chain() -> BaseException:
    error: BaseException = ValueError("first")
    for number in range(5_000):
        after = ValueError(number)
        after.__context__, error = error, after
    return error


class Odd(Exception):
    def __str__(self) -> str:
        return Sub("words")


Odd.__module__ = SimpleNamespace(__format__=lambda: 1)  # type: ignore[assignment]
HOSTILE: list[Callable[[], BaseException]] = [
    lambda: raising("__str__"),
    lambda: raising("__class__"),
    lambda: raising("__traceback__"),
    lambda: raising("__cause__", "__context__", "__suppress_context__"),
    lambda: raising("__str__", "__repr__", "__class__", "__traceback__", "__dict__", "__notes__"),
    Odd,
    deep_group,
    long_chain,
    lambda: ValueError("\x1b[2J \0 \n"),
    lambda: ValueError("x" * 10_000_000),
    lambda: SystemExit(raising("__str__")),
    lambda: GeneratorExit(),
    lambda: MemoryError(),
    lambda: StopIteration(3),
    lambda: StopAsyncIteration(3),
]


@pytest.mark.parametrize("make", HOSTILE)
@pytest.mark.parametrize("retried", [False, True])
def test_an_exception_that_does_harm_when_it_is_looked_at_costs_its_job_and_no_worker(
    make: Callable[[], BaseException], retried: bool
) -> None:
    store = MemoryStore()
    app = Scheduler(store, workers=1)
    on = (Exception,) if retried else ()

    @app.task(autoretry_for=on, max_retries=1, default_retry_delay=0)
    def bad() -> None:
        raise make()

    good = app.task(name="good")(lambda: "good")
    with app:
        results = [bad.delay(), good.delay(), good.delay()]
        assert [result.get(timeout=LONG_S) for result in results[1:]] == ["good", "good"]
        with pytest.raises(JobFailed):
            results[0].get(timeout=LONG_S)
    assert (store.stats(0).running, results[0].state) == (0, "failed")


@pytest.mark.parametrize("asked", [Retry("x"), Snooze(5)])
def test_a_retry_or_snooze_that_was_tampered_with_fails_its_job(app: Scheduler, asked: Any) -> None:
    asked.countdown = "soon"

    @app.task
    def bad() -> None:
        raise asked

    result = bad.delay()
    run_all(app)
    job = result.job()
    assert job is not None and job.state is State.FAILED
    assert job.error is not None and "countdown" in job.error.message


def test_a_reason_of_twenty_megabytes_is_cut_before_it_is_stored(tmp_path: Path) -> None:
    app = Scheduler(JsonStore(tmp_path / "t.json", durability="os"), clock=FakeClock())

    @app.task
    def bad() -> None:
        raise Snooze(5, reason="x" * 20_000_000)

    result = bad.delay()
    assert app.run_due() == 1
    job = result.job()
    assert job is not None and len(job.reason or "") < 2_200
    app.close()


def test_a_payload_that_cannot_be_read_is_not_tried_again(app: Scheduler) -> None:
    task = app.task(name="t", autoretry_for=(Exception,))(lambda: None)
    job = Job(id="j", task="t", due_ms=0, payload='[[{"a":1,"a":2}],{}]')
    outcome = Runner(app.registry, app.clock)(Claim(job, 1, "me"))
    assert isinstance(outcome, Failed) and "PayloadError" in outcome.error.type
    assert task.retrying.covers(PayloadError("x"))  # what the function itself raises is its own


def test_a_thread_that_cannot_be_had_for_a_time_limit_was_a_failure_of_the_job(app: Scheduler) -> None:
    def no_thread(_limits: Any, _call: Any) -> Any:
        raise RuntimeError("can't start new thread")

    app.task(name="t", soft_time_limit=5, autoretry_for=(Exception,))(lambda: None)
    outcome = Runner(app.registry, app.clock, guard=no_thread)(Claim(Job(id="j", task="t", due_ms=0), 1, "me"))
    assert isinstance(outcome, Snoozed) and outcome.reason == "it could not be started: can't start new thread"


def test_a_child_that_a_job_has_forked_ends_whatever_the_exception_does_that_it_comes_back_with() -> None:
    for error, status in ((raising("__str__", "__class__"), 1), (SystemExit(3), 3), (SystemExit("x"), 1), (None, 0)):
        pid = os.fork()
        if not pid:
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                end_forked_child(error)
            finally:
                os._exit(99)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status


def test_a_message_that_is_a_str_of_another_kind_is_kept_as_plain_text() -> None:
    assert type(failure_of(Odd()).message) is str


# ---- logging and hooks -----------------------------------------------------------------------------------


class Broken(logging.Handler):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def emit(self, _: logging.LogRecord) -> None:
        raise self.error


class Filters(logging.Filter):
    def filter(self, _: logging.LogRecord) -> bool:
        raise SystemExit("asked")


@pytest.mark.parametrize(
    "error", [ValueError("x"), SystemExit(1), KeyboardInterrupt(), MemoryError(), RecursionError()]
)
@pytest.mark.parametrize("where", ["handler", "filter", "hook"])
def test_a_log_handler_that_raised_ended_the_ticker_and_calls_went_on_being_accepted(
    live: Scheduler, error: BaseException, where: str
) -> None:
    logger = logging.getLogger("hourwheel")
    handler, level = Broken(error), logger.level

    def broken(*_: object) -> None:
        raise error

    if where == "hook":
        for name in ("received", "started", "succeeded", "failed", "retried", "worker_ready", "shutdown"):
            if isinstance(error, Exception) or name not in ("worker_ready",):
                getattr(live.on, name)(broken)
    logger.setLevel(logging.DEBUG)
    if where != "hook":
        logger.addHandler(handler)
    if where == "filter":
        handler.addFilter(Filters())
    try:
        task, bad = live.task(name="t")(lambda: "ran"), live.task(name="bad")(lambda: 1 / 0)
        with live:
            bad.delay()
            assert [task.delay().get(timeout=LONG_S) for _ in range(3)] == ["ran"] * 3
            assert live.running
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert live.store.stats(0).running == 0


def test_ctrl_c_in_a_hook_of_the_main_thread_is_a_persons_and_gives_the_claims_back(app: Scheduler) -> None:
    @app.on.received
    def stop(_: Job) -> None:
        raise KeyboardInterrupt

    app.task(name="t")(lambda: None).delay()
    with pytest.raises(KeyboardInterrupt):
        app.run_due()
    assert (app.store.stats(0).running, app.store.stats(0).scheduled) == (0, 1)


# ---- settling --------------------------------------------------------------------------------------------


def test_an_outcome_that_cannot_be_written_does_not_keep_its_neighbours_from_being_settled(tmp_path: Path) -> None:
    store = JsonStore(tmp_path / "t.json", durability="os")
    store.add([Job(id=f"j{n}", task="t", due_ms=1) for n in range(4)], 0)
    claims = store.claim("me", 2, 10)
    worse: Any = Failed(error=failure_of(ValueError("x")), reason=object())  # type: ignore[arg-type]
    outcomes = [Succeeded(), worse, Snoozed(due_ms=9), Released()]
    settlements: Any = list(zip(claims, outcomes, strict=True))
    assert settle(store, settlements, 3) == []
    assert settlements == []
    found = [store.get([f"j{n}"])[0] for n in range(4)]
    assert [job and job.state for job in found] == ["succeeded", "failed", "scheduled", "scheduled"]
    assert found[1] is not None and found[1].reason == "its outcome could not be recorded"
    store.close()


# ---- schedules -------------------------------------------------------------------------------------------


class Fails:
    """A schedule of the user's own."""

    spec = "fails"

    def __init__(self, after: Callable[[int], int | None]) -> None:
        self.after = after

    def localized(self, _: Any) -> Fails:
        return self


def test_a_schedule_of_the_users_own_that_raises_stopped_every_job_of_the_worker(
    app: Scheduler, clock: FakeClock
) -> None:
    ran: list[str] = []
    broken = False

    def after(at_ms: int) -> int:
        if broken:
            raise LookupError("no calendar")
        return at_ms + 1_000

    app.periodic(Fails(after), name="own")(lambda: ran.append("own"))  # type: ignore[arg-type]
    app.periodic(every(1), name="good")(lambda: ran.append("good"))
    app.run_due()
    broken = True
    clock.advance(2)
    app.run_due()
    assert ran.count("good") == 1 and ran.count("own") <= 1
    broken = False
    clock.advance(70)
    app.run_due()
    assert sorted(set(ran)) == ["good", "own"]


def test_a_coalesced_run_was_told_that_nothing_had_been_missed(app: Scheduler, clock: FakeClock) -> None:
    seen: list[Any] = []

    @app.periodic(every(60), name="t")
    def tick() -> None:
        job = current_job()
        assert job is not None
        stored = app.store.get([job.id])[0]
        assert stored is not None
        seen.append((job.fire, stored.fire, job.key, stored.key))

    app.run_due()
    clock.advance(185)
    app.run_due()
    [(fire, stored, key, stored_key)] = seen
    assert fire == stored and fire.missed == 2 and key is stored_key is None


# ---- beginning -------------------------------------------------------------------------------------------


def test_the_first_jobs_ran_before_worker_ready_had_opened_the_database(live: Scheduler) -> None:
    told: list[str] = []
    first = live.task(name="first")(lambda: list(told))
    claim = live.store.claim
    live.store.claim = lambda *a, **k: (told.append("claim"), claim(*a, **k))[1]  # type: ignore[method-assign]
    live.on.worker_init(lambda _: told.append("init"))
    live.on.worker_ready(lambda app: (told.append("ready"), app.start()))
    result = first.delay()
    with live:
        assert result.get(timeout=LONG_S)[:3] == ["init", "ready", "claim"]


def test_a_worker_ready_that_stops_the_scheduler_stops_it(live: Scheduler) -> None:
    live.on.worker_ready(lambda app: app.stop(0))
    with live:
        assert not live.running
    assert all("ticker" not in thread.name for thread in threading.enumerate() if not thread.daemon)
