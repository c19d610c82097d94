"""A task, a call or a result that is used as if it were another of them: the error says what to write."""

from __future__ import annotations

import asyncio
import copy
import functools
import pickle
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hourwheel import (
    AsyncResult,
    HourwheelError,
    InvalidValue,
    JobFailed,
    PayloadError,
    Scheduler,
    Task,
    WrongUse,
    every,
    group,
)
from hourwheel.store import MemoryStore
from hourwheel.wrong_use import OF_CALL, OF_RESULT, OF_SCHEDULER, OF_TASK


@pytest.fixture
def app() -> Scheduler:
    return Scheduler(MemoryStore())


@pytest.fixture
def add(app: Scheduler) -> Task[..., int]:
    @app.task(name="add")
    def add(*numbers: int) -> int:
        return sum(numbers)

    return add


def said(use: Callable[[], object], kind: type[Exception] = WrongUse) -> str:
    with pytest.raises(kind) as caught:
        use()
    return str(caught.value)


# ---- a method of a result, looked for on the task ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["get", "aget", "ready", "result", "state", "id", "successful", "traceback"])
def test_what_a_result_has_is_not_looked_for_on_a_task_or_on_a_call_in_vain(add: Task[..., int], name: str) -> None:
    assert f"task.delay(...).{name}" in said(lambda: getattr(add, name))
    assert f"task.delay(...).{name}" in said(lambda: getattr(add.after(3), name))
    assert f"signature.delay().{name}" in said(lambda: getattr(add.s(1), name))
    assert f"signature.delay().{name}" in said(lambda: getattr(add.s(1) | add.s(2), name))
    assert f"signature.delay().{name}" in said(lambda: getattr(group(add.s(1)), name))


def test_the_message_names_what_is_there_and_what_to_write(add: Task[..., int]) -> None:
    assert said(lambda: add.get()) == "a task has no 'get'; write task.delay(...).get()"


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("send", "task.delay(...)"),
        ("enqueue", "task.delay(...)"),
        ("schedule", "task.after(seconds).delay(...)"),
        ("send_with_options", "task.apply_async("),
        ("call_local", "task(...)"),
        ("enqueue_at", "task.at(moment)"),
    ],
)
def test_the_names_of_other_libraries_lead_to_ours(add: Task[..., int], name: str, instead: str) -> None:
    assert instead in said(lambda: getattr(add, name))


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("add_job", "app.add_periodic_task(schedule, task)"),
        ("enqueue", "task.delay(...)"),
        ("scheduled_job", "@app.periodic(schedule)"),
        ("run_pending", "app.run_due()"),
        ("shutdown", "app.stop("),
    ],
)
def test_the_schedulers_of_other_libraries_lead_to_ours(app: Scheduler, name: str, instead: str) -> None:
    assert instead in said(lambda: getattr(app, name))


def test_options_alone_are_no_call(add: Task[..., int]) -> None:
    wrong: Any = add.after(60)
    assert "with .delay" in said(lambda: wrong(7))


def test_what_to_write_exists(app: Scheduler, add: Task[..., int]) -> None:
    """The advice is kept when something is renamed, and is not given for what is there by now."""
    signature, result = add.s(1), add.delay(1)
    for thing, instead in ((add, OF_TASK), (signature, OF_CALL), (result, OF_RESULT), (app, OF_SCHEDULER)):
        assert [name for name in instead if hasattr(type(thing), name)] == []
    things = {"task": add, "signature": signature, "result": result, "app": app}
    advice = "; ".join([*OF_TASK.values(), *OF_CALL.values(), *OF_RESULT.values(), *OF_SCHEDULER.values()])
    steps = re.findall(r"\b(task|signature|result|app)\.(\w+)", advice)
    assert len(steps) > 40
    assert [step for step in steps if not hasattr(things[step[0]], step[1])] == []
    of_results = re.findall(r"\.delay\([^)]*\)\.(\w+)", advice)
    assert [name for name in of_results if not hasattr(result, name)] == []


def test_a_name_that_means_nothing_is_refused_in_pythons_words(add: Task[..., int]) -> None:
    assert said(lambda: add.delya(1), AttributeError) == "'Task' object has no attribute 'delya'"
    assert said(lambda: add.s(1).nothing, AttributeError) == "'Signature' object has no attribute 'nothing'"
    assert said(lambda: add.delay(1).nothing, AttributeError) == "'AsyncResult' object has no attribute 'nothing'"
    with pytest.raises(AttributeError) as caught:
        add.delya(1)
    assert (caught.value.name, caught.value.obj) == ("delya", add)  # so that Python adds "did you mean"


def test_an_attribute_error_inside_a_property_is_not_taken_for_a_missing_attribute(app: Scheduler) -> None:
    class Broken(MemoryStore):
        def get(self, ids: Any) -> Any:
            return self.no_such_thing(ids)

    result = AsyncResult("a", Scheduler(Broken()))
    assert said(lambda: result.state, AttributeError) == "'Broken' object has no attribute 'no_such_thing'"


def test_who_asks_whether_something_is_there_gets_an_answer(add: Task[..., int]) -> None:
    assert not hasattr(add, "get")
    assert not hasattr(add.s(1), "get")
    assert getattr(add.delay(1), "is_ready", None) is None
    assert {"get", "send"}.isdisjoint(dir(add))
    assert {"delay", "job"} <= {*dir(add)}
    assert issubclass(WrongUse, (HourwheelError, TypeError, AttributeError))


def test_tasks_calls_and_results_are_still_copied(add: Task[..., int]) -> None:
    signature = add.s(1) | add.s(2)
    assert repr(copy.copy(signature)) == repr(signature)
    assert copy.copy(add.delay(1)).id is not None
    assert str(pickle.loads(pickle.dumps(WrongUse("write this")))) == "write this"  # as from a worker process


def test_what_other_libraries_call_it_is_known_of_results(add: Task[..., int]) -> None:
    result = add.delay(1)
    assert said(lambda: result.is_ready()) == "a result has no 'is_ready'; write result.ready()"
    assert "result.get(timeout=seconds)" in said(lambda: result.get_result(block=True))
    assert "task.delay(...) for another call" in said(lambda: result.delay(2))


# ---- |, await -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda add: add | add,
        lambda add: add | add.s(1),
        lambda add: add.s(1) | add,
        lambda add: add.s(1) | add.after(3),
        lambda add: add.delay(1) | add.s(2),
        lambda add: add.s(1) | add.delay(2),
        lambda add: add | None,
        lambda add: [] | add,
    ],
)
def test_tasks_and_results_do_not_stand_beside_a_bar(add: Task[..., int], use: Callable[[Any], object]) -> None:
    assert "write task.s(...) | other.s(...)" in said(lambda: use(add))


def test_calls_do(app: Scheduler, add: Task[..., int]) -> None:
    joined = (add.s(1) | add.s(2)).delay()
    while not joined.ready():
        app.run_due()
    assert joined.get() == 3


async def wait_for(thing: Any) -> Any:
    return await thing


async def all_of(*things: Any) -> Any:
    return await asyncio.gather(*things)


def test_awaiting_delay_says_adelay_and_aget(add: Task[..., int]) -> None:
    for use in (wait_for, all_of):
        text = said(lambda use=use: asyncio.run(use(add.delay(1))))
        assert "await task.adelay(...)" in text
        assert "await result.aget()" in text


def test_what_may_be_awaited_is(app: Scheduler, add: Task[..., int]) -> None:
    async def main() -> int:
        result = await add.adelay(20, 1)
        await asyncio.to_thread(app.run_due)
        return await result.aget(timeout=5)

    assert asyncio.run(main()) == 21


# ---- arguments -----------------------------------------------------------------------------------------------------


def test_a_result_as_an_argument_is_to_be_its_id(app: Scheduler, add: Task[..., int]) -> None:
    result = add.delay(1)
    assert said(lambda: add.delay(result), PayloadError).endswith("pass an id, not an object: value.id")
    assert add.delay(result.id).state == "scheduled"


def test_a_coroutine_as_an_argument_is_to_be_awaited(add: Task[..., int]) -> None:
    async def number() -> int:
        return 3

    one = number()
    assert said(lambda: add.delay(one), PayloadError).endswith("pass await value")
    one.close()


def test_a_task_without_a_key_cannot_be_cancelled_as_a_whole(add: Task[..., int]) -> None:
    assert "keep the result of delay()" in said(add.cancel, InvalidValue)


# ---- decoration -----------------------------------------------------------------------------------------------------


def test_what_is_not_a_function_is_refused_with_what_was_meant(app: Scheduler, add: Task[..., int]) -> None:
    decorate: Any = app.task
    assert "write @app.task(name='mail')" in said(lambda: decorate("mail"), InvalidValue)
    assert "write @app.periodic(...)" in said(lambda: decorate(every(5)), InvalidValue)
    assert "it is a task already" in said(lambda: decorate(add), InvalidValue)
    assert "options are passed by name" in said(lambda: decorate(3), InvalidValue)


def test_periodic_without_its_schedule_says_where_it_stands(app: Scheduler, add: Task[..., int]) -> None:
    assert "@app.periodic(every(minutes=5))" in said(lambda: app.periodic(lambda: None), InvalidValue)
    swapped: Any = app.add_periodic_task
    assert "the schedule comes first" in said(lambda: swapped(add, 300), InvalidValue)


class Mailer:
    """What cannot be a task in a class, and what can."""

    def send(self, to: str) -> str:
        return to

    @classmethod
    def of_class(cls, to: str) -> str:
        return to

    @staticmethod
    def static(to: str) -> str:
        return to


def test_a_method_is_refused_where_it_is_decorated(app: Scheduler) -> None:
    assert "move it out of the class, or use @staticmethod" in said(lambda: app.task(Mailer.send), InvalidValue)
    in_class: Any = Mailer.__dict__["of_class"]
    assert "remove @classmethod" in said(lambda: app.task(in_class), InvalidValue)
    assert app.task(Mailer.static).delay("ann").state == "scheduled"


# ---- generators that a decorator hides -------------------------------------------------------------------------------


def hidden(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def around(*args: Any) -> Any:
        return fn(*args)

    return around


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("kind", ["generator", "asynchronous"])
def test_a_generator_that_a_decorator_hides_succeeded_though_none_of_its_code_had_run(
    app: Scheduler, kind: str, ignored: bool
) -> None:
    ran: list[int] = []

    def numbers() -> Any:
        ran.append(1)
        yield 1

    async def anumbers() -> Any:
        ran.append(1)
        yield 1

    made = app.task(name="numbers", ignore_result=ignored, autoretry_for=(Exception,))(
        hidden(numbers if kind == "generator" else anumbers)
    )
    result = made.delay()
    app.run_due()
    with pytest.raises(JobFailed, match=r"runs only if it is iterated over: return list\(value\)"):
        result.get()
    assert (ran, result.retries) == ([], 0)


def test_a_generator_that_its_decorator_runs_is_a_task(app: Scheduler) -> None:
    def numbers() -> Any:
        yield 1

    def listed(fn: Callable[..., Any]) -> Callable[..., Any]:
        return functools.wraps(fn)(lambda: list(fn()))

    result = app.task(name="numbers")(listed(numbers)).delay()
    app.run_due()
    assert result.get() == [1]


def test_an_ignored_result_may_still_be_anything_else(app: Scheduler) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    result = app.task(name="when", ignore_result=True)(lambda: moment).delay()
    app.run_due()
    assert (result.state, result.get()) == ("succeeded", None)
