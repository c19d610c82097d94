"""Leases: claims that lapse unless they are renewed, as a store on a server gives them. None where the kernel watches.

The ticker renews each when half of it is over, so that a slow job is not run a second time while its process lives.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..clock import Clock
from ..contract import Store
from ..job import Claim


class Leases:
    """Of the claims that one ticker has not settled."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._held: dict[int, tuple[Claim, int, int]] = {}
        """By token: the claim, how long its lease is, and until when it holds (milliseconds)."""
        self._now_ms = 0

    def took(self, claims: Iterable[Claim]) -> None:
        """These are in the hands of the workers."""
        for claim in claims:
            if claim.lease_until_ms is not None:
                length_ms = max(1, claim.lease_until_ms - self._clock.now_ms())
                self._held[claim.token] = claim, length_ms, claim.lease_until_ms

    def leave(self, settlements: Iterable[tuple[Claim, Any]]) -> None:
        """These are about to be settled."""
        if self._held:
            for claim, _ in settlements:
                self._held.pop(claim.token, None)

    def renew(self, now_ms: int) -> None:
        """Renew those of which half is over.

        Raises:
            StoreError: the store failed; the next call tries again.
        """
        self._now_ms = now_ms
        due: dict[int, list[Claim]] = {}
        for claim, length_ms, until_ms in self._held.values():
            if until_ms - now_ms <= length_ms // 2:
                due.setdefault(length_ms, []).append(claim)
        for length_ms, claims in due.items():
            lost = {claim.token for claim in self._store.renew(claims, now_ms, length_ms)}
            for claim in claims:
                if claim.token in lost:  # the outcome of its run will be refused, and that is said then
                    del self._held[claim.token]
                else:
                    self._held[claim.token] = claim, length_ms, now_ms + length_ms

    def nap_s(self, sleep_s: float) -> float:
        """So long, or until one is to be renewed."""
        if not self._held:
            return sleep_s
        next_ms = min(until_ms - length_ms // 2 for _, length_ms, until_ms in self._held.values())
        return min(sleep_s, max(0, next_ms - self._now_ms) / 1000)
