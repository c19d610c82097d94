"""D: nobody can see what is pending. F: what was due while nothing ran is dropped. G: what cannot be read is deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hourwheel import Filter, PayloadError, Scheduler, State, UnknownJob
from hourwheel.store import JsonStore
from hourwheel.testing import FakeClock

from .conftest import Opened


def test_celery_4535_what_is_scheduled_could_not_be_listed(another: Opened, clock: FakeClock) -> None:
    """Also flower #1086, celery #5321."""
    app = another()

    @app.task(name="mail", queue="mails")
    def mail(number: int) -> None: ...

    for number in range(5):
        mail.delay(number, countdown=60 * number)
    mail.options(key="k").after(600).delay(9)
    soon = Filter(states=frozenset({State.SCHEDULED}), due_before_ms=clock.now_ms() + 121_000)
    assert [job.args for job in app.store.scan(soon)] == [(0,), (1,), (2,)]
    assert [job.args for job in app.store.scan(Filter(key="k"))] == [(9,)]
    assert len(app.store.scan(Filter(queue="mails", task="mail"))) == 6


def test_celery_3596_a_task_that_never_was_is_pending(another: Opened) -> None:
    """Also celery #4450."""
    app = another()
    assert app.AsyncResult("ANY-THING").state == "unknown"
    with pytest.raises(UnknownJob):
        app.AsyncResult("ANY-THING").get(timeout=0)


def test_apscheduler_292_a_job_that_was_a_second_late_was_skipped(another: Opened, clock: FakeClock) -> None:
    """Also huey #751: what was due while the consumer was down did not run."""
    app, ran = another(), list[int]()

    @app.task
    def mail(number: int) -> None:
        ran.append(number)

    mail.delay(1, countdown=1)
    clock.advance(86_400)
    app.run_due()
    assert ran == [1]


def test_a_skip_was_silent(another: Opened, clock: FakeClock) -> None:
    app = another()

    @app.task(misfire="skip", misfire_grace_time=1)
    def ring() -> None: ...

    result = ring.delay(countdown=1)
    clock.advance(10)
    assert app.run_due() == 0
    job = result.job()
    assert job is not None and job.state is State.EXPIRED
    assert job.reason is not None and "nobody took it within 1 s" in job.reason


def test_apscheduler_341_unable_to_restore_job_removing_it(another: Opened, clock: FakeClock) -> None:
    """Also celery #6485: received unregistered task, the message has been ignored and discarded."""
    old = another()
    result = old.task(name="old.name")(lambda: "done").delay()
    old.close()
    new = another()
    assert new.run_due() == 1  # looked at, and put off
    assert new.AsyncResult(result.id).state == "scheduled"
    new.task(name="new.name", aliases=["old.name"])(lambda: "done")
    new.run_due()
    assert new.AsyncResult(result.id).get(timeout=0) == "done"


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", float("nan"), {1: 2}, 10**400])
def test_tinydb_89_inserting_what_is_not_json_corrupted_the_database(another: Opened, value: Any) -> None:
    """Also apscheduler #386, #421: pickling failed at the run, and not at the call."""
    app = another()

    @app.task
    def keep(value: Any) -> None: ...

    keep.delay(1)
    with pytest.raises(PayloadError):
        keep.delay(value)
    assert app.store.stats(0).accepted == 1


@pytest.mark.usefixtures("not_folded")
def test_celery_4777_a_corrupted_schedule_had_to_be_deleted(tmp_path: Path, clock: FakeClock) -> None:
    """Also #8008 (after a power cut), paperless #7430: an unfinished write at the end costs nothing but itself."""
    path = tmp_path / "tasks.json"
    app = Scheduler(path, clock=clock)

    @app.task(name="mail")
    def mail(number: int) -> None: ...

    for number in range(3):
        mail.delay(number)
    app.close()
    (journal,) = tmp_path.glob("tasks.json.journal.*")
    data = journal.read_bytes().rstrip(b"\n")
    journal.write_bytes(data[:-20])  # the last record is torn
    store = JsonStore(path, clock=clock)
    assert sorted(job.args for job in store.scan()) == [(0,), (1,)]
    assert store.check() == []
    store.close()
