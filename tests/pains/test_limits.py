"""H: a limit that is kept by each worker for itself is none."""

from __future__ import annotations

from hourwheel.testing import FakeClock

from .conftest import Opened


def test_celery_5732_a_rate_limit_was_kept_by_each_worker_for_itself(another: Opened, clock: FakeClock) -> None:
    """Also celery #4727, #1059: four workers sent four times as many as the provider allows."""
    workers = [another() for _ in range(4)]
    sent: list[int] = []
    for app in workers:
        app.task(name="sms", rate_limit="1/s")(lambda: sent.append(clock.now_ms()))
    for _ in range(20):
        workers[0].send_task("sms", rate_limit="1/s")
    for _ in range(100):
        for app in workers:
            app.run_due()
        clock.advance(0.1)
    assert len(sent) == 10
    assert all(later - earlier >= 1_000 for earlier, later in zip(sent, sent[1:], strict=False))


def test_celery_5732_a_rate_limit_began_anew_with_each_worker(another: Opened, clock: FakeClock) -> None:
    """A restart, or a crash loop, must not be a way around a limit."""
    app = another()
    for _ in range(5):
        app.send_task("sms", rate_limit="1/h")
    ran = 0
    for _ in range(5):
        app = another()
        app.task(name="sms")(lambda: None)
        ran += app.run_due()
        app.store.compact()  # type: ignore[attr-defined]
        clock.advance(60)
    assert ran == 1


def test_one_at_a_time_for_each_customer_and_the_others_go_on(another: Opened, clock: FakeClock) -> None:
    """What people build from locks that outlive their holder (huey's lock_task, celery-singleton): nothing is left."""
    app, dying = another(), another()
    for customer in (1, 1, 2):
        app.send_task("sync", (customer,), concurrency=1, limit_key=("customer", customer))
    taken = dying.store.claim("dying", clock.now_ms(), 10)
    assert [claim.job.args for claim in taken] == [(1,), (2,)]
    assert app.store.claim("other", clock.now_ms(), 10) == []
    dying.close()
    again = app.store.claim("other", clock.now_ms(), 10)
    assert [claim.job.args for claim in again] == [(1,), (2,)]
