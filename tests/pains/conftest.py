"""A scheduler on a file, that can be left and opened again as another process would find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hourwheel import Scheduler
from hourwheel.testing import FakeClock

Opened = Callable[[], Scheduler]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_800_000_000_000)


@pytest.fixture
def another(tmp_path: Path, clock: FakeClock) -> Iterator[Opened]:
    """``another()``: one more scheduler on the same file, with a store of its own."""
    opened: list[Scheduler] = []

    def another() -> Scheduler:
        opened.append(Scheduler(tmp_path / "tasks.json", clock=clock, durability="os"))
        return opened[-1]

    yield another
    for app in opened:
        assert app.store.check() == []
        app.close()
