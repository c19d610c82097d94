"""The ring against a sorted list: any history of calls gives the same answers."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import ClassVar

from hourwheel.ring import SLOTS, Ring
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

TURN_MS = SLOTS * 1000
LAST_MS = 253_402_300_799_999

# Distances in milliseconds, thick where the arithmetic has its edges: a millisecond, a second, a turn.
_NEAR = st.integers(-2, 2)
_EDGES = st.sampled_from([0, 999, 1_000, 60_000, TURN_MS - 1_000, TURN_MS, 2 * TURN_MS, 3 * TURN_MS + 500, 10**11])
AHEAD = st.integers(0, 3_000) | st.builds(int.__add__, _EDGES, _NEAR) | st.integers(0, 2 * TURN_MS)
BEHIND = AHEAD.map(int.__neg__)
STARTS = st.sampled_from([0, 1, 3_599, 3_600, 1_790_000_000, LAST_MS // 1000 - SLOTS])
KEYS = st.sampled_from([f"k{number:02}" for number in range(40)])
PLACES = st.integers(0, 5)


class SortedList:
    """What a ring is to do, in the simplest way: entries in due order, and no hand."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, str]] = []
        self.dues: dict[str, int] = {}

    def add(self, key: str, due_ms: int) -> None:
        insort(self.entries, (due_ms, key))
        self.dues[key] = due_ms

    def discard(self, key: str, due_ms: int) -> bool:
        if self.dues.get(key) != due_ms:
            return False
        del self.dues[key]
        self.entries.remove((due_ms, key))
        return True

    def pop_due(self, until_ms: int, most: int) -> list[tuple[int, str]]:
        end = min(bisect_left(self.entries, (until_ms + 1, "")), most)
        popped, self.entries = self.entries[:end], self.entries[end:]
        for _, key in popped:
            del self.dues[key]
        return popped

    def next_due(self) -> int | None:
        return self.entries[0][0] if self.entries else None


class RingMachine(RuleBasedStateMachine):
    """Calls in any order on a ring and on the model."""

    ring_type: ClassVar[type[Ring[str]]] = Ring

    @initialize(hand=STARTS)
    def start(self, hand: int) -> None:
        self.ring = self.ring_type(hand)
        self.model = SortedList()
        self.hand = hand
        self.now_ms = hand * 1000

    @rule(key=KEYS, distance=AHEAD | BEHIND)
    def add(self, key: str, distance: int) -> None:
        if key not in self.model.dues:
            due_ms = min(max(0, self.now_ms + distance), LAST_MS)
            self.ring.add(key, due_ms)
            self.model.add(key, due_ms)

    @rule(keys=st.lists(KEYS, unique=True), distance=AHEAD, apart=st.sampled_from([0, 1, 500, 1_000, TURN_MS]))
    def add_many(self, keys: list[str], distance: int, apart: int) -> None:
        for number, key in enumerate(keys):
            self.add(key, distance + number * apart)

    @rule(key=KEYS)
    def discard(self, key: str) -> None:
        due_ms = self.model.dues.get(key, self.now_ms)
        assert self.ring.discard(key, due_ms) == self.model.discard(key, due_ms)

    @rule(count=st.integers(1, 5))
    def discard_the_first(self, count: int) -> None:
        for due_ms, key in self.model.entries[:count]:
            assert self.ring.next_due() == due_ms
            assert self.ring.discard(key, due_ms)
            assert self.model.discard(key, due_ms)

    @rule(at=PLACES, off_by=st.sampled_from([1, -1, 1_000, TURN_MS]))
    def discard_with_a_wrong_instant(self, at: int, off_by: int) -> None:
        for due_ms, key in self.model.entries[at : at + 1]:
            assert not self.ring.discard(key, due_ms + off_by)

    @rule(distance=AHEAD)
    def time_passes(self, distance: int) -> None:
        self.now_ms = min(self.now_ms + distance, LAST_MS)
        self._pop()

    @rule(before=st.integers(0, 1))
    def time_passes_until_the_next_is_due(self, before: int) -> None:
        due_ms = self.model.next_due()
        if due_ms is not None:
            self.now_ms = max(self.now_ms, due_ms - before)
            self._pop()

    @rule(distance=AHEAD, most=st.integers(0, 4))
    def time_passes_and_some_are_taken(self, distance: int, most: int) -> None:
        self.now_ms = min(self.now_ms + distance, LAST_MS)
        self._pop(most)

    @rule(distance=BEHIND)
    def the_clock_is_set_back(self, distance: int) -> None:
        self.now_ms = max(0, self.now_ms + distance)
        self._pop()

    @rule(seconds=st.integers(-1, 3) | st.sampled_from([SLOTS, SLOTS + 1]))
    def the_hand_is_moved(self, seconds: int) -> None:
        self._advance(max(0, self.now_ms // 1000 + seconds))

    @rule(at=PLACES)
    def the_hand_is_moved_to_an_entry(self, at: int) -> None:
        for due_ms, _ in self.model.entries[at : at + 1]:
            self._advance(due_ms // 1000)

    @rule()
    def next_due(self) -> None:
        assert self.ring.next_due() == self.model.next_due()

    @rule(at=PLACES, beside=_NEAR)
    def density(self, at: int, beside: int) -> None:
        before_ms = (self.model.entries[at][0] if at < len(self.model.entries) else self.now_ms) + beside
        cells = [0] * SLOTS
        for due_ms, _ in self.model.entries:
            cells[due_ms // 1000 % SLOTS] += due_ms < before_ms
        assert self.ring.density(before_ms) == cells

    @rule()
    def slots(self) -> None:
        shown = list(self.ring.slots())
        assert [slot for slot, _ in shown] == sorted({slot for slot, _ in shown})
        found = {}
        for slot, cycles in shown:
            for cycle, bucket in cycles.items():
                assert bucket
                assert all(due_ms // 1000 == cycle * SLOTS + slot for due_ms in bucket.values())
                found.update(bucket)
        assert found == self.model.dues

    @invariant()
    def the_length_and_the_hand_are_right(self) -> None:
        assert len(self.ring) == len(self.model.dues)
        assert self.ring.hand == self.hand

    def teardown(self) -> None:
        if hasattr(self, "ring"):
            self.now_ms = LAST_MS
            self._pop()
            assert len(self.ring) == 0

    def _advance(self, second: int) -> None:
        self.ring.advance(second)
        self.hand = max(self.hand, second)

    def _pop(self, most: int = 1 << 62) -> None:
        assert self.ring.pop_due(self.now_ms, most) == self.model.pop_due(self.now_ms, most)
        self.hand = max(self.hand, self.now_ms // 1000)


def machine_for(ring: type[Ring[str]]) -> type[RingMachine]:
    """A machine for that ring."""
    return type(f"MachineFor{ring.__name__}", (RingMachine,), {"ring_type": ring})


def test_the_ring_answers_as_a_sorted_list_does() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine_for(Ring), settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )
