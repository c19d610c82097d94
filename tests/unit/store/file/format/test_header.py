"""The first line of a snapshot, however long it is, says what is paused and when the next of a rate may start."""

from __future__ import annotations

import pytest
from hourwheel.store.file.format.header import first_line
from hourwheel.store.state.limits import MOST_PAUSED

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


class Endless(MemorySystem):
    """Files without an end, of one byte again and again, in which a line ends at ``at`` if it does."""

    def __init__(self, at: int | None = None, length: int = 1 << 40) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self._line_feed = at
        self._length = length

    def _do_pread(self, fd: int, size: int, offset: int) -> bytes:
        self.sizes.append(size)
        data = b"x" * min(size, self._length)
        at = self._line_feed
        return data if at is None or at >= len(data) else data[:at] + b"\n" + data[at + 1 :]


def test_of_a_file_without_lines_no_more_is_read_than_a_header_may_have() -> None:
    system = Endless()
    line, found = first_line(0, system)
    assert (len(line), found) == (1 << 24, False)
    assert system.sizes == [1 << 12, 1 << 16, 1 << 20, 1 << 24]


@pytest.mark.parametrize(("at", "length", "sizes"), [(100, 1 << 40, 1), (5_000, 1 << 40, 2), (None, 100, 1)])
def test_a_first_line_is_read_no_further_than_it_goes(at: int | None, length: int, sizes: int) -> None:
    system = Endless(at, length)
    line, found = first_line(0, system)
    assert (len(line), found) == (at or length, at is not None)
    assert len(system.sizes) == sizes
