"""Tasks that run where they are called: apply() and task_always_eager."""

from __future__ import annotations

from typing import Any

import pytest
from hourwheel.celery import Celery, chain, chord, group
from hourwheel.errors import PayloadError
from hourwheel.testing import travel


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


# ---- in travel() -----------------------------------------------------------------------------------------


@pytest.fixture
def note(app: Celery) -> Any:
    app.conf.task_always_eager = True

    @app.task(bind=True)
    def note(self: Any, value: Any) -> Any:
        note.ran.append((value, self.request.is_eager))  # type: ignore[attr-defined]
        return value

    note.ran = []  # type: ignore[attr-defined]
    return note


def test_a_countdown_was_passed_over_in_every_test_though_the_test_moved_the_clock(app: Celery, note: Any) -> None:
    assert note.apply_async(("at once",), countdown=60).get() == "at once"
    with travel(app) as t:
        now, later = note.delay("now"), note.apply_async(("later",), countdown=60)
        by_eta = note.s("by eta").apply_async(eta=t.now.replace(tzinfo=None))
        assert (now.state, by_eta.state, later.state) == ("SUCCESS", "SUCCESS", "PENDING")
        t.advance(seconds=59)
        assert later.state == "PENDING"
        t.advance(seconds=1)
        assert later.get(timeout=0) == "later"
        assert note.apply_async(("in a year",), countdown=365 * 86_400).get() == "in a year"
    assert note.ran == [(value, True) for value in ("at once", "now", "by eta", "later", "in a year")]
    assert note.apply_async(("at once",), countdown=60).get() == "at once"
    assert app.store.stats(0).accepted == 0


def test_canvases_and_retries_wait_for_their_countdowns_too(app: Celery, note: Any) -> None:
    @app.task(bind=True, max_retries=1)
    def fragile(self: Any) -> str:
        if self.request.retries == 0:
            raise self.retry(exc=OSError("again"), countdown=60)
        return "well"

    with travel(app) as t:
        whole = chain(note.s(1), note.si(2).set(countdown=60)).apply_async()
        both = group(note.s(3), note.s(4)).apply_async()
        retried = fragile.delay()
        assert [value for value, _ in note.ran] == [1, 3, 4]
        assert (whole.state, both.get(timeout=0), retried.state) == ("PENDING", [3, 4], "RETRY")
        t.advance(minutes=1)
        assert (whole.get(timeout=0), retried.get(timeout=0)) == (2, "well")


@pytest.mark.parametrize("canvas", [False, True])
def test_errors_of_what_has_run_are_raised_where_it_was_called_if_that_is_asked_for(
    app: Celery, note: Any, canvas: bool
) -> None:
    @app.task
    def fail() -> None:
        raise KeyError("user")

    app.conf.task_eager_propagates = True
    with travel(app) as t:
        with pytest.raises(KeyError):
            (chain(fail.s(), note.s()) if canvas else fail).apply_async()
        later = fail.apply_async(countdown=1)
        t.advance(seconds=1)
        assert later.state == "FAILURE"


def test_travel_runs_calls_where_they_are_made_only_while_that_is_asked_for(app: Celery, note: Any) -> None:
    with travel(app) as t:
        app.conf.task_always_eager = False
        result = note.delay("later")
        assert (result.state, note.ran) == ("PENDING", [])
        t.advance()
        assert note.ran == [("later", False)]
