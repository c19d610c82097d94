"""What tidy() drops of a snapshot, which it leaves as it is: nobody is shown it again, and nothing else is dropped."""

from __future__ import annotations

from pathlib import Path

from hourwheel.contract import find
from hourwheel.store import JsonStore

from tests.kit.jobs import NOW, StoppedClock, a_job, content

LATER = NOW + 100 * 86_400_000


def opened(path: Path) -> JsonStore:
    return JsonStore(path / "tasks.json", durability="os", clock=StoppedClock())


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
