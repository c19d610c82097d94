"""Seam: a node's store as the world sees it. Every answer goes to the ledger; here stores fail and nodes die."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from ...contract import Filter, Store
from ...errors import StoreError
from ...job import Claim, Job, Outcome
from .happenings import Moment
from .ledger import Ledger


class NodeDied(BaseException):
    """Kills a node in the midst of a call; no code of ours catches it."""


class Seam:
    """The verbs that a ticker uses."""

    def __init__(
        self, store: Store, ledger: Ledger, weather: Weather, settled: Callable[[Claim, Outcome, bool], None]
    ) -> None:
        self.store = store
        self.dies: Moment = "now"
        """At which moment of a call the node is to die; "now" for none."""
        self._ledger = ledger
        self._weather = weather
        self._settled = settled

    def claim(
        self,
        owner: str,
        now_ms: int,
        limit: int,
        *,
        lease_ms: int | None = None,
        queues: Collection[str] | None = None,
        without: Collection[str] = (),
        ids: Collection[str] | None = None,
    ) -> list[Claim]:
        """See Store.claim."""
        self._before("before claim")
        claims = self.store.claim(owner, now_ms, limit, lease_ms=lease_ms, queues=queues, without=without, ids=ids)
        self._ledger.claimed(owner, now_ms, limit, claims)
        self._after("after claim")
        return claims

    def settle(self, settlements: Sequence[tuple[Claim, Outcome]], now_ms: int) -> list[Claim]:
        """See Store.settle."""
        self._before("before settle")
        lost = self.store.settle(settlements, now_ms)
        counted = self._ledger.settled(settlements, lost)
        for (claim, outcome), counts in zip(settlements, counted, strict=True):
            self._settled(claim, outcome, counts)
        self._after("after settle")
        return lost

    def next_due(self, queues: Collection[str] | None = None, without: Collection[str] = ()) -> int | None:
        """See Store.next_due."""
        self._weather.refuse()
        return self.store.next_due(queues, without)

    def scan(self, filter: Filter, limit: int) -> list[Job]:
        """See Store.scan."""
        self._weather.refuse()
        return self.store.scan(filter, limit)

    def _before(self, moment: Moment) -> None:
        if self.dies == moment:
            raise NodeDied
        self._weather.refuse()

    def _after(self, moment: Moment) -> None:
        if self.dies == moment:
            raise NodeDied
        self._weather.swallow()


class Weather:
    """Whether the store works at this moment, for everybody."""

    def __init__(self) -> None:
        self.refusing = 0
        self.swallowing = 0

    @property
    def fair(self) -> bool:
        """Whether it works."""
        return not self.refusing and not self.swallowing

    def refuse(self) -> None:
        """Raise if the store does nothing."""
        if self.refusing:
            raise StoreError("the store is out of order")

    def swallow(self) -> None:
        """Raise if the store has done it, and its answer is lost."""
        if self.swallowing:
            raise StoreError("whether this change was made is not known")
