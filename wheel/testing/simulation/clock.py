"""VirtualClock: the clock of a simulated world, which moves it."""

from __future__ import annotations

from typing import Final

MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
"""A world counts in nanoseconds since its beginning."""


class VirtualClock:
    """A Clock that all nodes of a world share, like the processes of one machine.

    >>> clock = VirtualClock(1_000)
    >>> clock.at = 5 * SECOND
    >>> clock.now_ms(), clock.monotonic()
    (6000, 5.0)
    """

    __slots__ = ("at", "offset")

    def __init__(self, start_ms: int) -> None:
        self.at = 0
        """Nanoseconds since the world began; moved by the world only."""
        self.offset = start_ms * MS
        """The wall time at the beginning, in nanoseconds."""

    def now_ms(self) -> int:
        return (self.at + self.offset) // MS

    def now_ns(self) -> int:
        return self.at + self.offset

    def monotonic(self) -> float:
        return self.at / SECOND

    def world_of(self, wall_ms: int) -> int:
        """The nanoseconds since the world began at which the wall clock shows ``wall_ms``."""
        return wall_ms * MS - self.offset
