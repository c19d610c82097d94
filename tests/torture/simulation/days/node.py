"""DayNode: a node that can stand still, be stopped in order, and die in the midst of a call."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from hourwheel.contract import Store
from hourwheel.testing.simulation.clock import SECOND
from hourwheel.testing.simulation.node import JITTER_NS, Node

from .failing import Failing


class DayNode(Node):
    store: Failing

    def __init__(self, *args: Any, **options: Any) -> None:
        self.down_ms = 0
        """How long it will be down once it has ended."""
        self.skipped = 0
        """Ticks that were left out."""
        self.lives: Callable[[str, int], None] = lambda owner, until: None
        """Told until when it gives signs of life that are left out with the ticks."""
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
            self._only_ticks
            and self.pool.still
            and not (overdue and self.has_room)
            and not ticker._unsettled
            and not ticker._trouble
            and not ticker._asking.unheard
            and not self._waits_in_quarantine
            and ticker._stop_at is None
            and self.store.fair
            and not self.store.dies.endswith("claim")  # at such a tick it would die
        )

    @property
    def _waits_in_quarantine(self) -> bool:
        """Whether it has no room until some time has passed."""
        quarantine = self.ticker._quarantine
        return quarantine._since is not None and self.ticker._inflight > 0 and quarantine._alone_until < inf

    @property
    def _tick(self) -> int:
        """The first whole second of the wall clock that is not before its next step."""
        return self._target + -(self._target + self.clock.offset) % SECOND

    @property
    def _only_ticks(self) -> bool:
        """Whether its next step is a tick, or is there to give a sign of life."""
        if self._target == self._tick:
            return True
        lease_s = self.heart._lease_s
        return lease_s is not None and abs(self.heart._answered + lease_s / 3 - self._target / SECOND) < 1e-6

    def may_skip_to(self, limit: int) -> bool:
        return limit - JITTER_NS - self._tick >= SECOND

    def skip_to(self, limit: int) -> None:
        before = self._tick
        skipped = (limit - JITTER_NS - before) // SECOND
        if skipped > 0:
            self.skipped += skipped
            self._sleep_until(before + skipped * SECOND)
            self.lives(self.owner, self.next_at)
