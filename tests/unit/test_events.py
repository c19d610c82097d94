"""Hooks: who is told what, and that one that raises harms nobody."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hourwheel import Events, Hook, InvalidValue, Retry, Scheduler, Snooze
from hourwheel.store import MemoryStore
from hourwheel.testing import FakeClock

ALL = Events.__slots__


@pytest.fixture
def app() -> Iterator[Scheduler]:
    app = Scheduler(MemoryStore(), clock=FakeClock(1_000_000))
    yield app
    assert app.store.check() == []


@pytest.fixture
def told(app: Scheduler) -> list[tuple[str, tuple[Any, ...]]]:
    """Every event of ``app``, as it comes."""
    found: list[tuple[str, tuple[Any, ...]]] = []
    for name in ALL:
        getattr(app.on, name)(lambda *args, name=name: found.append((name, args)))
    return found


def names(told: list[tuple[str, tuple[Any, ...]]]) -> list[str]:
    return [name for name, _ in told]


def test_life_of_a_job_that_succeeds(app: Scheduler, told: list[Any]) -> None:
    @app.task
    def double(number: int) -> int:
        return 2 * number

    result = double.delay(4)
    app.run_due()
    assert names(told) == ["before_add", "received", "started", "succeeded"]
    assert {args[0].id for _, args in told} == {result.id}
    assert told[3][1][1:] == (8, 0.0)


def test_life_of_a_job_that_is_retried_and_fails(app: Scheduler, told: list[Any]) -> None:
    @app.task(autoretry_for=OSError, max_retries=1, default_retry_delay=0)
    def fails() -> None:
        raise OSError("down")

    fails.delay()
    app.run_due()
    assert names(told) == ["before_add", "received", "started", "retried", "received", "started", "failed"]
    _, error, due_ms = told[3][1]
    assert (str(error), due_ms) == ("down", 1_000_000)
    assert str(told[6][1][1]) == "down"


def test_a_retry_tells_of_the_reason_and_not_of_itself(app: Scheduler, told: list[Any]) -> None:
    @app.task
    def fails() -> None:
        raise Retry(countdown=1) from OSError("down")

    fails.delay()
    app.run_due()
    assert isinstance(told[3][1][1], OSError)


def test_a_snooze_is_told_with_its_instant(app: Scheduler, told: list[Any]) -> None:
    @app.task
    def not_yet() -> None:
        raise Snooze(5)

    not_yet.delay()
    app.run_due()
    assert (told[3][0], told[3][1][1]) == ("snoozed", 1_005_000)


def test_cancelling_is_told_by_who_won_only(app: Scheduler, told: list[Any]) -> None:
    @app.task
    def never() -> None: ...

    result = never.after(60).delay()
    result.cancel()
    result.cancel()
    assert told[1:] == [("cancelled", (result.id,))]


def test_many_calls_are_told_one_by_one(app: Scheduler, told: list[Any]) -> None:
    @app.task
    def never(number: int) -> None: ...

    results = app.schedule_many(never, [((n,), {}) for n in range(3)], countdown=60)
    assert [args[0].id for _, args in told] == results.ids


def test_begin_and_end_of_a_scheduler_are_told(told: list[Any], app: Scheduler) -> None:
    with app:
        begun = [("worker_init", (app,)), ("worker_process_init", (app,)), ("worker_ready", (app,))]
        assert told == begun
    assert told == [*begun, ("worker_process_shutdown", (app,)), ("shutdown", (app,))]


def test_a_hook_that_raises_is_logged_and_nothing_else_changes(
    app: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    after: list[object] = []

    def broken(*_: object) -> None:
        raise RuntimeError("broken hook")

    for name in ALL:
        getattr(app.on, name)(broken)
    app.on.succeeded(lambda job, result, seconds: after.append(result))

    @app.task
    def double(number: int) -> int:
        return 2 * number

    with caplog.at_level(logging.ERROR, logger="hourwheel.events"):
        result = double.delay(4)
        app.run_due()
        with app:
            pass
    assert (result.get(), after) == (8, [8])
    assert {record.getMessage().split(" of ")[-1].split()[0] for record in caplog.records} >= {
        "before_add", "received", "started", "succeeded", "worker_ready", "shutdown"
    }  # fmt: skip


def test_a_hook_is_called_once_however_often_it_is_set_and_not_after_it_was_removed() -> None:
    hook: Hook[[int]] = Hook("failed")
    seen: list[int] = []
    assert hook(seen.append) == seen.append
    hook.connect(seen.append)
    assert (bool(hook), repr(hook)) == (True, "<Hook failed: 1 functions>")
    hook.tell(1)
    hook.disconnect(seen.append)
    hook.tell(2)
    assert (seen, bool(hook)) == ([1], False)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(InvalidValue, match="hook must be a function, got 3"):
        Hook("failed")(3)  # type: ignore[arg-type]


def test_hooks_are_told_in_the_order_in_which_they_were_set() -> None:
    hook: Hook[[]] = Hook("shutdown")
    seen: list[str] = []
    hook(lambda: seen.append("first"))
    hook(lambda: seen.append("second"))
    hook.tell()
    assert seen == ["first", "second"]


def test_a_pool_of_processes_leaves_it_to_them_to_tell_that_they_begin() -> None:
    app = Scheduler(MemoryStore(), pool="processes", workers=1)
    told: list[Scheduler] = []
    app.on.worker_process_init(told.append)
    app.life._new_ticker(app.store, [])
    assert told == []
