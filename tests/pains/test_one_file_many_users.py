"""E: several schedulers on one store run things twice, or must not be. G: they lock each other out."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hourwheel import Scheduler, Succeeded, Task
from hourwheel.store.state.leases import Leases
from hourwheel.testing import FakeClock
from hourwheel.turn import effects

from .conftest import Opened


def count(app: Scheduler, ran: list[int]) -> Task[..., None]:
    @app.task(name="count")
    def count(number: int) -> None:
        ran.append(number)

    return count


def all_at_once(*functions: Callable[[], object]) -> None:
    """Each in a thread of its own; raises what the first of them has raised."""
    raised: list[Exception] = []
    together = threading.Barrier(len(functions))

    def run(function: Callable[[], object]) -> None:
        together.wait()
        try:
            function()
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def test_apscheduler_256_two_schedulers_must_not_share_a_store(another: Opened, clock: FakeClock) -> None:
    """Also apscheduler #129, #231, flask-apscheduler #13, lokole #1: four workers sent each mail four times."""
    apps, ran = [another() for _ in range(4)], list[int]()
    tasks = [count(app, ran) for app in apps]
    apps[0].schedule_many(tasks[0], [((n,), {}) for n in range(200)], countdown=1)
    clock.advance(1)
    all_at_once(*[app.run_due for app in apps])
    assert sorted(ran) == list(range(200))


def test_huey_445_database_is_locked(another: Opened) -> None:
    """Also huey #535, tubesync #1162, solid_queue #133: who finds the store in use waits, and is not told so."""
    apps = [another() for _ in range(5)]
    tasks = [count(app, []) for app in apps]

    def add(task: Task[..., None]) -> Callable[[], None]:
        def add() -> None:
            for number in range(40):
                task.delay(number, countdown=60)

        return add

    all_at_once(*[add(task) for task in tasks])
    assert apps[0].store.stats(0).accepted == 200


def test_rq_1354_who_was_slower_than_the_lock_had_company(another: Opened, clock: FakeClock) -> None:
    """Also rq-scheduler #161, #312: a lock with a time to live. Ours is the kernel's, and has none."""
    slow, other = another(), another()
    count(slow, []).delay(1)
    (claim,) = slow.store.claim(slow.owner, clock.now_ms(), 10)
    clock.advance(7 * 86_400)
    assert other.store.claim(other.owner, clock.now_ms(), 10) == []
    assert slow.store.settle(effects([(claim, Succeeded())]), clock.now_ms()) == []


def test_apscheduler_1116_a_lease_ran_out_and_the_late_outcome_killed_the_scheduler(
    another: Opened, clock: FakeClock
) -> None:
    """Also apscheduler PR #1030. For stores whose owners live by leases: the newest token has the word."""
    slow, other = another(), another()
    slow.store.leases = other.store.leases = Leases(5_000)
    result = count(slow, []).delay(1)
    (old,) = slow.store.claim(slow.owner, clock.now_ms(), 10)
    clock.advance(10)
    (new,) = other.store.claim(other.owner, clock.now_ms(), 10)
    assert new.token > old.token
    assert slow.store.settle(effects([(old, Succeeded(returned='"old"'))]), clock.now_ms()) == [old]
    assert other.store.settle(effects([(new, Succeeded(returned='"new"'))]), clock.now_ms()) == []
    assert other.AsyncResult(result.id).get(timeout=0) == "new"
    assert slow.run_due() == 0  # and goes on


def test_arq_196_what_was_to_run_once_ran_again_when_it_had_ended(another: Opened, clock: FakeClock) -> None:
    first, second, ran = another(), another(), list[int]()
    tasks = [count(app, ran) for app in (first, second)]
    for app, task in zip((first, second), tasks, strict=True):
        task.options(task_id="report-2026-11-21").delay(1)
        app.run_due()
        clock.advance(60)
    assert ran == [1]


def test_arq_459_a_job_could_not_be_called_again_although_it_had_ended(another: Opened) -> None:
    """Also arq #222, #221: the key was kept for as long as the result."""
    app, ran = another(), list[int]()
    for number in range(3):
        count(app, ran).options(key="report").delay(number)
        app.run_due()
    assert ran == [0, 1, 2]


def test_taskiq_296_a_timer_that_woke_a_fraction_too_soon_sent_twice(another: Opened, clock: FakeClock) -> None:
    app, ran = another(), list[int]()
    count(app, ran).delay(1, countdown=60)
    clock.advance(59.9997)
    assert app.run_due() == 0
    clock.advance(0.0003)
    assert [app.run_due() for _ in range(3)] == [1, 0, 0]
    assert ran == [1]
