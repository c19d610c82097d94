"""Leases: which owners live, where no kernel says so. An owner without a sign of life for a whole lease is dead."""

from __future__ import annotations

from .records import Record, Rescued
from .state import State


class Leases:
    """The leases of all owners of one store.

    >>> leases = Leases(300)
    >>> leases.begin("me", 1_000)
    >>> leases.beat("me", 1_200), leases.beat("me", 9_000), leases.beat("you", 9_000)
    (True, False, False)
    """

    def __init__(self, lease_ms: int) -> None:
        self.lease_ms = lease_ms
        self._until: dict[str, int] = {}

    def begin(self, owner: str, now_ms: int) -> None:
        """The owner claims, so it lives."""
        self._until[owner] = now_ms + self.lease_ms

    def beat(self, owner: str, now_ms: int) -> bool:
        """Take a sign of life; False if it comes too late, and the owner is dead until its next claim."""
        alive = self._until.get(owner, now_ms) > now_ms
        if alive:
            self.begin(owner, now_ms)
        return alive

    def rescues(self, state: State, now_ms: int) -> list[Record]:
        """What happens to the running jobs of owners that are dead by now."""
        dead = {owner for owner, until_ms in self._until.items() if until_ms <= now_ms}
        for owner in dead:
            del self._until[owner]
        ids = [id for id, owner in state.running.items() if owner in dead] if dead else []
        return [Rescued(now_ms, ids, f"its worker gave no sign of life for {self.lease_ms} ms")] if ids else []
