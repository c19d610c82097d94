"""The first line of a snapshot, however long it is, says what is paused and when the next of a rate may start."""

from __future__ import annotations

import pytest
from noria.store.limits import MOST_PAUSED

from tests.kit.memory_system import MemorySystem
from tests.kit.snapshots import data_of, opened, written


@pytest.mark.parametrize("count", [0, 1, 200, MOST_PAUSED])
def test_what_is_held_back_comes_back_as_it_was(count: int) -> None:
    paused = tuple(f'queue:"odd"\\{n:03}' + "x" * 280 for n in range(count))
    next_us = {f"task:ä {n}": n + 1 for n in range(count)}
    system = MemorySystem()
    written(system, paused=paused, next_us=next_us)
    found = opened(system).header
    assert (found.paused, found.next_us) == (paused, next_us)


def test_a_header_without_limits_is_as_it_was_before_there_were_any() -> None:
    system = MemorySystem()
    written(system)
    line = bytes(data_of(system)).partition(b"\n")[0]
    assert b"paused" not in line
    assert b"next_us" not in line
