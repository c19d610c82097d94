"""max_pending: a bound for how many jobs may wait, kept under the lock; only what is new is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hourwheel import InvalidValue, Scheduler, StoreError, TooManyPending, every
from hourwheel.contract import Found, Store
from hourwheel.job import Failure, Retried, Snoozed, Succeeded
from hourwheel.store import MemoryStore, open_store
from hourwheel.testing import FakeClock
from hourwheel.turn import effects

from tests.kit.forms import new_store
from tests.kit.jobs import NOW, a_job, claim_all, content, some_jobs
from tests.kit.memory_system import MemorySystem

Bounded = Callable[[int], Store]


@pytest.fixture(params=["memory", "os", "sync", "interval"])
def bounded(request: pytest.FixtureRequest) -> Bounded:
    if request.param == "memory":
        return lambda most: MemoryStore(max_pending=most)
    return lambda most: new_store(durability=request.param, max_pending=most)


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("count", [1, 2])
def test_what_would_be_one_too_many_is_refused_and_nothing_of_it_is_added(
    bounded: Bounded, fresh: bool, count: int
) -> None:
    store = bounded(3)
    store.add(some_jobs(4 - count), NOW, fresh=fresh)
    before = content(store)
    with pytest.raises(TooManyPending, match=f"{4 - count} jobs wait .* {count} more .* max_pending is 3"):
        store.add([a_job(f"more-{n}", NOW) for n in range(count)], NOW, fresh=fresh)
    assert content(store) == before
    store.add([a_job("last", NOW)] * (count - 1), NOW, fresh=fresh)
    assert store.check() == []


def test_there_is_room_again_as_soon_as_one_is_claimed_or_cancelled(bounded: Bounded) -> None:
    store = bounded(2)
    store.add(some_jobs(2), NOW)
    first = store.claim("owner", NOW + 1_000_000, 1)
    store.add([a_job("a", NOW)], NOW)
    store.cancel(["a"], NOW)
    store.add([a_job("b", NOW)], NOW)
    with pytest.raises(StoreError):
        store.add([a_job("c", NOW)], NOW)
    assert len(first) == 1


def test_what_runs_may_always_end_and_come_again(bounded: Bounded) -> None:
    store = bounded(3)
    store.add(some_jobs(3), NOW)
    claims = claim_all(store, now_ms=NOW + 1_000_000)
    store.add([a_job(f"more-{n}", NOW) for n in range(3)], NOW)
    again = [
        (claims[0], Retried(due_ms=NOW + 5, error=Failure("OSError", "no"))),
        (claims[1], Snoozed(due_ms=NOW + 5)),
        (claims[2], Succeeded()),
    ]
    assert store.settle(effects(again), NOW) == []
    assert store.stats(NOW).scheduled == 5
    with pytest.raises(TooManyPending):
        store.add([a_job("one", NOW)], NOW)


def test_a_job_that_is_there_or_takes_the_place_of_another_is_no_job_more(bounded: Bounded) -> None:
    store = bounded(2)
    store.add([a_job("a", NOW, key="k"), a_job("b", NOW)], NOW)
    assert store.add([a_job("a", NOW)], NOW) == ["a"]
    assert store.add([a_job("c", NOW, key="k")], NOW) == ["a"]
    assert store.add([a_job("d", NOW, key="k")], NOW, on_conflict="replace") == ["d"]
    assert store.stats(NOW).scheduled == 2


def test_each_process_that_shares_a_file_keeps_its_own_bound() -> None:
    system = MemorySystem()
    free, bound = new_store(system), new_store(system, max_pending=2)
    free.add(some_jobs(2), NOW)
    with pytest.raises(TooManyPending):
        bound.add([a_job("one", NOW)], NOW, fresh=True)
    free.add([a_job("one", NOW)], NOW, fresh=True)
    assert content(bound) == content(free)


def test_netty_1115_too_many_timers_were_out_of_memory_and_now_are_refused_at_the_call() -> None:
    app = Scheduler("memory:?max_pending=2", clock=FakeClock())
    remind = app.task(name="remind")(lambda number: number)
    first, _ = remind.delay(1), remind.delay(2, countdown=900)
    with pytest.raises(TooManyPending, match="nothing was added"):
        remind.delay(3)
    with pytest.raises(TooManyPending):
        app.schedule_many(remind, [((4,), {}), ((5,), {})])
    assert app.run_due() == 1
    assert first.get(timeout=0) == 1
    assert remind.delay(3).state == "scheduled"
    app.close()


def test_a_store_without_room_for_a_new_schedule_was_a_store_in_which_nothing_ran(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The schedule was asked for at each tick, before the claim that would have made room."""
    clock = FakeClock()
    app = Scheduler("memory:?max_pending=2", clock=clock)
    ran: list[str] = []
    app.task(name="work")(lambda: ran.append("work"))
    for name in ("first", "second", "third"):
        app.periodic(every(60), name=name)(partial(ran.append, name))
    app.store.add([a_job(id, clock.now_ms())._replace(task="work") for id in ("a", "b")], NOW)
    assert app.run_due() == 2
    (told,) = [record.message for record in caplog.records if "schedules" in record.message]
    assert told.startswith(
        "Not all of 3 new schedules can begin yet: 2 jobs wait to be run, and 1 more would be too many"
    )
    app.run_due()  # there is room for two of the three, and they take it
    assert app.store.stats(clock.now_ms()).scheduled == 2
    clock.advance(60)
    app.run_due()
    assert ran == ["work", "work", "first", "second"]
    app.close()


def test_a_schedule_that_has_begun_goes_on_however_many_wait() -> None:
    clock = FakeClock()
    app = Scheduler("memory:?max_pending=1", clock=clock)
    ran: list[float] = []
    app.periodic(every(60), name="beat")(lambda: ran.append(clock.now_ms()))
    for _ in range(4):
        app.run_due()
        clock.advance(60)
    assert len(ran) == 3
    app.close()


def test_a_finished_job_is_run_again_however_many_wait(bounded: Bounded) -> None:
    store = bounded(1)
    store.add([a_job("a", NOW)], NOW)
    (claim,) = claim_all(store, now_ms=NOW)
    store.settle(effects([(claim, Succeeded())]), NOW)
    store.add([a_job("b", NOW)], NOW)
    assert store.revive(["a"], NOW + 5, NOW)[0] is Found.FINISHED
    assert store.stats(NOW).scheduled == 2
    assert store.check() == []


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "x", "1"])
def test_the_bound_is_a_whole_number(value: Any) -> None:
    rule = "max_pending must be a whole number, 1 or more, or None"
    with pytest.raises(InvalidValue, match=rule):
        MemoryStore(max_pending=value)
    with pytest.raises(InvalidValue, match=rule):
        new_store(max_pending=value)


def test_a_url_carries_the_bound_and_other_options_as_what_they_are(tmp_path: Any) -> None:
    path = tmp_path / "tasks.json"
    store: Any = open_store(
        f"json:{path}?max_pending=5&lock_timeout_s=2.5&durability=os&allow_network_fs=false&allow_shared_directory=yes"
    )
    assert (store.max_pending, store._keeper.newest.lock_timeout_s, store.durability) == (5, 2.5, "os")
    store.close()
    memory: Any = open_store("memory:?max_pending=7")
    assert memory.max_pending == 7
    memory = open_store("memory:", max_pending=8)
    assert memory.max_pending == 8


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("json:t.json?max_pending=many", "max_pending must be a whole number, 1 or more, or None, got 'many'"),
        ("json:t.json?max_pending=", "max_pending must be a whole number"),
        ("json:t.json?lock_timeout_s=soon", "lock_timeout_s must be 0 or more seconds, got 'soon'"),
        ("json:t.json?allow_network_fs=perhaps", "true or false, got 'perhaps'"),
        ("json:t.json?colour=red", "options must be those of JsonStore"),
        ("memory:?durability=os", "options must be those of MemoryStore"),
    ],
)
def test_an_option_of_a_url_that_breaks_its_rule_is_refused(url: str, message: str, tmp_path: Any) -> None:
    with pytest.raises(InvalidValue, match=message):
        open_store(url)
