"""Trace: everything that came of a history, in its order, and one number for all of it."""

from __future__ import annotations

from hashlib import sha256

from .clock import MS, VirtualClock
from .happenings import clock_face


class Trace:
    """Lines of (when, who, what), kept as they come."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._noted: list[tuple[int, str, tuple[object, ...]]] = []

    def __len__(self) -> int:
        return len(self._noted)

    def note(self, who: str, *what: object) -> None:
        """Something happened now."""
        self._noted.append((self._clock.at, who, what))

    def lines(self, last: int | None = None) -> list[str]:
        """As text, or the last so many lines of it."""
        return [
            f"{clock_face(at // MS)}  {who:10} {' '.join(map(str, what))}"
            for at, who, what in self._noted[-last if last else None :]
        ]

    def hash(self) -> str:
        """SHA-256 of all, to the nanosecond: two courses of events are the same if this is."""
        digest = sha256()
        for at, who, what in self._noted:
            digest.update(f"{at} {who} {' '.join(map(str, what))}\n".encode())
        return digest.hexdigest()
