"""C: cancelling, revoking, changing."""

from __future__ import annotations

from typing import Any

import pytest
from hourwheel import Found, Scheduler, State, Task
from hourwheel.testing import FakeClock

from .conftest import Opened


def mail(app: Scheduler, ran: list[Any] | None = None) -> Task[..., None]:
    @app.task(name="mail")
    def mail(number: int) -> None:
        if ran is not None:
            ran.append(number)

    return mail


def test_celery_1246_a_revoked_task_ran_after_the_worker_was_restarted(another: Opened, clock: FakeClock) -> None:
    """Also django-celery-results #423: revoked while no worker was there to hear it."""
    app, ran = another(), list[Any]()
    result = mail(app).delay(1, countdown=60)
    assert result.revoke() is Found.SCHEDULED
    app.close()
    later = another()
    mail(later, ran)
    clock.advance(61)
    assert later.run_due() == 0
    assert (ran, later.AsyncResult(result.id).state) == ([], State.CANCELLED)


@pytest.mark.parametrize("spelling", [str.upper, lambda text: text.replace("-", ""), "urn:uuid:{}".format])
def test_celery_4300_an_id_that_was_written_without_hyphens_revoked_nothing(another: Opened, spelling: Any) -> None:
    app = another()
    result = mail(app).delay(1, countdown=60)
    assert app.AsyncResult(spelling(result.id)).revoke() is Found.SCHEDULED
    assert result.state == "cancelled"


def test_celery_8949_a_pending_task_could_not_be_revoked_until_its_turn(another: Opened) -> None:
    app = another()
    results = [mail(app).delay(number) for number in range(100)]
    assert results[57].revoke() is Found.SCHEDULED
    assert app.run_due() == 99


def test_rusty_celery_280_the_eta_of_a_task_that_was_sent_could_not_be_changed(
    another: Opened, clock: FakeClock
) -> None:
    app, ran = another(), list[Any]()
    result = mail(app, ran).delay(1, countdown=60)
    assert result.reschedule(countdown=5) is Found.SCHEDULED
    clock.advance(5)
    assert (app.run_due(), ran) == (1, [1])


def test_arq_520_no_debounce(another: Opened, clock: FakeClock) -> None:
    app, ran = another(), list[Any]()
    reindex = mail(app, ran).options(key="reindex", on_conflict="replace").after(30)
    for number in range(5):
        reindex.delay(number)
        clock.advance(20)
        app.run_due()
    assert ran == []
    clock.advance(10)
    app.run_due()
    assert ran == [4]


def test_whether_revoke_won_could_not_be_told(another: Opened) -> None:
    app = another()
    task = mail(app)
    done = task.delay(1)
    app.run_due()
    assert done.revoke() is Found.FINISHED
    assert app.AsyncResult("01890a5d-ac96-774b-bcce-b302099a8057").revoke() is Found.UNKNOWN
