"""Failing: a node's store on a bad day. It refuses, its answers are lost, and nodes die in the midst of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hourwheel.contract import Store
from hourwheel.errors import StoreError
from hourwheel.job import Claim, Outcome

from .happenings import Moment


class NodeDied(BaseException):
    """Kills a node in the midst of a call; no code of ours catches it."""


class Weather:
    """Whether the store works at this moment, for everybody."""

    def __init__(self) -> None:
        self.refusing = 0
        self.swallowing = 0

    @property
    def fair(self) -> bool:
        return not self.refusing and not self.swallowing

    def refuse(self) -> None:
        """Raise if the store does nothing."""
        if self.refusing:
            raise StoreError("the store is out of order")

    def swallow(self) -> None:
        """Raise if the store has done it, and its answer is lost."""
        if self.swallowing:
            raise StoreError("whether this change was made is not known")


class Failing:
    """The verbs that a ticker uses."""

    def __init__(self, store: Store, weather: Weather, note: Callable[..., None]) -> None:
        self.dies: Moment = "now"
        """At which moment of a call the node is to die; "now" for none."""
        self._store = store
        self._weather = weather
        self._note = note

    def claim(self, *args: Any, **options: Any) -> list[Claim]:
        self._before("before claim")
        claims = self._store.claim(*args, **options)
        self._after("after claim")
        return claims

    def settle(self, settlements: Sequence[tuple[Claim, Outcome]], now_ms: int) -> list[Claim]:
        self._before("before settle")
        lost = self._store.settle(settlements, now_ms)
        refused = {(claim.job.id, claim.token) for claim in lost}
        for claim, outcome in settlements:
            counts = (claim.job.id, claim.token) not in refused
            what = type(outcome).__name__.lower() if counts else "refused"
            self._note(claim.owner, what, claim.job.id, claim.token)
        self._after("after settle")
        return lost

    def next_due(self, *args: Any, **options: Any) -> int | None:
        self._weather.refuse()
        return self._store.next_due(*args, **options)

    def scan(self, *args: Any, **options: Any) -> list[Any]:
        self._weather.refuse()
        return self._store.scan(*args, **options)

    def _before(self, moment: Moment) -> None:
        if self.dies == moment:
            raise NodeDied
        self._weather.refuse()

    def _after(self, moment: Moment) -> None:
        if self.dies == moment:
            raise NodeDied
        self._weather.swallow()
