"""Tasks that run where they are called: apply() and task_always_eager."""

from __future__ import annotations

from typing import Any

import pytest
from hourwheel.celery import Celery, chain, chord, group
from hourwheel.errors import PayloadError


@pytest.fixture
def add(app: Celery) -> Any:
    @app.task
    def add(x: int, y: int = 0) -> int:
        return x + y

    return add


def test_apply_runs_now_with_its_retries_and_stores_nothing(app: Celery, add: Any) -> None:
    @app.task(bind=True, max_retries=2, default_retry_delay=60)
    def fragile(self: Any, fails: int) -> Any:
        if self.request.retries < fails:
            raise self.retry(exc=OSError("again"))
        return [self.request.retries, self.request.is_eager, self.request.called_directly]

    assert fragile.apply((2,)).get() == [2, True, False]
    failed = fragile.apply((3,))
    assert (failed.state, failed.successful(), str(failed.result)) == ("FAILURE", False, "again")
    with pytest.raises(OSError, match="again"):
        failed.get()
    with pytest.raises(OSError, match="again"):
        fragile.apply((3,), throw=True)
    with pytest.raises(TypeError):
        add.apply((1, 2, 3))
    with pytest.raises(PayloadError):
        add.apply((object(),))
    assert app.store.stats(0).accepted == 0


def test_always_eager_runs_calls_and_canvases_where_they_are_made(app: Celery, add: Any) -> None:
    app.conf.task_always_eager = True
    total = app.task(name="total")(lambda numbers: sum(numbers))
    seen: list[Any] = []
    note = app.task(name="note")(lambda value: seen.append(value))
    assert add.delay(1, 2).get() == add.s(1, 2).delay().get() == 3
    assert chain(add.s(1), add.s(2), add.si(9, 9)).apply_async().get() == 18
    assert group([add.s(1), add.s(2)]).apply_async().get() == [1, 2]
    assert chord([add.s(1), add.s(2)])(total.s()).get() == 3
    add.apply_async((1, 1), link=note.s())
    assert (seen, app.store.stats(0).accepted) == ([2], 0)


def test_errors_are_raised_where_they_are_made_if_that_is_asked_for(app: Celery) -> None:
    app.conf.update(task_always_eager=True)

    @app.task
    def fail() -> None:
        raise KeyError("user")

    assert fail.delay().state == "FAILURE"
    app.conf.task_eager_propagates = True
    with pytest.raises(KeyError):
        fail.delay()


def test_what_is_linked_to_a_whole_canvas_is_called_where_it_is_made_too(app: Celery, add: Any) -> None:
    app.conf.task_always_eager = True
    seen: list[Any] = []
    note = app.task(name="note")(lambda value: seen.append(value))
    fail = app.task(name="fail")(lambda: 1 / 0)
    whole = chain(add.s(1), add.s(2))
    whole.link(note.s())
    whole.apply_async()
    group([add.s(1), add.s(2)]).apply_async(link=note.s())
    failing = chain(fail.si(), add.si(1))
    failing.link_error(note.s())
    result = failing.apply_async()
    assert seen == [3, [1, 2], result.id]
