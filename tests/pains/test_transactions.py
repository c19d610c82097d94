"""H: a job that starts before the transaction it was called in is committed does not find its row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.django_project import databases

from .conftest import Opened

pytest.importorskip("django")
from django.db import connection, transaction  # noqa: E402


@pytest.fixture(autouse=True)
def _orders() -> Iterator[None]:
    with databases(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER)")
        cursor.execute("DELETE FROM orders")
        yield


def orders() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM orders")
        return [id for (id,) in cursor.fetchall()]


def test_celery_8491_a_task_ran_before_the_transaction_was_committed(another: Opened) -> None:
    """Also revel-backend #442, saleor #5457, sentry #89284: the worker was quicker than the commit."""
    app = another()
    seen: list[list[int]] = []
    confirm = app.task(name="confirm")(lambda: seen.append(orders()))
    with transaction.atomic(), connection.cursor() as cursor:
        confirm.delay_on_commit()
        app.run_due()
        cursor.execute("INSERT INTO orders VALUES (7)")
    app.run_due()
    assert seen == [[7]]


def test_celery_8491_a_task_ran_although_its_transaction_was_rolled_back(another: Opened) -> None:
    app = another()
    ran: list[int] = []
    confirm = app.task(name="confirm")(ran.append)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        confirm.delay_on_commit(7)
        _ = 1 / 0
    app.run_due()
    assert (ran, orders()) == ([], [])


def test_celery_8976_delay_on_commit_gave_no_id(another: Opened) -> None:
    app = another()
    confirm = app.task(name="confirm")(lambda order_id: f"order {order_id}")
    with transaction.atomic(), connection.cursor() as cursor:
        result = confirm.delay_on_commit(7)
        cursor.execute("INSERT INTO orders VALUES (7)")
    app.run_due()
    assert app.AsyncResult(result.id).get(timeout=0) == "order 7"
