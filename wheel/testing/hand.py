"""Hand: what stands in the ticker's place while an app travels, so that nothing of it runs in another thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..job import Job


class Hand:
    """As much of a Ticker as a scheduler asks of it; it turns the ring in the thread of whoever wakes it."""

    alive = True
    """So start() has nothing to do."""
    ended = False
    died: BaseException | None = None

    def __init__(self, horizon_ms: Callable[[], int], wake: Callable[[], None]) -> None:
        """A hand.

        Args:
            horizon_ms: jobs due before this instant are worth a wake().
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
        """The next test may want it to go on."""

    def stop(self, timeout_s: float) -> list[Job]:  # noqa: ARG002 - as Ticker.stop
        """See Ticker.stop."""
        return []

    def owes(self) -> list[Any]:
        """See Ticker.owes."""
        return []
