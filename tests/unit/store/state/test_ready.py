"""Ready: what is due and waits, in claim order; and when the first of it may start."""

from __future__ import annotations

import random

import pytest
from hourwheel.store.state.limits import Barrier
from hourwheel.store.state.ready import Entry, Ready

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


def filled(*jobs: tuple[str, int, int]) -> Ready:
    """With jobs: (id, due after NOW in ms, priority)."""
    ready = Ready()
    for id, due, priority in jobs:
        ready.put(a_job(id, NOW + due, priority=priority))
    return ready


def ids(ready: Ready, now_ms: int = NOW) -> list[str]:
    return [entry.id for _, entry in ready.take(None, now_ms)]


def parked(ready: Ready, until_ms: int | None, *ids: str) -> None:
    """Park those that come first, named ``ids``."""
    taken = [entry for _, entry in zip(ids, ready.take(None, NOW), strict=False)]
    assert [entry.id for _, entry in taken] == list(ids)
    for queue, entry in taken:
        ready.park(queue, entry, Barrier("rate:a", until_ms))


@pytest.mark.parametrize("order", [("urgent", "old"), ("old", "urgent")])
@pytest.mark.parametrize("others", [(), ("late",)])
def test_the_earliest_is_found_among_those_that_were_put_back(order: tuple[str, ...], others: tuple[str, ...]) -> None:
    ready = filled(("urgent", 9, 5), ("old", 0, 0), *((id, 20, -5) for id in others))
    taken = {entry.id: (queue, entry) for _, (queue, entry) in zip(order, ready.take(None), strict=False)}
    ready.put_back([taken[id] for id in order])
    assert ready.earliest(None) == NOW
    assert ids(ready) == ["urgent", "old", *others]


def test_the_earliest_is_found_when_what_was_there_before_is_put_back() -> None:
    ready = filled(("old", 0, 0))
    taken = list(ready.take(None))
    ready.put(a_job("urgent", NOW + 9, priority=5))
    ready.put_back(taken)
    assert ready.earliest(None) == NOW


def test_the_earliest_is_that_of_the_first_that_is_still_there() -> None:
    ready = filled(("a", 0, 0), ("b", 5, 0), ("c", 9, 0))
    ready.discard("a")
    assert ready.earliest(None) == NOW + 5


def test_what_is_gone_is_no_entry_and_takes_no_room_once_it_was_looked_for() -> None:
    numbers = list(range(100))
    random.Random(1).shuffle(numbers)
    ready = filled(*((f"job-{n:02}", n, 0) for n in numbers))
    for n in range(0, 100, 2):
        ready.discard(f"job-{n:02}")
    ready.put(a_job("job-02", NOW + 2))  # its old entry is an entry again, and counts once
    left = ["job-02", *(f"job-{n:02}" for n in range(1, 100, 2))]
    assert sorted(entry.id for entry in ready.entries()) == sorted(left)
    assert len(ready._heaps["default"]) == len(left)
    assert ids(ready) == ["job-01", *left[:1], *left[2:]]


# ---- barriers --------------------------------------------------------------------------------------------


def test_what_is_behind_a_barrier_comes_in_claim_order_with_the_others_once_it_opens() -> None:
    ready = filled(("a", 0, 0), ("b", 1, 0), ("c", 2, 0))
    parked(ready, NOW + 100, "a", "b")
    assert ids(ready, NOW + 99) == ["c"]
    ready.put(a_job("d", NOW + 50))
    assert ids(ready, NOW + 100) == ["a", "b", "d"]
    assert (ready._parked, ready._openings) == ({"rate:a": {"default": []}}, {"rate:a": NOW + 100})
    assert ids(ready, NOW + 101) == []
    assert (ready._parked, ready._openings) == ({}, {})


def test_a_barrier_that_is_closed_again_holds_the_rest_back() -> None:
    ready = filled(("a", 0, 0), ("b", 1, 0))
    parked(ready, NOW + 100, "a", "b")
    entry = next(ready.take(None, NOW + 100))
    ready.park(*entry, Barrier("rate:a", NOW + 200))
    assert ids(ready, NOW + 199) == []
    entry = next(ready.take(None, NOW + 200))
    ready.park(*entry, Barrier("rate:a"))  # now something else must happen first
    assert ids(ready, NOW + 500) == []
    ready.open("rate:a")
    assert ids(ready, NOW + 500) == ["a", "b"]


def test_no_instant_that_was_told_holds_once_the_clock_was_set_back() -> None:
    ready = filled(("a", -9_000, 0))
    parked(ready, NOW + 100, "a")
    assert ids(ready, NOW) == []
    assert ids(ready, NOW + 5) == []
    assert ids(ready, NOW + 5) == []
    assert ids(ready, NOW + 4) == ["a"]


def test_what_the_first_claim_held_back_waited_an_hour_when_the_clock_was_set_back_by_one() -> None:
    ready, later_ms = filled(("a", 0, 0), ("b", 0, 0)), NOW + 3_600_000
    _, (queue, second) = ready.take(None, later_ms)
    ready.park(queue, second, Barrier("rate:a", later_ms + 1_000))
    assert ids(ready, NOW) == ["b"]


def test_the_earliest_behind_a_barrier_is_that_of_its_opening_in_the_queues_that_are_asked_for() -> None:
    ready = filled(("a", 0, 0), ("b", 0, 0))
    ready.put(a_job("mail", NOW, queue="mail"))
    for queue, entry in list(ready.take(None, NOW)):
        ready.park(queue, entry, Barrier(f"rate:{queue}", NOW + (50 if queue == "mail" else 100)))
    assert ready.earliest(None) == NOW + 50
    assert ready.earliest(["default"]) == NOW + 100
    assert ready.earliest(None, paused=["mail"]) == NOW + 100
    ready.put(a_job("free", NOW + 3))
    assert ready.earliest(None) == NOW + 3


def test_a_barrier_that_opens_before_what_is_behind_it_is_due_does_not_make_it_due() -> None:
    ready = Ready()
    for id, due in (("late", 9), ("later", 20)):
        ready.put_back([("default", Entry(0, NOW + due, id))])
    parked(ready, NOW + 1, "late", "later")
    assert ready.earliest(None) == NOW + 9


def test_the_earliest_behind_an_open_barrier_is_found_behind_those_of_higher_priority() -> None:
    ready = filled(("urgent", 9, 5), ("old", 0, 0), ("older", -7, -1))
    parked(ready, NOW, "urgent", "old", "older")
    assert ready.earliest(None) == NOW
    ready.open("rate:a")
    assert ready.earliest(None) == NOW - 7
    ready.discard("older")
    assert ready.earliest(None) == NOW


def test_a_barrier_of_which_nothing_is_left_is_forgotten() -> None:
    ready = filled(("a", 0, 0))
    ready.put(a_job("mail", NOW, queue="mail"))
    for queue, entry in list(ready.take(None, NOW)):
        ready.park(queue, entry, Barrier("task:a"))
    ready.discard("mail")
    ready.open("task:a")
    assert ready.earliest(None) == NOW
    assert list(ready._parked["task:a"]) == ["default"]
    ready.discard("a")
    assert ready.earliest(None) is None
    assert (ready._parked, ready._openings) == ({}, {})
