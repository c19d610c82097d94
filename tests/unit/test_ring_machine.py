"""The ring against a sorted list: any history of calls gives the same answers. And the proof that this test can fail."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import ClassVar

import pytest
from hourwheel.ring import SLOTS, Ring
from hypothesis import HealthCheck, Phase, settings
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

    def pop_due(self, until_ms: int) -> list[tuple[int, str]]:
        end = bisect_left(self.entries, (until_ms + 1, ""))
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

    def _pop(self) -> None:
        assert self.ring.pop_due(self.now_ms) == self.model.pop_due(self.now_ms)
        self.hand = max(self.hand, self.now_ms // 1000)


def machine_for(ring: type[Ring[str]]) -> type[RingMachine]:
    """A machine for that ring."""
    return type(f"MachineFor{ring.__name__}", (RingMachine,), {"ring_type": ring})


def test_the_ring_answers_as_a_sorted_list_does() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine_for(Ring), settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )


# ---- the machine can fail ----------------------------------------------------------------------------------
# Each class below is the ring with one plausible mistake. The machine must find every one of them.


class PopsOneMillisecondEarly(Ring[str]):
    def pop_due(self, until_ms: int) -> list[tuple[int, str]]:
        return super().pop_due(until_ms + 1)


class PopsOneMillisecondLate(Ring[str]):
    def pop_due(self, until_ms: int) -> list[tuple[int, str]]:
        return super().pop_due(until_ms - 1)


class PopsTheWholeCurrentSecond(Ring[str]):
    def pop_due(self, until_ms: int) -> list[tuple[int, str]]:
        return super().pop_due(until_ms // 1000 * 1000 + 999)


class IgnoresTheCycle(Ring[str]):
    def _visit(self, slot: int, until: int) -> list[int]:
        return [cycle * SLOTS + slot for cycle in self._slots[slot]]


class VisitsTheCurrentSlotOnly(Ring[str]):
    def _sweep(self, second: int, passed: list[tuple[int, str]]) -> None:
        self._hand = second - 1
        super()._sweep(second, passed)


class LeavesOutTheSlotOfTheHandInAFullTurn(Ring[str]):
    def _visit(self, slot: int, until: int) -> list[int]:
        return [] if slot == self._hand % SLOTS else super()._visit(slot, until)


class PutsLateEntriesIntoTheirOwnSlot(Ring[str]):
    def add(self, key: str, due_ms: int) -> None:
        hand, self._hand = self._hand, -1
        super().add(key, due_ms)
        self._hand = hand


class LosesLateEntries(Ring[str]):
    def add(self, key: str, due_ms: int) -> None:
        super().add(key, due_ms)
        if due_ms // 1000 <= self._hand:
            self._late.remove((due_ms, key))


class KeepsANextThatWasDiscarded(Ring[str]):
    def _discard_beyond(self, key: str, due_ms: int, second: int) -> bool:
        known = self._next
        removed = super()._discard_beyond(key, due_ms, second)
        self._next = known
        return removed


class KeepsAHeadThatWasDiscarded(Ring[str]):
    def _earliest_beyond(self) -> int:
        self._stale.clear()
        return super()._earliest_beyond()


class KeepsANextThatWasSwept(Ring[str]):
    def _sweep(self, second: int, passed: list[tuple[int, str]]) -> None:
        known = self._next
        super()._sweep(second, passed)
        self._next = known


class OverlooksAnEarlierNext(Ring[str]):
    def add(self, key: str, due_ms: int) -> None:
        known = self._next
        super().add(key, due_ms)
        self._next = known


class ForgetsTheLaterCyclesOfASlot(Ring[str]):
    def _head_of(self, slot: int) -> int:
        return 1 << 62


class ForgetsToOrderByKey(Ring[str]):
    def pop_due(self, until_ms: int) -> list[tuple[int, str]]:
        return sorted(super().pop_due(until_ms), key=lambda entry: (entry[0], entry[1][::-1]))


class DiscardsWhateverTheInstant(Ring[str]):
    def discard(self, key: str, due_ms: int) -> bool:
        return super().discard(key, self._under.get(key, due_ms))


class GivesBackWhatWasDiscardedUnderTheHand(Ring[str]):
    def _discard_under(self, key: str, due_ms: int) -> bool:
        removed = super()._discard_under(key, due_ms)
        if removed:
            self._under[key] = due_ms
        return removed


class LetsTheHandGoBack(Ring[str]):
    def pop_due(self, until_ms: int) -> list[tuple[int, str]]:
        popped = super().pop_due(until_ms)
        self._hand = until_ms // 1000
        return popped


class DropsWhatAHandThatWasMovedPassed(Ring[str]):
    def advance(self, second: int) -> None:
        self._hand = max(self._hand, second)


class ForgetsTheOldRunWhenABucketComesUnderTheHand(Ring[str]):
    def _bring_under(self, entries: list[tuple[int, str]]) -> None:
        self._run = []
        super()._bring_under(entries)


class CountsTheHorizonItself(Ring[str]):
    def density(self, before_ms: int) -> list[int]:
        return super().density(before_ms + 1)


BUGS = [
    PopsOneMillisecondEarly,
    PopsOneMillisecondLate,
    PopsTheWholeCurrentSecond,
    IgnoresTheCycle,
    VisitsTheCurrentSlotOnly,
    LeavesOutTheSlotOfTheHandInAFullTurn,
    PutsLateEntriesIntoTheirOwnSlot,
    LosesLateEntries,
    KeepsANextThatWasDiscarded,
    KeepsAHeadThatWasDiscarded,
    KeepsANextThatWasSwept,
    OverlooksAnEarlierNext,
    ForgetsTheLaterCyclesOfASlot,
    ForgetsToOrderByKey,
    DiscardsWhateverTheInstant,
    GivesBackWhatWasDiscardedUnderTheHand,
    LetsTheHandGoBack,
    DropsWhatAHandThatWasMovedPassed,
    ForgetsTheOldRunWhenABucketComesUnderTheHand,
    CountsTheHorizonItself,
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_the_machine_finds_each_seeded_bug(bug: type[Ring[str]]) -> None:
    looking = settings(
        max_examples=2_000,
        stateful_step_count=40,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises((AssertionError, LookupError, ValueError)):
        run_state_machine_as_test(machine_for(bug), settings=looking)  # type: ignore[no-untyped-call]
