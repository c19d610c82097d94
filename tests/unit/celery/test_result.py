"""Results in Celery's words, as front ends compare them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hourwheel.celery import Celery, group
from hourwheel.celery.exceptions import TaskRevokedError, TimeoutError
from hourwheel.celery.result import AsyncResult, GroupResult, allow_join_result, result_from_tuple
from hourwheel.errors import HourwheelError, JobFailed

Run = Callable[..., None]


class NeedsTwo(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")
        self.one = one


class Odd(Exception):
    def __new__(cls, needed: int) -> Odd:
        return super().__new__(cls)


@pytest.fixture
def tasks(app: Celery) -> dict[str, Any]:
    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    @app.task
    def fail(kind: str) -> None:
        raise {"two": NeedsTwo(1, 2), "key": KeyError("user"), "odd": Odd(1), "exit": SystemExit(3)}[kind]

    return {"add": add, "fail": fail}


def test_the_words_of_a_result_from_its_call_to_its_end(app: Celery, run: Run, tasks: dict[str, Any]) -> None:
    result = tasks["add"].apply_async((1, 2), countdown=10)
    assert (result.state, result.status, result.ready(), result.result, str(result)) == (
        "PENDING", "PENDING", False, None, result.id
    )  # fmt: skip
    run(10)
    assert (result.state, result.ready(), result.successful(), result.failed(), result.result, result.info) == (
        "SUCCESS", True, True, False, 3, 3
    )  # fmt: skip
    assert AsyncResult("nobody").state == app.AsyncResult("nobody").state == "PENDING"


def test_a_job_that_runs_is_pending_unless_it_is_tracked_or_says_more(app: Celery) -> None:
    seen: list[Any] = []

    @app.task(bind=True)
    def work(self: Any) -> None:
        me = app.AsyncResult(self.request.id)
        seen.append((me.state, me.info))
        app.conf.task_track_started = True
        seen.append((me.state, me.info["hostname"][:4] != ""))
        self.update_state(state="PROGRESS", meta={"done": 1})
        seen.append((me.state, me.info))

    work.delay()
    app.run_due()
    assert seen == [("PENDING", None), ("STARTED", True), ("PROGRESS", {"done": 1})]


@pytest.mark.parametrize(("kind", "cls"), [("two", NeedsTwo), ("key", KeyError)])
def test_the_error_of_a_task_is_caught_by_its_own_class(tasks: dict[str, Any], run: Run, kind: str, cls: Any) -> None:
    result = tasks["fail"].delay(kind)
    run()
    assert (result.state, result.failed()) == ("FAILURE", True)
    with pytest.raises(cls) as caught:
        result.get()
    assert isinstance(caught.value, JobFailed)
    assert isinstance(result.result, cls)
    assert result.get(propagate=False).__class__.__name__ == cls.__name__
    assert "Traceback" in result.traceback


@pytest.mark.parametrize("kind", ["odd", "exit"])
def test_an_error_that_cannot_be_made_again_is_a_job_failed_with_its_name(
    tasks: dict[str, Any], run: Run, kind: str
) -> None:
    result = tasks["fail"].delay(kind)
    run()
    with pytest.raises(JobFailed, match=r"Odd|SystemExit"):
        result.get()


def test_no_module_is_imported_and_no_function_called_for_the_name_of_an_error(app: Celery, run: Run) -> None:
    from hourwheel.celery.running.raised import _class_of

    assert _class_of("antigravity.Error") is None
    assert _class_of("os.system") is None
    assert _class_of("builtins.int") is None
    assert _class_of("SystemExit") is None


def test_a_revoked_job_is_not_run(app: Celery, run: Run, tasks: dict[str, Any]) -> None:
    result = tasks["add"].apply_async((1, 2), countdown=5)
    result.revoke()
    run(10)
    assert result.state == "REVOKED"
    with pytest.raises(TaskRevokedError):
        result.get()


def test_a_run_is_not_stopped_from_outside_and_that_is_said(app: Celery) -> None:
    told: list[str] = []

    @app.task(bind=True)
    def work(self: Any) -> None:
        try:
            app.control.revoke(self.request.id, terminate=True)
        except HourwheelError as error:
            told.append(str(error))

    work.delay()
    app.run_due()
    assert "self.is_cancelled()" in told[0]


def test_waiting_too_long_and_calls_with_celerys_arguments(tasks: dict[str, Any], run: Run) -> None:
    result = tasks["add"].apply_async((1, 2), countdown=60)
    with pytest.raises(TimeoutError):
        result.get(timeout=0.01, interval=0.001)
    with pytest.raises(TypeError, match="intervall"):
        result.get(intervall=1)
    with pytest.raises(HourwheelError, match="link="):
        result.then(print)
    run(60)
    told: list[Any] = []
    assert result.get(callback=lambda task_id, value: told.append((task_id, value)), disable_sync_subtasks=False) == 3
    assert told == [(result.id, 3)]


def test_a_group_is_joined_and_described(app: Celery, tasks: dict[str, Any], run: Run) -> None:
    result = group(tasks["add"].s(n, n) for n in range(3)).apply_async()
    assert isinstance(result, GroupResult)
    run()
    with allow_join_result():
        assert result.join() == result.get() == list(result.iterate()) == [0, 2, 4]
    assert result.completed_count() == len(result.results) == 3
    assert [one["result"] for _, one in result.iter_native()] == [0, 2, 4]
    again = result_from_tuple(result.as_tuple(), app)
    assert again.get() == [0, 2, 4]
    assert result_from_tuple(result[0].as_tuple(), app).get() == 0
    with pytest.raises(HourwheelError, match="keep"):
        result.save()
    failing = group([tasks["fail"].s("key"), tasks["add"].s(1, 1)]).apply_async()
    run()
    with pytest.raises(KeyError):
        failing.maybe_throw()
    assert failing.failed()
