"""VirtualClock: the clock of a simulated world. Time passes when the world says so."""

from __future__ import annotations

from typing import Final

MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
"""The world counts in nanoseconds since it began."""


class VirtualClock:
    """A Clock that all nodes of a world share, as the processes of one machine do.

    >>> clock = VirtualClock(1_000)
    >>> clock.at = 5 * SECOND
    >>> clock.now_ms(), clock.monotonic()
    (6000, 5.0)
    """

    __slots__ = ("at", "offset")

    def __init__(self, start_ms: int) -> None:
        self.at = 0
        """Nanoseconds since the world began; only the world changes it."""
        self.offset = start_ms * MS
        """What the wall clock showed then."""

    def now_ms(self) -> int:
        """See Clock.now_ms."""
        return (self.at + self.offset) // MS

    def now_ns(self) -> int:
        """See Clock.now_ns."""
        return self.at + self.offset

    def monotonic(self) -> float:
        """See Clock.monotonic."""
        return self.at / SECOND

    def world_of(self, wall_ms: int) -> int:
        """When the wall clock will show ``wall_ms``, in nanoseconds of the world."""
        return wall_ms * MS - self.offset
