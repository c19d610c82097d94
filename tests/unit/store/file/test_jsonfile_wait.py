"""JsonStore.wait: many short waits make one that is no longer than was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hourwheel.store import JsonStore
from hourwheel.store.file import store as jsonfile
from hourwheel.testing import FakeClock


class LateBell:
    """Nobody rings, and each wait lasts a millisecond longer than it should: a busy machine."""

    def __init__(self, clock: FakeClock, late_s: float) -> None:
        self.clock = clock
        self.late_s = late_s
        self.waits = 0

    def wait(self, timeout_s: float) -> bool:
        self.waits += 1
        if self.late_s >= 0:
            self.clock.advance(timeout_s + self.late_s)
        return False

    def ring(self) -> None: ...


@pytest.mark.parametrize("timeout_s", [0.0, 0.01, 0.05, 0.95])
def test_wait_does_not_add_up_the_lateness_of_its_polls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timeout_s: float
) -> None:
    clock = FakeClock()
    monkeypatch.setattr(jsonfile, "SLEEP_CLOCK", clock)
    store = JsonStore(tmp_path / "tasks.json", durability="os")
    monkeypatch.setattr(store._keeper, "bell", LateBell(clock, 0.001))
    assert store.wait(timeout_s) is False
    assert timeout_s - 1e-9 <= clock.monotonic() <= timeout_s + 0.0011
    store.close()


def test_wait_ends_although_the_clock_stands_still_as_under_freezegun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    bell = LateBell(clock, -1)
    monkeypatch.setattr(jsonfile, "SLEEP_CLOCK", clock)
    store = JsonStore(tmp_path / "tasks.json", durability="os")
    monkeypatch.setattr(store._keeper, "bell", bell)
    assert store.wait(0.95) is False
    assert bell.waits == 32
    store.close()
