"""Ignore, Reject, replace() and update_state(): in functions and coroutines, in workers and where a task is called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hourwheel.celery import Celery, Task, chain, group, signals
from hourwheel.celery.exceptions import Ignore, Reject
from hourwheel.errors import InvalidValue, PayloadError
from hourwheel.testing import travel

Run = Callable[..., None]
Make = Callable[[Callable[..., Any]], Any]


@pytest.fixture(params=["function", "coroutine"])
def make(request: pytest.FixtureRequest, app: Celery) -> Make:
    """Make a task of a function, or of a coroutine function that does the same after an await."""

    def make(function: Callable[..., Any]) -> Any:
        if request.param == "function":
            return app.task(bind=True, name=function.__name__)(function)

        async def later(self: Any, *args: Any) -> Any:
            await asyncio.sleep(0)
            return function(self, *args)

        return app.task(bind=True, name=function.__name__)(later)

    return make


def test_a_task_that_raises_ignore_has_the_state_that_it_has_said(make: Make, run: Run) -> None:
    def stop(self: Any) -> None:
        self.update_state(state="SKIPPED", meta={"why": "holiday"})
        raise Ignore

    def say_nothing(self: Any) -> None:
        raise Ignore

    stopped, silent = make(stop).delay(), make(say_nothing).delay()
    run()
    assert (stopped.state, stopped.info, stopped.get()) == ("SKIPPED", {"why": "holiday"}, None)
    assert (silent.state, silent.ready(), silent.failed()) == ("IGNORED", True, False)


def test_a_task_that_raises_reject_ends_or_runs_again(make: Make, run: Run) -> None:
    runs: list[int] = []

    def reject(self: Any) -> int:
        runs.append(1)
        if len(runs) < 3:
            raise Reject("not now", requeue=len(runs) == 1)
        return len(runs)

    again = make(reject).delay()
    run()
    run(1)
    assert (again.state, len(runs)) == ("REJECTED", 2)


def test_a_task_that_lets_others_take_its_place_has_their_result(app: Celery, make: Make) -> None:
    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    @app.task
    def fail() -> None:
        raise KeyError("user")

    places = {"one": add.s(1, 2), "two": group(add.s(1, 2), add.s(3, 4)), "three": chain(add.s(1, 2), add.s(4)),
        "none": group(), "bad": fail.s()}  # fmt: skip

    def ask(self: Any, which: str) -> Any:
        raise self.replace(places[which])

    task = make(ask)
    expected = {"one": 3, "two": [3, 7], "three": 7, "none": []}
    with app:
        assert {which: task.delay(which).get(timeout=20) for which in expected} == expected
        with pytest.raises(KeyError):
            task.delay("bad").get(timeout=20)
    for eager in (False, True):
        app.conf.task_always_eager = eager
        assert {which: task.apply((which,)).get() for which in expected} == expected
        assert isinstance(task.apply(("bad",)).result, KeyError)


@pytest.mark.parametrize("wrong", [None, chain(), "add"])
def test_nothing_that_can_be_called_takes_no_place(make: Make, wrong: Any) -> None:
    def ask(self: Any) -> None:
        self.replace(wrong)

    with pytest.raises(InvalidValue, match="sig must be a call"):
        make(ask).apply(throw=True)


def test_it_is_told_to_signals_and_not_taken_for_a_success(app: Celery, make: Make, run: Run) -> None:
    told: list[Any] = []

    class Watched(Task):
        def on_success(self, *_: Any) -> None:
            told.append("on_success")

    app.Task = Watched

    def stop(self: Any) -> None:
        raise Ignore("no need")

    def end(state: str = "", retval: Any = None, **_: Any) -> None:
        told.append((state, str(retval)))

    signals.task_postrun.connect(end, weak=False)
    signals.task_success.connect(end, weak=False)
    try:
        task = make(stop)
        task.delay()
        run()
        task.apply()
    finally:
        signals.task_postrun.disconnect(end)
        signals.task_success.disconnect(end)
    assert told == [("IGNORED", "no need")] * 2


def test_they_failed_where_a_task_was_called_because_its_job_is_in_no_store(app: Celery, make: Make) -> None:
    app.conf.update(task_always_eager=True, task_eager_propagates=True)

    def stop(self: Any) -> None:
        self.update_state(self.request.id, "PROGRESS", {"done": 1})
        raise Ignore("no need")

    def reject(self: Any) -> None:
        raise Reject("not now", requeue=True)

    def progress(self: Any) -> int:
        self.update_state(state="PROGRESS", meta={"done": 1})
        return 5

    def wrong(self: Any) -> None:
        self.update_state(state="PROGRESS", meta=object())

    ignored, rejected, done = make(stop).delay(), make(reject).delay(), make(progress).delay()
    assert [(one.state, one.get()) for one in (ignored, rejected, done)] == [
        ("IGNORED", None), ("REJECTED", None), ("SUCCESS", 5)
    ]  # fmt: skip
    assert (str(ignored.result), ignored.ready(), ignored.successful(), ignored.failed()) == (
        "no need", True, False, False
    )  # fmt: skip
    assert (make(progress).s() | make(reject).si() | make(wrong).si())().state == "REJECTED"
    with pytest.raises(PayloadError, match="meta"):
        make(wrong).delay()
    with pytest.raises(InvalidValue, match="the running job's"):
        app.task(bind=True, name="other")(lambda self: self.update_state("another", "PROGRESS")).delay()


def test_what_was_said_is_kept_in_travel(app: Celery, make: Make) -> None:
    app.conf.task_always_eager = True

    def stop(self: Any) -> None:
        self.update_state(state="SKIPPED", meta={"why": "holiday"})
        raise Ignore

    with travel(app):
        result = make(stop).delay()
        assert (result.state, result.info) == ("SKIPPED", {"why": "holiday"})


def test_a_coroutine_can_be_called_eagerly_from_within_a_loop(app: Celery, make: Make) -> None:
    app.conf.task_always_eager = True

    def double(self: Any, number: int) -> int:
        return number * 2

    task = make(double)

    async def view() -> Any:
        return task.delay(4).get()

    assert (task.delay(3).get(), asyncio.run(view())) == (6, 8)
