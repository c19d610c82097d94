"""DayNode: a node that can stand still, be stopped in order, and die in the midst of a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hourwheel.contract import Store
from hourwheel.testing.simulation.clock import SECOND
from hourwheel.testing.simulation.node import Node

from .failing import Failing


class DayNode(Node):
    store: Failing

    def __init__(self, *args: Any, **options: Any) -> None:
        self.down_ms = 0
        """How long it will be down once it has ended."""
        self.skipped = 0
        """Ticks that were left out."""
        self._paused_until = 0
        super().__init__(*args, **options)

    @property
    def next_at(self) -> int:
        return max(self._next_at, self._paused_until)

    @next_at.setter
    def next_at(self, at: int) -> None:
        self._next_at = at

    @property
    def paused(self) -> bool:
        return self._paused_until > self.clock.at

    def start(self, open: Callable[[str], Store]) -> None:
        self._paused_until = 0
        super().start(open)

    def pause(self, until: int) -> None:
        self._paused_until = max(self._paused_until, until)

    def drain(self, timeout_s: float) -> None:
        self.ticker.stop_claiming(timeout_s)
        self.wake()

    def idle(self, *, overdue: bool) -> bool:
        ticker = self.ticker
        return (
            super().idle(overdue=overdue)
            and not ticker._unsettled
            and not ticker._trouble
            and ticker._stop_at is None
            and not self.store.dies.endswith("claim")  # at such a tick it would die
        )

    def skip_to(self, limit: int) -> None:
        before = self._target
        super().skip_to(limit)
        self.skipped += (self._target - before) // SECOND
