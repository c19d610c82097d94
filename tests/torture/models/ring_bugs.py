"""Rings with one plausible mistake each; the machine of tests/unit/test_ring_machine.py must find every one of them."""

from __future__ import annotations

from collections import deque

from hourwheel.ring import SLOTS, Ring

ALL = 1 << 62


class PopsOneMillisecondEarly(Ring[str]):
    def pop_due(self, until_ms: int, most: int = ALL) -> list[tuple[int, str]]:
        return super().pop_due(until_ms + 1, most)


class PopsOneMillisecondLate(Ring[str]):
    def pop_due(self, until_ms: int, most: int = ALL) -> list[tuple[int, str]]:
        return super().pop_due(until_ms - 1, most)


class PopsTheWholeCurrentSecond(Ring[str]):
    def pop_due(self, until_ms: int, most: int = ALL) -> list[tuple[int, str]]:
        return super().pop_due(until_ms // 1000 * 1000 + 999, most)


class IgnoresTheCycle(Ring[str]):
    def _visit(self, slot: int, until: int) -> list[int]:
        return [cycle * SLOTS + slot for cycle in self._slots[slot]]


class VisitsTheCurrentSlotOnly(Ring[str]):
    def _sweep(self, second: int) -> None:
        self._hand = second - 1
        super()._sweep(second)


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
    def _sweep(self, second: int) -> None:
        known = self._next
        super()._sweep(second)
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
    def pop_due(self, until_ms: int, most: int = ALL) -> list[tuple[int, str]]:
        return sorted(super().pop_due(until_ms, most), key=lambda entry: (entry[0], entry[1][::-1]))


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
    def pop_due(self, until_ms: int, most: int = ALL) -> list[tuple[int, str]]:
        popped = super().pop_due(until_ms, most)
        self._hand = until_ms // 1000
        return popped


class DropsWhatAHandThatWasMovedPassed(Ring[str]):
    def advance(self, second: int) -> None:
        self._hand = max(self._hand, second)


class ForgetsTheOldRunWhenABucketComesUnderTheHand(Ring[str]):
    def _sweep(self, second: int) -> None:
        self._run = deque()
        super()._sweep(second)


class PutsANewBucketBeforeTheOldRun(Ring[str]):
    def _sweep(self, second: int) -> None:
        before, self._run = self._run, deque()
        super()._sweep(second)
        self._run += before


class PopsLateEntriesLast(Ring[str]):
    def pop_due(self, until_ms: int, most: int = ALL) -> list[tuple[int, str]]:
        late, self._late = self._late, []
        popped = super().pop_due(until_ms, most)
        self._late = late
        return popped + super().pop_due(until_ms, most - len(popped))


class ReturnsOneMoreThanAsked(Ring[str]):
    def pop_due(self, until_ms: int, most: int = ALL) -> list[tuple[int, str]]:
        return super().pop_due(until_ms, most + 1)


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
    PutsANewBucketBeforeTheOldRun,
    PopsLateEntriesLast,
    ReturnsOneMoreThanAsked,
    CountsTheHorizonItself,
]
