"""A memory that runs for long does not grow by what has ended: finished jobs go once their time is over, and stay counted."""

from __future__ import annotations

import pytest
from hourwheel.job import State, Succeeded
from hourwheel.store import MemoryStore, memory
from hourwheel.turn import effects

from tests.kit.jobs import NOW, a_job, claim_all, content


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """Forgets at every settlement."""
    monkeypatch.setattr(memory, "_FORGET_EVERY", 1)
    return MemoryStore()


def test_a_finished_job_is_forgotten_when_its_time_is_over_and_not_a_millisecond_before(store: MemoryStore) -> None:
    store.add([a_job("ended", result_ttl_ms=1000), a_job("waits", NOW + 10**9, result_ttl_ms=0)], NOW)
    store.settle(effects([(claim, Succeeded()) for claim in claim_all(store)]), NOW)
    store.add([a_job("runs", result_ttl_ms=0)], NOW)
    store.claim("me", NOW + 999, 1)
    assert sorted(content(store)) == ["ended", "runs", "waits"]
    store.cancel(["waits"], NOW + 1000)
    assert sorted(content(store)) == ["runs"]
    stats = store.stats(NOW + 1000)
    assert (stats.accepted, stats.succeeded, stats.cancelled, stats.running) == (3, 1, 1, 1)
    assert store.check() == []


def test_what_is_forgotten_is_counted_for_whoever_asks(store: MemoryStore) -> None:
    store.add([a_job(f"{number}", result_ttl_ms=number) for number in range(4)], NOW)
    store.cancel([f"{number}" for number in range(4)], NOW - 1)
    told = [store._changing(lambda state, at=at: state.forget(at, 0)) for at in (NOW, NOW, NOW + 5)]
    assert told == [1, 0, 2]
    assert content(store) == {}


def test_jobs_that_have_not_ended_are_never_forgotten_whatever_their_text(store: MemoryStore) -> None:
    store.add([a_job("a", result_ttl_ms=0), a_job("b", NOW + 1, result_ttl_ms=0)], NOW)
    [claim] = claim_all(store)
    for now_ms in (NOW, NOW + 10**12):
        store.add([a_job(f"c{now_ms}", now_ms + 1)], NOW)
        store.cancel([f"c{now_ms}"], now_ms)
    assert {"a", "b"} <= set(content(store))
    assert store.settle(effects([(claim, Succeeded())]), NOW) == []
    assert content(store)["b"].state is State.SCHEDULED
