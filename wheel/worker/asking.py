"""Asking: Store.claim for one owner, so that no claim is lost if its answer is."""

from __future__ import annotations

from typing import Any

from ..clock import Clock
from ..contract import Claims, Store
from .heart import Heart


class Asking:
    """Claims for one owner, one call at a time.

    A claim whose answer was lost (the connection broke, the sync failed) is returned again by the next call. So call
    heard() only when the claims are in good hands.
    """

    def __init__(self, store: Store, clock: Clock, owner: str, heart: Heart) -> None:
        self.unheard = False
        """Whether there was a call whose claims are not in good hands yet."""
        self._store = store
        self._clock = clock
        self._owner = owner
        self._heart = heart
        self._ask: int | None = None

    def claim(self, now_ms: int, limit: int, **options: Any) -> Claims:
        """Store.claim. Also returns the claims of earlier calls that were not heard."""
        if self._ask is None:  # the first call claims nothing, so nothing is lost with its answer
            self._ask = self._store.claim(self._owner, now_ms, 0).ask
        sent = self._clock.monotonic()
        self.unheard = True
        claims = self._store.claim(self._owner, now_ms, limit, ask=self._ask, **options)
        self._heart.claimed(sent, claims.ask)
        return claims

    def heard(self, claims: Claims) -> None:
        """The claims are in good hands: do not return them again."""
        self._ask, self.unheard = claims.ask, False
