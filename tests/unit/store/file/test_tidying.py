"""What tidy() drops of a snapshot, which it leaves as it is: nobody is shown it again, and nothing else is dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hourwheel.contract import find
from hourwheel.job import Failed, Failure
from hourwheel.store import JsonStore
from hourwheel.turn import effects

from tests.kit.jobs import NOW, StoppedClock, a_job, content

LATER = NOW + 100 * 86_400_000


def opened(path: Path, **options: Any) -> JsonStore:
    return JsonStore(path / "tasks.json", durability="os", clock=StoppedClock(), **options)


def ended(store: JsonStore, id: str, ttl_ms: int) -> None:
    store.add([a_job(id, result_ttl_ms=ttl_ms)], NOW)
    store.cancel([id], NOW)


def test_after_the_clock_had_been_fast_once_the_next_compaction_dropped_results_that_were_new(tmp_path: Path) -> None:
    store = opened(tmp_path)
    ended(store, "old", 1_000)
    assert store.tidy(LATER) == 1
    ended(store, "new", 1_000)
    store.compact()
    assert content(store).keys() == {"new"}
    store.close()


def test_what_was_dropped_was_there_again_after_the_clock_was_set_back(tmp_path: Path) -> None:
    store = opened(tmp_path)
    ended(store, "long", 10_000)
    store.compact()
    store.tidy(LATER)
    assert find(store, "long") is None
    ended(store, "short", 1_000)
    assert store.tidy(NOW + 1_000) == 1
    assert content(store) == {}
    store.compact()
    assert content(store) == {}
    store.close()


def test_what_a_process_with_a_short_failed_ttl_had_dropped_was_there_again_after_another_had_tidied(
    tmp_path: Path,
) -> None:
    store, other = opened(tmp_path, failed_ttl=1.0), opened(tmp_path)
    store.add([a_job("failed", result_ttl_ms=1_000)], NOW)
    (claim,) = store.claim("me", NOW, 1)
    store.settle(effects([(claim, Failed(error=Failure("E", "on purpose")))]), NOW)
    store.compact()
    store.tidy(NOW + 1_000)
    assert find(store, "failed") is None
    ended(other, "other", 1_000)
    assert other.tidy(NOW + 2_000) == 1
    assert content(store) == content(other) == {}
    store.close()
    other.close()
