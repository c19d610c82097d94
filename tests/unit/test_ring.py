"""The ring: plain cases, one exhaustive one, and what a sweep costs counted in slots visited."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hourwheel.ring import SLOTS, Ring

TURN_MS = SLOTS * 1000
YEAR_MS = 365 * 86_400_000
NOON = 1_790_000_000_000
LAST_MS_OF_9999 = 253_402_300_799_999


class CountingRing(Ring[str]):
    """A ring that counts the slots its sweeps visit."""

    def __init__(self, hand: int = 0) -> None:
        super().__init__(hand)
        self.visited = 0

    def _visit(self, slot: int, until: int) -> list[int]:
        self.visited += 1
        return super()._visit(slot, until)


def ring_of(*entries: tuple[str, int], hand: int = 0) -> CountingRing:
    ring = CountingRing(hand)
    for key, due_ms in entries:
        ring.add(key, due_ms)
    return ring


def held(ring: Ring[str]) -> dict[str, int]:
    return {key: due_ms for _, cycles in ring.slots() for bucket in cycles.values() for key, due_ms in bucket.items()}


# ---- when an entry is popped -------------------------------------------------------------------------------


def test_an_empty_ring_has_nothing_due_and_nothing_next() -> None:
    ring = ring_of()
    assert (ring.pop_due(NOON), ring.next_due(), len(ring)) == ([], None, 0)


@pytest.mark.parametrize("due_ms", [0, 1, 999, 1000, 1001, TURN_MS - 1, TURN_MS, NOON, NOON + 999, LAST_MS_OF_9999])
def test_an_entry_is_popped_at_its_millisecond_and_not_one_before(due_ms: int) -> None:
    ring = ring_of(("a", due_ms))
    assert ring.pop_due(due_ms - 1) == []
    assert ring.next_due() == due_ms
    assert ring.pop_due(due_ms) == [(due_ms, "a")]
    assert (ring.next_due(), len(ring)) == (None, 0)


def test_the_worked_example_of_the_module_is_true() -> None:
    ring = ring_of(("a", 10_000), ("b", 10_700), ("z", 3_610_000), hand=9)
    assert ring.pop_due(10_300) == [(10_000, "a")]
    ring.add("c", 4_000)
    assert ring.pop_due(10_699) == [(4_000, "c")]
    assert ring.pop_due(11_000) == [(10_700, "b")]
    assert ring.pop_due(3_609_999) == []
    assert ring.pop_due(3_610_000) == [(3_610_000, "z")]


def test_entries_of_one_slot_are_kept_apart_by_their_cycle() -> None:
    ring = ring_of(*[(str(cycle), NOON + cycle * TURN_MS) for cycle in range(5)], hand=NOON // 1000 - 1)
    for cycle in range(5):
        assert ring.pop_due(NOON + cycle * TURN_MS) == [(NOON + cycle * TURN_MS, str(cycle))]


def test_what_is_due_together_is_popped_by_due_instant_and_then_by_key() -> None:
    entries = [("b", 5_000), ("a", 5_000), ("z", 4_999), ("c", 3_000), ("y", TURN_MS + 1)]
    ring = ring_of(*entries)
    assert ring.pop_due(2 * TURN_MS) == sorted((due_ms, key) for key, due_ms in entries)


def test_an_entry_added_late_is_found_by_the_very_next_pop() -> None:
    ring = ring_of(hand=NOON // 1000)
    ring.add("long past", 5)
    ring.add("this second", NOON + 3)
    assert ring.next_due() == 5
    assert ring.pop_due(NOON + 3) == [(5, "long past"), (NOON + 3, "this second")]


def test_late_entries_and_those_of_the_bucket_under_the_hand_come_in_one_order() -> None:
    ring = ring_of(("b", NOON + 1), ("d", NOON + 3), ("f", NOON + 5), hand=NOON // 1000 - 1)
    assert ring.pop_due(NOON) == []
    ring.add("c", NOON + 2)
    ring.add("e", NOON + 4)
    assert ring.next_due() == NOON + 1
    assert [key for _, key in ring.pop_due(NOON + 4)] == ["b", "c", "d", "e"]
    assert ring.next_due() == NOON + 5


def test_exhaustive_1024_timers_over_1024_ticks_at_each_exactly_those_that_are_due() -> None:
    # tokio's poll_process_levels, for the two units that matter here: one tick a millisecond, and one tick 3.6 s
    # (1,024 of those are more than a turn, so cycles count).
    for tick_ms in (1, 3_600):
        start = NOON - 500
        ring = Ring[str](start // 1000 - 1)
        order = list(range(1024))
        random.Random(1024).shuffle(order)
        for number in order:
            ring.add(f"{number:04}", start + number * tick_ms)
        for tick in range(1024):
            now_ms = start + tick * tick_ms
            assert ring.next_due() == now_ms
            assert ring.pop_due(now_ms) == [(now_ms, f"{tick:04}")]
            assert len(ring) == 1023 - tick
    assert ring.next_due() is None


# ---- the clock goes back -----------------------------------------------------------------------------------


def test_the_hand_never_goes_back() -> None:
    ring = ring_of(hand=100)
    ring.pop_due(50_000)
    assert ring.hand == 100
    ring.pop_due(101_999)
    assert ring.hand == 101


def test_when_the_clock_was_set_back_entries_wait_for_their_own_instant() -> None:
    ring = ring_of(hand=NOON // 1000)
    hour_ago = NOON - TURN_MS
    assert ring.pop_due(hour_ago) == []
    ring.add("a", hour_ago + 5_000)
    ring.add("b", hour_ago + 5_001)
    assert ring.next_due() == hour_ago + 5_000
    assert ring.pop_due(hour_ago + 4_999) == []
    assert ring.pop_due(hour_ago + 5_000) == [(hour_ago + 5_000, "a")]
    assert ring.pop_due(NOON) == [(hour_ago + 5_001, "b")]


def test_what_was_popped_does_not_come_again_when_the_clock_repeats_an_hour() -> None:
    ring = ring_of(("a", NOON), hand=NOON // 1000 - 1)
    assert len(ring.pop_due(NOON)) == 1
    for now_ms in range(NOON - TURN_MS, NOON + TURN_MS, 60_000):
        assert ring.pop_due(now_ms) == []


# ---- what a gap costs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gap_s", "visits"), [(0, 0), (1, 1), (59, 59), (3599, 3599), (3600, 3600), (3601, 3600)])
def test_a_sweep_visits_each_slot_of_the_gap_once_and_never_more_than_a_turn(gap_s: int, visits: int) -> None:
    ring = ring_of(("near", NOON + 1000), ("far", LAST_MS_OF_9999), hand=NOON // 1000)
    ring.pop_due(NOON + gap_s * 1000)
    assert ring.visited == visits


@pytest.mark.parametrize(("gap_s", "visits"), [(0, 0), (899, 0), (900, 1), (960, 61), (86_400, 3600)])
def test_a_sweep_visits_no_slot_before_what_is_known_to_be_next(gap_s: int, visits: int) -> None:
    ring = ring_of(("next", NOON + 900_000), ("far", LAST_MS_OF_9999), hand=NOON // 1000)
    ring.pop_due(NOON + gap_s * 1000)
    assert ring.visited == visits


def test_when_what_was_next_was_discarded_each_slot_of_the_gap_is_visited() -> None:
    ring = ring_of(("next", NOON + 900_000), ("other", NOON + 901_000), hand=NOON // 1000)
    ring.discard("next", NOON + 900_000)
    assert ring.pop_due(NOON + 901_000) == [(NOON + 901_000, "other")]
    assert ring.visited == 901


def test_a_gap_of_ten_years_with_ten_entries_costs_one_turn_and_loses_nothing() -> None:
    entries = [(str(year), NOON + year * YEAR_MS + year) for year in range(10)]
    ring = ring_of(*entries, hand=NOON // 1000 - 1)
    assert ring.pop_due(NOON + 10 * YEAR_MS) == [(due_ms, key) for key, due_ms in entries]
    assert ring.visited == SLOTS
    assert ring.hand == (NOON + 10 * YEAR_MS) // 1000


def test_from_1970_to_the_year_9999_in_one_sweep() -> None:
    ring = ring_of(("first", 0), ("last", LAST_MS_OF_9999), ("last but one", LAST_MS_OF_9999 - 1))
    assert ring.pop_due(LAST_MS_OF_9999 - 1) == [(0, "first"), (LAST_MS_OF_9999 - 1, "last but one")]
    assert ring.visited <= SLOTS
    assert ring.pop_due(LAST_MS_OF_9999) == [(LAST_MS_OF_9999, "last")]


def test_the_bucket_under_the_hand_is_put_in_order_once_however_often_it_is_popped() -> None:
    # Counted in comparisons of keys that are due at one instant: an order that is made once needs some n log n of them.
    count = 4_000
    compared = 0

    class Counted(str):
        __slots__ = ()

        def __lt__(self, other: str) -> bool:
            nonlocal compared
            compared += 1
            return str.__lt__(self, other)

        __hash__ = str.__hash__

    ring = Ring[str](NOON // 1000 - 1)
    for number in random.Random(7).sample(range(count), count):
        ring.add(Counted(f"{number:05}"), NOON + 900)
    for now_ms in range(NOON, NOON + 900):
        assert ring.pop_due(now_ms) == []
        assert ring.next_due() == NOON + 900
    assert 0 < compared < count * 14
    assert len(ring.pop_due(NOON + 900)) == count


# ---- discard -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hand", [0, NOON // 1000, NOON // 1000 + 10], ids=["beyond", "under", "late"])
def test_a_discarded_entry_is_gone_and_its_neighbours_stay(hand: int) -> None:
    ring = ring_of(("a", NOON), ("b", NOON), ("c", NOON + 1), hand=hand)
    assert ring.discard("a", NOON)
    assert not ring.discard("a", NOON)
    assert len(ring) == 2
    assert held(ring) == {"b": NOON, "c": NOON + 1}
    assert ring.pop_due(NOON + TURN_MS) == [(NOON, "b"), (NOON + 1, "c")]


@pytest.mark.parametrize("hand", [0, NOON // 1000])
def test_discard_says_no_to_an_entry_that_is_not_there(hand: int) -> None:
    ring = ring_of(("a", NOON), hand=hand)
    for key, due_ms in [("a", NOON + 1), ("a", NOON + TURN_MS), ("a", NOON + 1000), ("b", NOON)]:
        assert not ring.discard(key, due_ms)
    assert (len(ring), ring.next_due()) == (1, NOON)
    ring.pop_due(NOON)
    assert not ring.discard("a", NOON)


@pytest.mark.parametrize("hand", [0, NOON // 1000, NOON // 1000 + 5_000])
def test_next_due_follows_when_what_is_first_is_discarded(hand: int) -> None:
    dues = [NOON, NOON + 1, NOON + 999, NOON + 1000, NOON + TURN_MS, NOON + 2 * TURN_MS]
    ring = ring_of(*[(str(due_ms), due_ms) for due_ms in dues], hand=hand)
    for first, following in zip(dues, [*dues[1:], None], strict=True):
        assert ring.next_due() == first
        assert ring.discard(str(first), first)
        assert ring.next_due() == following


def test_a_key_may_come_back_with_another_due_instant_after_its_discard() -> None:
    ring = ring_of(("a", NOON + 5), hand=NOON // 1000)
    ring.discard("a", NOON + 5)
    ring.add("a", NOON + 7)
    assert ring.pop_due(NOON + 6) == []
    assert ring.pop_due(NOON + 9) == [(NOON + 7, "a")]


def test_a_key_that_came_back_at_the_same_instant_is_popped_once() -> None:
    ring = ring_of(("a", NOON + 5), hand=NOON // 1000)
    ring.discard("a", NOON + 5)
    ring.add("a", NOON + 5)
    assert ring.pop_due(NOON + 9) == [(NOON + 5, "a")]
    assert (len(ring), ring.next_due()) == (0, None)


def test_what_was_discarded_under_a_hand_that_stands_still_does_not_pile_up() -> None:
    ring = ring_of(("stays", NOON + 999), hand=NOON // 1000)
    for number in range(20_000):
        ring.add(str(number), NOON + 500)
        ring.discard(str(number), NOON + 500)
    assert len(ring._late) < 2_000
    assert ring.pop_due(NOON + 999) == [(NOON + 999, "stays")]


# ---- moving the hand without popping -----------------------------------------------------------------------


def test_advance_moves_the_hand_and_keeps_what_it_passes_for_the_next_pop() -> None:
    dues = [NOON + 1_000, NOON + 1_500, NOON + 2_100, NOON + 9_000, NOON + TURN_MS]
    ring = ring_of(*[(str(due_ms), due_ms) for due_ms in dues], hand=NOON // 1000)
    for second in (1, 2, 1, 5):
        ring.advance(NOON // 1000 + second)
    assert (ring.hand, len(ring), ring.next_due()) == (NOON // 1000 + 5, 5, NOON + 1_000)
    assert ring.pop_due(NOON + 1_200) == [(NOON + 1_000, str(NOON + 1_000))]
    assert [due_ms for due_ms, _ in ring.pop_due(NOON + TURN_MS)] == dues[1:]


# ---- the picture -------------------------------------------------------------------------------------------


def test_density_counts_by_slot_what_is_due_before_the_horizon() -> None:
    ring = ring_of(
        ("late", 7_000), ("a", NOON), ("b", NOON + 999), ("c", NOON + TURN_MS), ("d", NOON + 1_000), hand=100
    )
    slot = NOON // 1000 % SLOTS
    assert {at: count for at, count in enumerate(ring.density(NOON)) if count} == {7: 1}
    assert {at: count for at, count in enumerate(ring.density(NOON + 999)) if count} == {7: 1, slot: 1}
    assert {at: count for at, count in enumerate(ring.density(NOON + 1_000)) if count} == {7: 1, slot: 2}
    cells = ring.density(NOON + 2 * TURN_MS)
    assert (len(cells), sum(cells), cells[slot], cells[slot + 1]) == (SLOTS, 5, 3, 1)


def test_slots_shows_each_entry_at_its_own_slot_and_cycle_wherever_the_hand_is() -> None:
    dues = {"a": 7_000, "b": 7_001, "c": NOON, "d": NOON + TURN_MS, "e": NOON - 1}
    for hand in (0, 7, NOON // 1000, NOON // 1000 + SLOTS):
        shown = list(ring_of(*dues.items(), hand=hand).slots())
        assert [slot for slot, _ in shown] == sorted({due_ms // 1000 % SLOTS for due_ms in dues.values()})
        for slot, cycles in shown:
            assert list(cycles) == sorted(cycles)
            for second, bucket in _seconds(slot, cycles):
                assert all(due_ms // 1000 == second for due_ms in bucket.values())
        assert sum(len(bucket) for _, cycles in shown for bucket in cycles.values()) == len(dues)


def _seconds(slot: int, cycles: dict[int, dict[str, int]]) -> Iterator[tuple[int, dict[str, int]]]:
    return ((cycle * SLOTS + slot, bucket) for cycle, bucket in cycles.items())


def test_slots_gives_copies_so_that_a_reader_cannot_harm_the_ring() -> None:
    ring = ring_of(("a", NOON), ("b", NOON))
    for _, cycles in ring.slots():
        for bucket in cycles.values():
            bucket.clear()
    assert held(ring) == {"a": NOON, "b": NOON}
