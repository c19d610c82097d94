"""Asking: Store.claim in the name of one owner, so that no claim is lost with the answer that told of it."""

from __future__ import annotations

from typing import Any

from ..clock import Clock
from ..contract import Claims, Store
from .heart import Heart


class Asking:
    """For one owner, one call at a time.

    A claim whose answer was lost (the connection broke, the sync failed) comes again with the next call. So a caller
    says ``heard`` only when what it was given is in good hands.
    """

    def __init__(self, store: Store, clock: Clock, owner: str, heart: Heart) -> None:
        self.unheard = False
        """Whether a call was made whose claims are not in good hands yet."""
        self._store = store
        self._clock = clock
        self._owner = owner
        self._heart = heart
        self._ask: int | None = None

    def claim(self, now_ms: int, limit: int, **options: Any) -> Claims:
        """Store.claim, and what earlier calls have claimed that was not heard."""
        if self._ask is None:  # a first call for nothing: if its answer is lost, nothing is
            self._ask = self._store.claim(self._owner, now_ms, 0).ask
        sent = self._clock.monotonic()
        self.unheard = True
        claims = self._store.claim(self._owner, now_ms, limit, ask=self._ask, **options)
        self._heart.claimed(sent, claims.ask)
        return claims

    def heard(self, claims: Claims) -> None:
        """The claims are in good hands."""
        self._ask, self.unheard = claims.ask, False
