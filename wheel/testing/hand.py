"""Hand: replaces the ticker of a scheduler during travel(), so that nothing runs in another thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..job import Job


class Hand:
    """The part of a Ticker that a scheduler uses. It runs jobs in the thread that wakes it."""

    alive = True
    """True, so that start() does nothing."""
    ended = False
    died: BaseException | None = None

    def __init__(self, horizon_ms: Callable[[], int], wake: Callable[[], None]) -> None:
        """Make a hand.

        Args:
            horizon_ms: returns an instant; adding a job that is due before it calls wake().
            wake: runs what is due.
        """
        self._horizon_ms = horizon_ms
        self.wake = wake
        self.on_end: Callable[[], None] = lambda: None

    @property
    def horizon_ms(self) -> int:
        """See Ticker."""
        return self._horizon_ms()

    def stop_claiming(self, timeout_s: float) -> None:
        """Do nothing: the app may be used again after the block."""

    def stop(self, timeout_s: float) -> list[Job]:  # noqa: ARG002 - as Ticker.stop
        """See Ticker.stop."""
        return []

    def owes(self) -> list[Any]:
        """See Ticker.owes."""
        return []
