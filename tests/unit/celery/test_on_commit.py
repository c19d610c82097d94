"""delay_on_commit() of Celery's tasks: Celery's options, and task_always_eager, after the commit and never before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hourwheel import InvalidValue
from hourwheel.celery import Celery
from hourwheel.store import MemoryStore

from tests.kit.django_project import databases

pytest.importorskip("django")
from django.db import transaction  # noqa: E402


@pytest.fixture(autouse=True)
def _databases() -> Iterator[None]:
    with databases():
        yield


@pytest.fixture
def app() -> Iterator[Any]:
    app = Celery("shop", store=MemoryStore())
    yield app
    app.close()


@pytest.fixture
def ran() -> list[Any]:
    return []


@pytest.fixture
def task(app: Any, ran: list[Any]) -> Any:
    @app.task(name="shop.confirm")
    def confirm(number: int, countdown: int = 0) -> int:
        ran.append((number, countdown))
        return number

    return confirm


def test_its_keyword_arguments_are_the_functions_as_those_of_delay_are(app: Any, task: Any, ran: list[Any]) -> None:
    with transaction.atomic():
        result = task.delay_on_commit(7, countdown=5)
        assert app.run_due() == 0
    assert app.run_due() == 1
    assert (ran, result.get(timeout=0)) == ([(7, 5)], 7)


def test_celerys_options_are_understood(app: Any, task: Any) -> None:
    with transaction.atomic():
        result = task.apply_async_on_commit((7,), routing_key="mail", priority=3, headers={"a": 1})
    job = app.store.get([result.id])[0]
    assert (job.queue, job.priority != 0) == ("mail", True)


def test_an_option_that_cannot_be_honoured_is_refused_at_the_call(app: Any, task: Any) -> None:
    with pytest.raises(InvalidValue), transaction.atomic():
        task.apply_async_on_commit((7,), serializer="pickle")


def test_in_a_test_suite_with_always_eager_the_call_was_stored_and_never_ran(
    app: Any, task: Any, ran: list[Any]
) -> None:
    app.conf.task_always_eager = True
    with transaction.atomic():
        result = task.delay_on_commit(7)
        assert (ran, result.state) == ([], "PENDING")
    assert (ran, result.state, result.get()) == ([(7, 0)], "SUCCESS", 7)
    assert app.store.stats(0).accepted == 0


def test_with_always_eager_a_call_of_a_transaction_that_is_rolled_back_does_not_run(
    app: Any, task: Any, ran: list[Any]
) -> None:
    app.conf.task_always_eager = True
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        result = task.delay_on_commit(7)
        raise ZeroDivisionError
    assert (ran, result.state) == ([], "PENDING")


def test_with_always_eager_arguments_are_checked_at_the_call(app: Any, task: Any) -> None:
    app.conf.task_always_eager = True
    with pytest.raises(TypeError), transaction.atomic():
        task.delay_on_commit(1, 2, 3)
