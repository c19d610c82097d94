"""Ready: what is due and waits, in claim order; and when the first of it may start."""

from __future__ import annotations

from noria.store.ready import Ready

from tests.kit.jobs import NOW, a_job


def test_the_earliest_of_a_queue_is_found_behind_those_of_higher_priority() -> None:
    ready = Ready()
    for id, due_ms, priority in (("urgent", NOW + 9, 5), ("old", NOW, 0), ("late", NOW + 20, 0)):
        ready.put(a_job(id, due_ms, priority=priority))
    assert ready.earliest(None) == NOW
    ready.discard("old")
    assert ready.earliest(None) == NOW + 9
    assert [entry.id for _, entry in ready.take(None)] == ["urgent", "late"]
    assert ready.earliest(None) is None
