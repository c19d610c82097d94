"""Signs: which owners a store with leases must take for dead, and whether it has a reason to."""

from __future__ import annotations

from collections.abc import Callable

from hourwheel.testing.simulation import Violation


class Signs:
    """The signs of life of all owners.

    Args:
        lease_ms: how long each sign holds.
        now_ms: the clock of the leases.
    """

    def __init__(self, lease_ms: int, now_ms: Callable[[], int]) -> None:
        self._lease_ms = lease_ms
        self._now_ms = now_ms
        self._until: dict[str, int] = {}
        self._hindered: dict[str, int] = {}
        """When an owner could not reach the store the last time."""

    def given(self, owner: str, at_ms: int | None = None) -> None:
        """An owner has given one: now, or at that moment."""
        self._until[owner] = (self._now_ms() if at_ms is None else at_ms) + self._lease_ms

    def lapsed(self, owner: str) -> bool:
        """Whether the store must take the owner for dead."""
        return self._until.get(owner, 0) <= self._now_ms()

    def hindered(self, owner: str) -> None:
        """The owner lives, and does not reach the store at this moment."""
        self._hindered[owner] = self._now_ms()

    def refuse_silence(self, owner: str) -> None:
        """Raise if an owner that lives has given no sign for a lease, and nothing hindered it."""
        if self._hindered.get(owner, -1) < self._until.get(owner, 0) - self._lease_ms:
            raise Violation(f"silent: {owner} has let its lease lapse, and nothing kept it from the store")
