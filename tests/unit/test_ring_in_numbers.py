"""The ring with many entries, against plain lists: what it counts, the order it keeps, and what a discard may cost."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hourwheel.ring import SLOTS, Ring

TURN_MS = SLOTS * 1000
NOON = 1_790_000_000_000
NOON_S = NOON // 1000


class Word:
    """A key that counts how often two are compared."""

    compared = 0

    def __init__(self, text: str) -> None:
        self.text = text

    def __lt__(self, other: Word) -> bool:
        Word.compared += 1
        return self.text < other.text


def crowd(seed: int, hand: int) -> tuple[Ring[str], dict[str, int]]:
    """Entries about the hand, some seconds crowded, some of the same slot a turn on."""
    rng = random.Random(seed)
    dues = {
        f"job-{number}": NOON
        + rng.choice((0, 0, TURN_MS, 2 * TURN_MS))
        + rng.randrange(-4, 5) * 1000
        + rng.choice((0, 1, 500, 999))
        for number in range(120)
    }
    ring = Ring[str](hand)
    for key, due_ms in dues.items():
        ring.add(key, due_ms)
    return ring, dues


def test_a_ring_begins_at_the_epoch_unless_it_is_told_where() -> None:
    assert (Ring[str]().hand, Ring[str](7).hand) == (0, 7)


@pytest.mark.parametrize("hand", [NOON_S - 10, NOON_S, NOON_S + 3, NOON_S + SLOTS + 1])
@pytest.mark.parametrize("seed", range(4))
def test_density_counts_each_entry_due_before_the_horizon_once_and_in_its_slot(seed: int, hand: int) -> None:
    ring, dues = crowd(seed, hand)
    for offset in (-4_000, -3_500, -1, 0, 1, 500, 501, 999, 1_000, 1_001, 4_999, TURN_MS, TURN_MS + 501, 3 * TURN_MS):
        horizon = NOON + offset
        expected = Counter(due_ms // 1000 % SLOTS for due_ms in dues.values() if due_ms < horizon)
        assert {slot: count for slot, count in enumerate(ring.density(horizon)) if count} == dict(expected)


@pytest.mark.parametrize("second", range(3))
def test_density_counts_a_second_alone_and_one_that_ends_at_the_horizon(second: int) -> None:
    for entries in (1, 2, 5):
        ring = Ring[str](NOON_S - 1)
        for number in range(entries):
            ring.add(str(number), NOON + 200 * number)
        horizon = NOON + 1000 * second
        assert sum(ring.density(horizon)) == (entries if second else 0)
        assert sum(ring.density(NOON + 999)) == entries
        assert sum(ring.density(NOON + 400)) == min(entries, 2)


@pytest.mark.parametrize("seed", range(4))
def test_slots_shows_what_is_under_the_hand_and_what_is_beyond_it_in_one_order(seed: int) -> None:
    ring, dues = crowd(seed, NOON_S + SLOTS)
    shown = [(slot, cycle) for slot, cycles in ring.slots() for cycle in cycles]
    assert shown == sorted({(due_ms // 1000 % SLOTS, due_ms // TURN_MS) for due_ms in dues.values()})


def test_slots_shows_the_turns_of_a_slot_in_order_however_they_were_added() -> None:
    ring = Ring[str](NOON_S)
    for turn in (3, 1, 2, -1, -2):
        ring.add(str(turn), NOON + turn * TURN_MS)
    [(_, cycles)] = ring.slots()
    assert [list(bucket) for bucket in cycles.values()] == [["-2"], ["-1"], ["1"], ["2"], ["3"]]


def test_after_hours_of_downtime_what_is_due_comes_in_due_order_whatever_slot_it_lies_in() -> None:
    dues = [NOON + turn * TURN_MS + second * 1000 for turn in (2, 0, 1) for second in (9, 3, 3599)]
    ring = Ring[str](NOON_S)
    for due_ms in dues:
        ring.add(str(due_ms), due_ms)
    assert [due_ms for due_ms, _ in ring.pop_due(NOON + 5 * TURN_MS)] == sorted(dues)


def test_advance_over_hours_keeps_the_due_order_too() -> None:
    dues = [NOON + turn * TURN_MS + second * 1000 for turn in (2, 0, 1) for second in (9, 3, 3599)]
    ring = Ring[str](NOON_S)
    for due_ms in dues:
        ring.add(str(due_ms), due_ms)
    ring.advance(NOON_S + 5 * SLOTS)
    assert ring.next_due() == min(dues)
    assert [due_ms for due_ms in sorted(dues) if ring.pop_due(due_ms) == [(due_ms, str(due_ms))]] == sorted(dues)


# ---- discards under a hand that stands still -----------------------------------------------------------------


def test_after_thousands_were_discarded_the_rest_still_comes_in_due_order() -> None:
    ring = Ring[str](NOON_S)
    for number in range(3_000):
        ring.add(f"{number:04}", NOON + 999 - number % 900)
    for number in range(3_000):
        if number % 10:
            ring.discard(f"{number:04}", NOON + 999 - number % 900)
    left = sorted((NOON + 999 - number % 900, f"{number:04}") for number in range(0, 3_000, 10))
    assert ring.next_due() == left[0][0]
    popped = [entry for at_ms in range(NOON, NOON + 1000) for entry in ring.pop_due(at_ms)]
    assert popped == left


@pytest.mark.parametrize("swept", [False, True])
def test_what_was_discarded_does_not_pile_up_wherever_under_the_hand_it_lay(swept: bool) -> None:
    ring = Ring[str](NOON_S - swept)
    for number in range(5_000):
        ring.add(f"{number:04}", NOON + 500)
    ring.pop_due(NOON)
    assert len(ring) == 5_000
    for number in range(4_990):
        ring.discard(f"{number:04}", NOON + 500)
    assert len(ring._run) + len(ring._late) <= 2 * 11 + 1001
    assert [key for _, key in ring.pop_due(NOON + 500)] == [f"{number:04}" for number in range(4_990, 5_000)]


def test_one_discarded_of_thousands_costs_no_look_at_the_others() -> None:
    ring = Ring[Word](NOON_S)
    words = [Word(f"{number:04}") for number in range(3_000)]
    for word in words:
        ring.add(word, NOON)
    Word.compared = 0
    for word in words[:1_000]:
        ring.discard(word, NOON)
    assert Word.compared == 0


def test_discards_put_the_others_in_order_anew_only_once_in_many() -> None:
    ring = Ring[Word](NOON_S - 1)
    words = [Word(f"{number:05}") for number in range(20_000)]
    for word in words:
        ring.add(word, NOON + 500)
    ring.pop_due(NOON)
    Word.compared = 0
    for word in words:
        ring.discard(word, NOON + 500)
    assert Word.compared < 4 * len(words)
