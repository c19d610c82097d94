"""The article's trap, and others around trying again."""

from __future__ import annotations

from typing import Any

import pytest
from hourwheel import InvalidValue, Scheduler, State
from hourwheel.testing import FakeClock

from .conftest import Opened


def waits_s(app: Scheduler, clock: FakeClock, id: str) -> list[float]:
    found: list[float] = []
    while True:
        app.run_due()
        job = app.store.get([id])[0]
        assert job is not None
        if job.finished:
            return found
        found.append((job.due_ms - clock.now_ms()) / 1000)
        clock.advance(found[-1])


def test_celery_ignores_retry_backoff_in_a_retry_by_hand_and_waits_180_s(another: Opened, clock: FakeClock) -> None:
    app = another()

    @app.task(bind=True, retry_backoff=3)
    def send(self: Any) -> None:
        try:
            raise OSError("down")
        except OSError as error:
            raise self.retry(exc=error, max_retries=3) from error

    assert waits_s(app, clock, send.delay().id) == [3, 6, 12]


def test_attempts_were_forgotten_with_the_worker(another: Opened, clock: FakeClock) -> None:
    def opened() -> Scheduler:
        app = another()

        @app.task(name="send", autoretry_for=OSError, max_retries=2, default_retry_delay=1)
        def send() -> None:
            raise OSError("down")

        return app

    app = opened()
    id = app.registry.get("send").delay().id
    for _ in range(3):
        app.run_due()
        app.close()
        clock.advance(1)
        app = opened()
    job = app.store.get([id])[0]
    assert job is not None and (job.state, job.attempt) == (State.FAILED, 3)


def test_an_option_that_nobody_knows_was_ignored_silently(another: Opened) -> None:
    app = another()
    with pytest.raises(InvalidValue, match="got 'retry_backof'"):
        app.task(retry_backof=3)  # type: ignore[call-overload]


def test_lago_4625_retries_came_back_together(another: Opened, clock: FakeClock) -> None:
    app = another()

    @app.task(autoretry_for=OSError, retry_backoff=60, max_retries=1)
    def send(number: int) -> None:
        raise OSError("down")

    ids = [send.delay(number).id for number in range(40)]
    app.run_due()
    jobs = [app.store.get([id])[0] for id in ids]
    dues = {job.due_ms for job in jobs if job is not None}
    assert len(dues) > 30
    assert max(dues) - min(dues) > 20_000
