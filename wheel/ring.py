"""Ring: a timing wheel of 3600 slots, one for each second of an hour, and a hand that goes round.

Pure: integers in, entries out. It uses no clock, lock or thread, and imports nothing else of the package.

Where an entry is kept
======================

An entry is a key and the instant at which it is due, in milliseconds since the epoch. Its *due second* says where it
is kept:

    second = due_ms // 1000       slot = second % 3600       cycle = second // 3600

The slot is the position on the ring; the cycle counts turns since the epoch. The pair is the due second written in base
3600, so it is *absolute*: it is still right after downtime, and nothing is rewritten as the hand turns. (The usual
hashed wheel stores "rounds left", which must be decremented at every visit and is wrong once a visit is missed.) The
entries of one slot and cycle form a bucket.

    13:59:59.250 UTC on 1 January 1970 is 50,399,250 ms: second 50,399, slot 3599, cycle 13
    14:00:00.000 UTC is 750 ms later: slot 0, cycle 14

This is scheme 6 of Varghese & Lauck, "Hashed and Hierarchical Timing Wheels" (SOSP 1987). Adding and discarding take
constant time, because a bucket is found by arithmetic and nothing is sorted until it is needed. Unlike there, a slot is
a dict by cycle instead of a list to search, so the cost of a sweep depends on what is due, not on what is pending.

The hand
========

The hand is the last second that was swept. It never goes back. The module rests on two invariants:

    I1  Every entry beyond the hand (due second > hand) is in the bucket of its due second.
    I2  Every other entry is *under the hand*: in ``_under``, in due order, ready to be popped to the millisecond.

``pop_due(until)``, where U is the second of ``until`` and U > hand, moves the hand to U. By I2, what was under the hand
is due in a second before U. By I1, everything else due by U is in a bucket of a second in
(hand, U]. These U - hand seconds fall on at most 3600 slots, so it is enough to visit min(U - hand, 3600) slots: a gap
of ten years costs one turn. These buckets move under the hand (I2), behind what is there, each sorted *once*. The last
one may have entries that are due later in its second; they are left for later calls, as is what exceeds ``most``. I1
then holds for the new hand.

An entry that is added late, for a second that the hand has already reached (as every immediate job is), would be in a
slot that is not visited for an hour. By I2 it goes under the hand instead, where the next pop_due finds it. If the
clock is set back, the second of ``until`` is before the hand: the hand stays and no slot is visited. Entries under the
hand are still popped only when their own due_ms has come, so nothing is early. Popped entries are gone from the ring,
so nothing is popped twice.

    ring = Ring(hand=9)
    ring.add("a", 10_000); ring.add("b", 10_700); ring.add("z", 3_610_000)      # z: the same slot, next cycle
    ring.pop_due(10_300) -> [(10_000, "a")]      hand 10; b is under the hand, z stays in slot 10
    ring.add("c", 4_000)                         late: goes under the hand
    ring.pop_due(10_699) -> [(4_000, "c")]
    ring.pop_due(11_000) -> [(10_700, "b")]

The next due entry
==================

``_heads`` has the due second of each slot's first bucket. (It may be earlier if the slot is in ``_stale``: discard()
has emptied its first bucket.) ``_next`` caches the earliest due_ms beyond the hand. When that entry is discarded or
swept, the cache is cleared, and next_due() computes it again from the heads and one bucket. So next_due() is cheap
while the first entry stays the same, and never looks at all entries.

A bucket of one entry is kept as a tuple (due_ms, key) of 72 bytes, because a dict would take over 200. When a million
jobs are spread over a month, most are alone in their second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Any, Final, Generic, Protocol, TypeVar

SLOTS: Final = 3600
"""One for each second of an hour."""

_NEVER: Final = 1 << 62
_UNKNOWN: Final = -1
_SLACK: Final = 1000


class Key(Protocol):
    """The type of keys: hashable and ordered, such as a string."""

    def __lt__(self, other: Any, /) -> bool:
        """The order of entries that are due in the same millisecond."""

    def __hash__(self) -> int:
        """Keys are keys of dicts."""


K = TypeVar("K", bound=Key)
_Bucket = tuple[int, K] | dict[K, int]


class Ring(Generic[K]):
    """Entries (key, due_ms) by their due second, and a hand that sweeps over them.

    >>> ring = Ring[str](hand=0)
    >>> ring.add("a", 1_500)
    >>> ring.pop_due(1_499), ring.next_due(), ring.pop_due(1_500)
    ([], 1500, [(1500, 'a')])
    """

    __slots__ = ("_hand", "_heads", "_late", "_minutes", "_next", "_run", "_size", "_slots", "_stale", "_under")

    def __init__(self, hand: int = 0) -> None:
        """Make a ring without entries.

        Args:
            hand: the last second that has already been swept, in seconds since the epoch.
        """
        self._hand = hand
        self._size = 0
        self._slots: list[dict[int, _Bucket[K]]] = [{}] * SLOTS  # one shared empty dict, never written to
        self._heads: list[int] = [_NEVER] * SLOTS
        self._minutes: list[int] = [_NEVER] * 60  # the least of each sixty heads, to save looking at all
        self._stale: set[int] = set()
        self._next = _NEVER
        # Under the hand: the entries, and two orders of them, which may still list discarded ones.
        self._under: dict[K, int] = {}
        self._run: deque[tuple[int, K]] = deque()  # what the hand has passed, sorted
        self._late: list[tuple[int, K]] = []  # a heap of the entries that were added under the hand

    def __len__(self) -> int:
        return self._size

    @property
    def hand(self) -> int:
        """The last second swept; never goes back."""
        return self._hand

    def add(self, key: K, due_ms: int) -> None:
        """Add an entry, which may be due in the past.

        Args:
            key: must not be in the ring; this is not checked.
            due_ms: when it is due, in milliseconds since the epoch.
        """
        self._size += 1
        second = due_ms // 1000
        if second <= self._hand:
            self._under[key] = due_ms
            heappush(self._late, (due_ms, key))
            return
        slot = second % 3600
        buckets = self._slots[slot]
        cycle = second // 3600
        if cycle not in buckets:
            if not buckets:
                buckets = self._slots[slot] = {}
            buckets[cycle] = (due_ms, key)
            if second < self._heads[slot]:
                self._heads[slot] = second
                self._minutes[slot // 60] = _UNKNOWN
        elif type(bucket := buckets[cycle]) is dict:
            bucket[key] = due_ms
        else:
            buckets[cycle] = {**_as_dict(bucket), key: due_ms}
        if due_ms < self._next:  # noqa: PLR1730
            self._next = due_ms

    def discard(self, key: K, due_ms: int) -> bool:
        """Remove an entry.

        Args:
            key: as passed to add().
            due_ms: as passed to add(), in milliseconds since the epoch.

        Returns:
            False if there is no such entry: it was popped, or never added.
        """
        second = due_ms // 1000
        if second <= self._hand:
            removed = self._discard_under(key, due_ms)
        else:
            removed = self._discard_beyond(key, due_ms, second)
        self._size -= removed
        return removed

    def pop_due(self, until_ms: int, most: int = _NEVER) -> list[tuple[int, K]]:
        """Remove and return the entries that are due at ``until_ms`` or before, and move the hand there.

        Args:
            until_ms: the current time, in milliseconds since the epoch. If it is before the hand, the hand stays.
            most: return no more than so many, the first ones; the next call returns those that follow.

        Returns:
            (due_ms, key) of each entry with due_ms <= until_ms, sorted.
        """
        self.advance(until_ms // 1000)
        popped: list[tuple[int, K]] = []
        run, late, under = self._run, self._late, self._under
        while len(popped) < most:
            if late and late[0][0] <= until_ms and not (run and run[0] < late[0]):
                entry = heappop(late)
            elif run and run[0][0] <= until_ms:
                entry = run.popleft()
            else:
                break
            if under.get(entry[1]) == entry[0]:
                del under[entry[1]]
                popped.append(entry)
        self._size -= len(popped)
        return popped

    def advance(self, second: int) -> None:
        """Move the hand without popping. The entries that it passes go under it, and the next pop_due returns them.

        Args:
            second: where the hand has already been, in seconds since the epoch. No effect if the hand is further.
        """
        if second > self._hand:
            self._sweep(second)

    def next_due(self) -> int | None:
        """Return the earliest due_ms on the ring, which may be in the past, or None if the ring is empty."""
        run, late, under = self._run, self._late, self._under
        while run and under.get(run[0][1]) != run[0][0]:  # discarded
            run.popleft()
        while late and under.get(late[0][1]) != late[0][0]:
            heappop(late)
        if run or late:
            return min(run[0][0] if run else _NEVER, late[0][0] if late else _NEVER)
        if self._next == _UNKNOWN:
            self._next = self._earliest_beyond()
        return None if self._next == _NEVER else self._next

    def density(self, before_ms: int) -> list[int]:
        """Return how many entries due before ``before_ms`` each of the 3600 slots has."""
        cells = [0] * SLOTS
        for due_ms in self._under.values():
            cells[due_ms // 1000 % SLOTS] += due_ms < before_ms
        for slot, buckets in enumerate(self._slots):
            if self._heads[slot] * 1000 >= before_ms:
                continue
            for cycle, bucket in buckets.items():
                start_ms = (cycle * SLOTS + slot) * 1000
                if start_ms + 1000 <= before_ms:
                    cells[slot] += len(bucket) if type(bucket) is dict else 1
                elif start_ms < before_ms:
                    cells[slot] += sum(due_ms < before_ms for due_ms in _as_dict(bucket).values())
        return cells

    def slots(self) -> Iterator[tuple[int, dict[int, dict[K, int]]]]:
        """Yield each slot with entries, as (slot, {cycle: {key: due_ms}}), by slot and cycle. The dicts are copies."""
        under: dict[int, dict[int, dict[K, int]]] = {}
        for key, due_ms in self._under.items():
            cycle, slot = divmod(due_ms // 1000, SLOTS)
            under.setdefault(slot, {}).setdefault(cycle, {})[key] = due_ms
        for slot, buckets in enumerate(self._slots):
            if buckets or slot in under:
                cycles = under.get(slot, {})
                cycles.update((cycle, dict(_as_dict(bucket))) for cycle, bucket in buckets.items())
                yield slot, dict(sorted(cycles.items()))

    def bucket(self, second: int) -> dict[K, int]:
        """The entries of one second beyond the hand, as {key: due_ms}; a copy."""
        cycle, slot = divmod(second, SLOTS)
        found = self._slots[slot].get(cycle)
        return {} if found is None else dict(_as_dict(found))

    # ---- beyond the hand ---------------------------------------------------------------------------------

    def _discard_beyond(self, key: K, due_ms: int, second: int) -> bool:
        cycle, slot = divmod(second, SLOTS)
        buckets = self._slots[slot]
        bucket = buckets.get(cycle)
        if bucket is None or _as_dict(bucket).get(key) != due_ms:
            return False
        if type(bucket) is dict and len(bucket) > 1:
            del bucket[key]
        else:
            del buckets[cycle]
            if second == self._heads[slot]:
                self._stale.add(slot)
        if due_ms == self._next:
            self._next = _UNKNOWN
        return True

    def _earliest_beyond(self) -> int:
        for slot in self._stale:
            self._find_head(slot)
        self._stale.clear()
        for minute, least in enumerate(self._minutes):
            if least == _UNKNOWN:
                self._minutes[minute] = min(self._heads[minute * 60 : minute * 60 + 60])
        second = min(self._minutes)
        if second == _NEVER:
            return _NEVER
        cycle, slot = divmod(second, SLOTS)
        return min(_as_dict(self._slots[slot][cycle]).values())

    def _find_head(self, slot: int) -> None:
        self._heads[slot] = self._head_of(slot)
        self._minutes[slot // 60] = _UNKNOWN

    def _head_of(self, slot: int) -> int:
        buckets = self._slots[slot]
        return min(buckets) * SLOTS + slot if buckets else _NEVER

    def _sweep(self, second: int) -> None:
        """Move the hand to ``second``, and all buckets up to there under it."""
        due_seconds: list[int] = []
        first = max(self._hand + 1, self._next // 1000)  # beyond the hand, nothing is due before _next
        for swept in range(first, min(second, first + SLOTS - 1) + 1):
            due_seconds += self._visit(swept % SLOTS, second)
        self._hand = second
        if self._next < (second + 1) * 1000:
            self._next = _UNKNOWN
        for due_second in sorted(due_seconds):  # all of them after what is under the hand
            entries = _in_order(self._slots[due_second % SLOTS].pop(due_second // SLOTS))
            self._under.update((key, due_ms) for due_ms, key in entries)
            self._run += entries
        for slot in {due_second % SLOTS for due_second in due_seconds}:
            self._find_head(slot)
            self._stale.discard(slot)

    def _visit(self, slot: int, until: int) -> list[int]:
        """The due seconds of a slot's buckets up to ``until``. A sweep visits a slot at most once."""
        if self._heads[slot] > until:
            return []
        return [second for cycle in self._slots[slot] if (second := cycle * SLOTS + slot) <= until]

    # ---- under the hand ----------------------------------------------------------------------------------

    def _discard_under(self, key: K, due_ms: int) -> bool:
        if self._under.get(key) != due_ms:
            return False
        del self._under[key]
        if len(self._run) + len(self._late) > 2 * len(self._under) + _SLACK:
            self._run.clear()
            self._late = [(due_ms, key) for key, due_ms in self._under.items()]
            heapify(self._late)
        return True


def _as_dict(bucket: _Bucket[K]) -> dict[K, int]:
    return {bucket[1]: bucket[0]} if isinstance(bucket, tuple) else bucket


def _in_order(bucket: _Bucket[K]) -> list[tuple[int, K]]:
    return [bucket] if isinstance(bucket, tuple) else sorted(zip(bucket.values(), bucket.keys(), strict=True))
