"""Failing: a node's store on a bad day. It refuses, its answers are lost, and nodes die in the midst of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hourwheel.contract import Beginning, Claims, Store
from hourwheel.errors import StoreError
from hourwheel.job import Claim, Job
from hourwheel.turn import Effect

from .happenings import Moment


class NodeDied(BaseException):
    """Kills a node in the midst of a call; no code of ours catches it."""


class Weather:
    """Whether the store works at this moment."""

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
    """The verbs that a ticker uses.

    Args:
        store: that works.
        weather: of all.
        note: told of what is settled.
        hindered: called when a call fails.
    """

    def __init__(self, store: Store, weather: Weather, note: Callable[..., None], hindered: Callable[[], None]) -> None:
        self.dies: Moment = "now"
        """At which moment of a call the node is to die; "now" for none."""
        self.line = Weather()
        """Of this node alone: whether it reaches the store."""
        self._store = store
        self._weather = weather
        self._note = note
        self._hindered = hindered
        self.lease_ms = store.lease_ms
        if isinstance(store, Beginning):
            self.begin = store.begin  # in a file of its own, whatever the weather

    @property
    def fair(self) -> bool:
        """Whether the node reaches a store that works, and is not to die in a call."""
        return self._weather.fair and self.line.fair

    def claim(self, *args: Any, **options: Any) -> Claims:
        self._before("before claim")
        claims = self._store.claim(*args, **options)
        self._after("after claim")
        return claims

    def settle(self, settlements: Sequence[tuple[Claim, Effect]], now_ms: int) -> list[Claim]:
        self._before("before settle")
        lost = self._store.settle(settlements, now_ms)
        refused = {(claim.job.id, claim.token) for claim in lost}
        for claim, effect in settlements:
            counts = (claim.job.id, claim.token) not in refused
            self._note(claim.owner, _in_a_word(effect) if counts else "refused", claim.job.id, claim.token)
        self._after("after settle")
        return lost

    def beat(self, owner: str, now_ms: int) -> bool:
        self._refuse()
        alive = self._store.beat(owner, now_ms)
        self._swallow()
        return alive

    def tidy(self, now_ms: int, limit: int = 10_000) -> int:
        self._refuse()
        dropped = self._store.tidy(now_ms, limit)
        self._swallow()
        return dropped

    def next_due(self, *args: Any, **options: Any) -> int | None:
        self._refuse()
        return self._store.next_due(*args, **options)

    def scan(self, *args: Any, **options: Any) -> list[Job]:
        self._refuse()
        return self._store.scan(*args, **options)

    def _before(self, moment: Moment) -> None:
        if self.dies == moment:
            raise NodeDied
        self._refuse()

    def _after(self, moment: Moment) -> None:
        if self.dies == moment:
            raise NodeDied
        self._swallow()

    def _refuse(self) -> None:
        self._tell(self._weather.refuse)
        self._tell(self.line.refuse)

    def _swallow(self) -> None:
        self._tell(self._weather.swallow)
        self._tell(self.line.swallow)

    def _tell(self, fail: Callable[[], None]) -> None:
        try:
            fail()
        except StoreError:
            self._hindered()
            raise


def _in_a_word(effect: Effect) -> str:
    return f"{type(effect).__name__} {effect[0]}".lower()
