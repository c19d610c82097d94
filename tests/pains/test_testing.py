"""H: code that calls tasks cannot be tested as it runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hourwheel import Scheduler, State
from hourwheel.testing import eager, travel

from .conftest import Opened

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("how", ["countdown", "eta"])
def test_celery_1151_always_eager_ignored_countdown(another: Opened, how: str) -> None:
    """The task ran at once, so the test saw what never happens: the reminder before the delay."""
    app = another()
    order = []

    @app.task(name="remind")
    def remind() -> None:
        order.append("reminded")

    with eager(app, NOON) as t:
        when = {"countdown": 60} if how == "countdown" else {"eta": NOON + timedelta(seconds=60)}
        result = remind.apply_async(**when)
        order.append("called")
        assert (result.state, order) == (State.SCHEDULED, ["called"])
        t.advance(seconds=60)
        assert order == ["called", "reminded"]
        assert t.ran[0].at == NOON + timedelta(seconds=60)


def test_celery_2209_always_eager_should_not_be_used_for_testing(another: Opened) -> None:
    """Its results were of another kind, and arguments that no broker would have taken went through."""
    app = another()

    @app.task(name="keep")
    def keep(value: object) -> object:
        return value

    with eager(app):
        assert type(keep.delay([1])) is type(app.AsyncResult("any"))
        with pytest.raises(TypeError, match="pass an id, not an object"):
            keep.delay(object())
        kept = [1]
        assert keep.delay(kept).get() is not kept


def test_an_app_made_at_import_wrote_into_its_real_file_when_it_was_tested(another: Opened) -> None:
    app = another()

    @app.task(name="note")
    def note() -> None: ...

    real = note.delay()
    with travel(app, NOON) as t:
        note.delay(countdown=60)
        t.advance(hours=1)
    assert [job.id for job in app.store.scan()] == [real.id]


def test_to_test_what_happens_in_a_day_the_test_took_a_day_or_mocked_the_clock(another: Opened) -> None:
    app = another()

    @app.task(name="daily", autoretry_for=[OSError], default_retry_delay=3600, max_retries=1)
    def daily() -> None:
        daily.delay(countdown=timedelta(days=1))
        raise OSError

    with travel(app, NOON) as t:
        daily.delay()
        t.advance(days=1)
        assert [(run.at.hour, run.outcome) for run in t.ran[:2]] == [(12, "retried"), (13, "failed")]


def test_a_scheduler_left_over_by_one_test_was_seen_by_the_next() -> None:
    app = Scheduler("memory:")

    @app.task(name="note")
    def note() -> None: ...

    for _ in range(2):
        with travel(app, NOON) as t:
            assert (t.pending, t.ran, t.now) == ([], [], NOON)
            note.delay(countdown=60)
            t.advance(days=1)
    app.close()
