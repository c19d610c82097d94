"""Names, under which jobs are stored: whoever asks comes to the same one, and no two functions to one."""

from __future__ import annotations

import functools
import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hourwheel import InvalidValue, Scheduler, every
from hourwheel.store import MemoryStore
from hourwheel.tasks.naming import checked_name
from hourwheel.tasks.registry import Registry
from hourwheel.tasks.sameness import Sameness, sameness
from hourwheel.tasks.task import Task


@pytest.fixture
def app() -> Scheduler:
    return Scheduler(MemoryStore())


# ---- two functions of one name -----------------------------------------------------------------------------


def test_a_job_of_one_closure_does_not_run_another_closures_code(app: Scheduler) -> None:
    def make(more: int) -> Any:
        @app.task
        def inner(number: int) -> int:
            return number + more

        return inner

    first = make(1)
    with pytest.raises(InvalidValue, match=r"name must be unique: another .*inner\(\) .*give each its own name="):
        make(100)
    result = first.delay(1)
    app.run_due()
    assert result.get() == 2


def test_closures_that_are_given_names_stand_side_by_side(app: Scheduler) -> None:
    def make(more: int) -> Any:
        def inner(number: int) -> int:
            return number + more

        return app.task(name=f"add {more}")(inner)

    results = [make(more).delay(1) for more in (1, 100)]
    app.run_due()
    assert [result.get() for result in results] == [2, 101]


def test_functions_made_in_a_loop_do_not_run_the_last_ones_defaults(app: Scheduler) -> None:
    with pytest.raises(InvalidValue, match="name must be unique"):
        for word in ("x", "y"):

            @app.task
            def handler(said: str = word) -> str:
                return said


def test_a_factory_that_is_called_twice_and_makes_the_same_is_no_quarrel(app: Scheduler) -> None:
    def create() -> Any:
        @app.task
        def ping(times: int = 1, tags: list[str] = [], *, how: dict[str, int] = {}) -> str:  # noqa: B006 - as some write
            return "pong" * times

        return ping

    create()
    result = create().delay()
    app.run_due()
    assert result.get() == "pong"


def test_functions_of_two_branches_of_a_factory_are_two(app: Scheduler) -> None:
    def make(loud: bool) -> Any:
        if loud:

            def say() -> str:
                return "HELLO"
        else:

            def say() -> str:
                return "hello"

        return app.task(say)

    make(True)
    with pytest.raises(InvalidValue, match="name must be unique"):
        make(False)


def test_a_method_and_a_function_within_a_function_of_one_dotted_name_are_two() -> None:
    def one() -> None: ...
    def two() -> None: ...

    one.__qualname__, two.__qualname__ = "make.<locals>.inner", "make.inner"
    registry = Registry()
    registry.add(Task(one, None))
    with pytest.raises(InvalidValue, match="name must be unique"):
        registry.add(Task(two, None))


def test_tasks_under_a_decorator_without_wraps_are_refused_and_not_mixed_up(app: Scheduler) -> None:
    def loud(fn: Callable[[], str]) -> Callable[[], str]:
        def wrapper() -> str:
            return fn().upper()

        return wrapper

    app.task(loud(lambda: "a"))
    with pytest.raises(InvalidValue, match=r"functools\.wraps"):
        app.task(loud(lambda: "b"))


def test_two_wrappings_of_one_function_are_two(app: Scheduler) -> None:
    def times(count: int) -> Any:
        def decorate(fn: Callable[[], str]) -> Callable[[], str]:
            @functools.wraps(fn)
            def wrapper() -> str:
                return fn() * count

            return wrapper

        return decorate

    def word() -> str:
        return "a"

    app.task(times(1)(word))
    app.task(times(1)(word))
    with pytest.raises(InvalidValue, match="name must be unique"):
        app.task(times(2)(word))


class Mailer:
    def __init__(self, sender: str) -> None:
        self.sender = sender

    def send(self) -> str:
        return self.sender

    def __call__(self) -> str:
        return self.sender


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda one: Mailer(one).send, id="methods of two objects"),
        pytest.param(Mailer, id="objects that can be called"),
        pytest.param(lambda one: functools.partial(Mailer, one), id="partials"),
        pytest.param(lambda one: lambda: one, id="lambdas"),
    ],
)
def test_what_is_bound_to_something_else_is_something_else(app: Scheduler, made: Any) -> None:
    app.task(name="send")(made("ann"))
    with pytest.raises(InvalidValue, match="name must be unique"):
        app.task(name="send")(made("bob"))


def test_a_cached_function_of_a_script_that_is_imported_too_is_the_same() -> None:
    def made(more: int = 1) -> Any:
        @functools.lru_cache
        def cached() -> int:
            return more

        return cached

    assert sameness(made(), made()) is Sameness.SAME
    assert sameness(made(1), made(2)) is Sameness.OTHER


def test_a_partial_or_a_method_of_the_same_object_again_is_the_same() -> None:
    ann = Mailer("ann")
    assert sameness(ann.send, ann.send) is Sameness.SAME
    assert sameness(functools.partial(print, 1), functools.partial(print, 1)) is Sameness.SAME
    assert sameness(functools.partial(print, 1), functools.partial(print, 2)) is Sameness.OTHER


# ---- the same function, anew -------------------------------------------------------------------------------

_CELL = """
@app.task
def clean():
    return {}

def make(more):
    @app.task(name="made")
    def inner():
        return more + {}
    return inner

made = make({})
tell = app.task(name="tell")(lambda: {})
"""


def _run_cell(app: Scheduler, number: int, cell: str = "<ipython-input-1>", space: dict[str, Any] | None = None) -> Any:
    found = {"__name__": "__main__"} if space is None else space
    found["app"] = app
    exec(compile(_CELL.format(number, number, number, number), cell, "exec"), found)
    return found


def test_a_notebooks_cell_may_be_run_again_and_edited_and_the_newest_function_runs(
    app: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    space = _run_cell(app, 1)
    _run_cell(app, 1, space=space)
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING, "hourwheel.registry"):
        del space["tell"], app.registry._tasks["tell"]  # a lambda has no place by which it could be known again
        _run_cell(app, 2, "<ipython-input-2>", space)
    assert "clean was redefined: all its jobs, including stored ones, run the new function" in caplog.text
    results = [space[name].delay() for name in ("clean", "made", "tell")]
    app.run_due()
    assert [result.get() for result in results] == [2, 4, 2]


def test_a_module_may_be_reloaded_and_edited(app: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr("builtins.the_app", app, raising=False)
    text = "app = the_app" + _CELL.replace("tell = ", "# ")
    for number in (1, 1, 2):
        file = tmp_path / "reloaded_shop.py"
        file.write_text(text.format(number, number, number, number) + "#" * number)
        importlib.invalidate_caches()
        module = importlib.import_module("reloaded_shop")
        importlib.reload(module)
    results = [module.clean.delay(), module.made.delay()]
    app.run_due()
    assert [result.get() for result in results] == [2, 4]


# ---- what a name may be ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["__main__.clean", "<stdin>.clean", "daily report", "ежедневно.отчёт", "日報", "a" * 200]
)
def test_a_schedule_may_be_called_what_a_task_may_be_called(app: Scheduler, name: str) -> None:
    app.periodic(every(60), name=name)(lambda: None)
    assert [one.name for one in app.schedules] == [name]
    assert app.send_task(name).name == name


@pytest.mark.parametrize(
    "name", ["", " ", " a", "a ", "a\nb", "a\tb", "a\x00", "a\u200bb", "a\ud800", "a" * 201, 7, None]
)
def test_a_name_that_cannot_be_seen_as_it_is_is_refused_for_both(app: Scheduler, name: Any) -> None:
    with pytest.raises(InvalidValue, match="name must be 1 to 200 visible characters"):
        checked_name("name", name)
    if name is not None:
        with pytest.raises(InvalidValue, match="name must be"):
            app.add_beat_schedule({name: {"task": "t", "schedule": 5}})


def test_a_blank_in_a_name_does_not_make_two_tasks_share_a_limit(app: Scheduler) -> None:
    one = app.send_task("sync all", concurrency=1).job()
    other = app.send_task("sync", concurrency=1, limit_key="all").job()
    assert one is not None and other is not None
    assert one.limits != other.limits
