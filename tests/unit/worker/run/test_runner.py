"""The runner: whatever a function does becomes one Outcome."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from hourwheel.errors import InvalidValue, NotRegistered, PayloadError
from hourwheel.job import Claim, Failed, Job, Outcome, Released, Retried, State, Succeeded
from hourwheel.payload import encode_call
from hourwheel.tasks.context import current_job
from hourwheel.tasks.options.retry import Retry, RetryPolicy
from hourwheel.tasks.options.time_limits import UNLIMITED
from hourwheel.testing import FakeClock
from hourwheel.worker.run.runner import Runner, failure_of

CLOCK = FakeClock()


class Tasks:
    """As much of a Registry as the runner needs."""

    def __init__(self, **tasks: Any) -> None:
        self.tasks = tasks

    def find(self, name: str) -> Any:
        return self.tasks.get(name)


def claim(*args: Any, attempt: int = 1, token: int = 7, **kwargs: Any) -> Claim:
    job = Job(
        id="j1",
        task="t",
        due_ms=0,
        payload=encode_call(args, kwargs),
        state=State.RUNNING,
        attempt=attempt,
        token=token,
    )
    return Claim(job, token, "me")


def a_task(function: Callable[..., Any], *, bind: bool = False) -> SimpleNamespace:
    """As much of a task as a runner needs."""
    task = SimpleNamespace(name="t", fn=function, bind=bind, retrying=RetryPolicy(), limits=UNLIMITED)
    task.entry = partial(function, task) if bind else function
    return task


def run(function: Callable[..., Any], *args: Any, attempt: int = 1, bind: bool = False, **kwargs: Any) -> Outcome:
    task = a_task(function, bind=bind)
    return Runner(Tasks(t=task), CLOCK)(claim(*args, attempt=attempt, **kwargs))  # type: ignore[arg-type]


# ---- what is returned ------------------------------------------------------------------------------------


def test_result_is_kept_as_json() -> None:
    assert run(lambda a, b=0: {"sum": a + b}, 1, b=2) == Succeeded(returned='{"sum":3}')


def test_function_that_returns_nothing_succeeds_with_null() -> None:
    assert run(lambda: None) == Succeeded()


def test_bound_task_is_passed_to_its_function_first() -> None:
    assert run(lambda self, x: f"{self.name}{x}", 5, bind=True) == Succeeded(returned='"t5"')


def test_coroutine_function_is_run_to_its_end() -> None:
    async def later(x: int) -> list[object]:
        await asyncio.to_thread(str)
        job = current_job()
        return [x, job.id if job else None]

    assert run(later, 3) == Succeeded(returned='[3,"j1"]')


def test_result_that_is_not_strict_json_fails_the_job_and_says_where() -> None:
    outcome = run(lambda: {"when": [datetime(2026, 1, 1, tzinfo=UTC)]})
    assert isinstance(outcome, Failed)
    assert outcome.error.type == f"{PayloadError.__module__}.PayloadError"
    assert 'result["when"][0]' in outcome.error.message


def test_arguments_that_no_longer_fit_the_function_fail_the_job_with_a_type_error() -> None:
    outcome = run(lambda: None, 1, 2)
    assert isinstance(outcome, Failed) and outcome.error.type == "TypeError"


def test_payload_that_cannot_be_read_fails_the_job() -> None:
    task = a_task(lambda: None)
    broken = claim()._replace(job=Job(id="j", task="t", due_ms=0, payload="[["))
    outcome = Runner(Tasks(t=task), CLOCK)(broken)  # type: ignore[arg-type]
    assert isinstance(outcome, Failed) and "PayloadError" in outcome.error.type


# ---- what is raised --------------------------------------------------------------------------------------


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        Unprintable(),
        StopIteration(),
        MemoryError(),
    ],
)
def test_whatever_is_raised_becomes_a_failure(error: BaseException) -> None:
    def raises() -> None:
        raise error

    outcome = run(raises)
    assert isinstance(outcome, Failed)
    assert outcome.error.type.endswith(type(error).__name__)


def test_failure_shows_the_functions_frames_and_none_of_ours() -> None:
    def helper() -> None:
        raise ValueError("deep")

    def function() -> None:
        helper()

    outcome = run(function)
    assert isinstance(outcome, Failed)
    assert outcome.error[:2] == ("ValueError", "deep")
    assert "in helper" in outcome.error.traceback and "in function" in outcome.error.traceback
    assert "wheel/worker/run/runner.py" not in outcome.error.traceback


def test_failure_names_the_module_of_an_exception_that_is_not_builtin() -> None:
    assert failure_of(Unprintable()).type == f"{__name__}.Unprintable"
    assert "cannot be shown" in failure_of(Unprintable()).message


def test_long_messages_and_tracebacks_are_cut_in_the_middle() -> None:
    failure = failure_of(ValueError("a" * 100_000 + "z"))
    assert len(failure.message) < 2_200 and failure.message.startswith("aaa") and failure.message.endswith("z")
    assert len(failure.traceback) < 20_200


def test_infinite_recursion_becomes_a_failure_of_bounded_size() -> None:
    def down() -> None:
        down()

    outcome = run(down)
    assert isinstance(outcome, Failed) and outcome.error.type == "RecursionError"
    assert len(outcome.error.traceback) < 25_000


# ---- again -----------------------------------------------------------------------------------------------


def test_retry_runs_again_after_its_countdown() -> None:
    def function() -> None:
        raise Retry("busy", countdown=30)

    outcome = run(function)
    assert isinstance(outcome, Retried)
    assert outcome.due_ms == CLOCK.now_ms() + 30_000
    assert outcome.error is not None and outcome.error.message == "busy"


def test_retry_without_a_time_waits_for_the_tasks_default_delay() -> None:
    def function() -> None:
        raise Retry

    outcome = run(function)
    assert isinstance(outcome, Retried) and outcome.due_ms == CLOCK.now_ms() + 180_000


def test_retry_at_an_instant() -> None:
    def function() -> None:
        raise Retry(eta=datetime(2030, 1, 1, tzinfo=UTC))

    outcome = run(function)
    assert isinstance(outcome, Retried) and outcome.due_ms == 1_893_456_000_000


def test_retry_shows_the_exception_that_was_its_reason() -> None:
    def function() -> None:
        try:
            raise OSError("unreachable")
        except OSError as error:
            raise Retry(countdown=1) from error

    outcome = run(function)
    assert isinstance(outcome, Retried) and outcome.error is not None
    assert outcome.error[:2] == ("OSError", "unreachable")


def test_retry_raised_while_an_exception_is_handled_shows_that_one_unless_told_from_none() -> None:
    def function(hide: bool) -> None:
        try:
            raise OSError("unreachable")
        except OSError:
            if hide:
                raise Retry("busy") from None
            raise Retry("busy")  # noqa: B904 - without from, on purpose

    shown, hidden = run(function, False), run(function, True)
    assert isinstance(shown, Retried) and shown.error is not None and shown.error.type == "OSError"
    assert isinstance(hidden, Retried) and hidden.error is not None and hidden.error.message == "busy"


def test_retry_fails_when_max_retries_runs_have_been_tried_again() -> None:
    def function() -> None:
        raise Retry("busy")

    assert isinstance(run(function, attempt=3), Retried)
    last = run(function, attempt=4)
    assert isinstance(last, Failed)
    assert last.reason == "it was run 4 times, and max_retries is 3"


def test_retry_may_say_its_own_max_retries() -> None:
    def function() -> None:
        raise Retry(max_retries=0)

    assert isinstance(run(function, attempt=1), Failed)


@pytest.mark.parametrize("wrong", [{"countdown": -1}, {"max_retries": -1}, {"countdown": 1, "eta": datetime.now(UTC)}])
def test_retry_refuses_what_makes_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        Retry(**wrong)


# ---- tasks nobody knows ----------------------------------------------------------------------------------


def test_job_of_an_unknown_task_is_given_back_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    runner = Runner(Tasks(), CLOCK)  # type: ignore[arg-type]
    for _ in range(3):
        outcome = runner(claim())
        assert isinstance(outcome, Released)
        assert outcome.reason is not None and outcome.reason.startswith("unregistered")
    assert caplog.text.count("Received unregistered task: t[j1]") == 1
    assert runner.refused.names() == ["task:t"]


def test_not_registered_raised_inside_a_function_is_its_own_failure() -> None:
    def function() -> None:
        raise NotRegistered("other")

    assert isinstance(run(function), Failed)


# ---- context ---------------------------------------------------------------------------------------------


def test_current_job_is_the_running_one_with_its_fencing_token_and_none_outside() -> None:
    seen: list[Job | None] = []
    run(lambda: seen.append(current_job()))
    assert seen[0] is not None and (seen[0].id, seen[0].token) == ("j1", 7)
    assert current_job() is None


def test_what_one_job_sets_in_a_context_variable_no_other_job_sees() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="untouched")
    run(lambda: variable.set("touched") and None)
    assert variable.get() == "untouched"


# ---- log lines -------------------------------------------------------------------------------------------


def test_log_lines_are_those_that_users_know(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "hourwheel.worker")
    run(lambda: "done")
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert lines == [("DEBUG", "Task accepted: t[j1]"), ("INFO", "Task t[j1] succeeded in 0s: 'done'")]
    assert all((record.job_id, record.task_name, record.attempt) == ("j1", "t", 1) for record in caplog.records)  # type: ignore[attr-defined]


def test_failure_is_logged_with_its_traceback_and_retry_with_its_delay(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        raise ValueError("boom")

    def retries() -> None:
        raise Retry("busy", countdown=3)

    caplog.set_level(logging.INFO, "hourwheel.worker")
    run(fails)
    run(retries)
    failed, retried = caplog.records
    assert failed.levelname == "ERROR" and failed.getMessage() == "Task t[j1] raised unexpected: boom"
    assert failed.exc_info is not None and failed.exc_text is not None and "in fails" in failed.exc_text
    assert retried.getMessage() == "Task t[j1] retry: Retry in 3s: busy"


def test_long_result_is_cut_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hourwheel.worker")
    run(lambda: "x" * 10_000)
    assert len(caplog.records[-1].getMessage()) < 300


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0, "0"), (0.000012, "0.000012"), (0.05, "0.05"), (0.0512345, "0.0512"), (12.3456, "12.3"), (4321.9, "4322")],
)
def test_durations_are_logged_without_an_exponent(caplog: pytest.LogCaptureFixture, seconds: float, shown: str) -> None:
    clock = FakeClock()
    task = a_task(lambda: clock.advance(seconds))
    caplog.set_level(logging.INFO, "hourwheel.worker")
    Runner(Tasks(t=task), clock)(claim())  # type: ignore[arg-type]
    assert f"succeeded in {shown}s:" in caplog.text
