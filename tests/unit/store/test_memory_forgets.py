"""A memory that runs for long does not grow by what has ended: a worker tidies up, and what went stays counted."""

from __future__ import annotations

from hourwheel import Scheduler
from hourwheel.job import State, Succeeded
from hourwheel.store import MemoryStore
from hourwheel.testing import FakeClock
from hourwheel.turn import effects

from tests.kit.jobs import NOW, a_job, claim_all, content
from tests.kit.ticking import World


def test_a_ttl_of_zero_was_kept_for_ninety_seconds_by_a_running_store_and_for_ever_by_an_idle_one() -> None:
    world = World()
    world.store.add([a_job("a", world.clock.now_ms(), result_ttl_ms=0)], 0)
    world.drain()
    for _ in range(60):
        world.clock.advance(1)
        world.ticker.step()
    assert world.store.get(["a"]) == [None]
    assert world.store.stats(0).succeeded == 1


def test_a_program_that_only_sweeps_tidies_up_too() -> None:
    clock = FakeClock()
    app = Scheduler(MemoryStore(), clock=clock, result_ttl=1)
    app.task(name="work")(lambda: None)
    result = app.send_task("work")
    app.run_due()
    assert result.state == "succeeded"
    clock.advance(2)
    app.run_due()
    assert app.store.get([result.id]) == [None]


def test_five_thousand_replacements_of_one_key_left_five_thousand_jobs() -> None:
    store = MemoryStore()
    for number in range(500):
        store.add([a_job(f"job-{number}", NOW + 10**6, key="k")], NOW + number, on_conflict="replace")
    assert store.tidy(NOW + 301_000) == 499
    assert list(content(store)) == ["job-499"]
    assert (store.check(), store.stats(NOW).cancelled) == ([], 499)


def test_what_has_not_ended_is_never_dropped() -> None:
    store = MemoryStore()
    store.add([a_job("a", result_ttl_ms=0), a_job("b", NOW + 1, result_ttl_ms=0)], NOW)
    [claim] = claim_all(store)
    assert store.tidy(NOW + 10**12) == 0
    assert store.settle(effects([(claim, Succeeded())]), NOW) == []
    assert store.tidy(NOW + 10**12) == 1
    assert content(store)["b"].state is State.SCHEDULED
