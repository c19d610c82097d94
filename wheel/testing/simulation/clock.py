"""VirtualClock: the clock of a simulated world. Time passes when the world says so; the wall can be set."""

from __future__ import annotations

from typing import Final

MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
"""In the world everything is counted in nanoseconds since its beginning."""


class VirtualClock:
    """A Clock that all nodes of a world share, as the processes of one machine do.

    >>> clock = VirtualClock(1_000)
    >>> clock.at = 5 * SECOND
    >>> clock.set_by(-3_000)
    >>> clock.now_ms(), clock.monotonic()
    (3000, 5.0)
    """

    __slots__ = ("at", "offset")

    def __init__(self, start_ms: int) -> None:
        self.at = 0
        """Nanoseconds since the world began; only the world moves it."""
        self.offset = start_ms * MS
        """What the wall shows at the beginning, and by how much it was set since."""

    def now_ms(self) -> int:
        """See Clock.now_ms."""
        return (self.at + self.offset) // MS

    def now_ns(self) -> int:
        """See Clock.now_ns."""
        return self.at + self.offset

    def monotonic(self) -> float:
        """See Clock.monotonic."""
        return self.at / SECOND

    def set_by(self, ms: int) -> None:
        """Set the wall clock forwards or back; it is not set before 1970."""
        self.offset = max(self.offset + ms * MS, -self.at)

    def world_of(self, wall_ms: int) -> int:
        """When the wall will show ``wall_ms``, in nanoseconds of the world."""
        return wall_ms * MS - self.offset
