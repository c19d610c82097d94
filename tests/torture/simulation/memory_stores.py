"""MemoryStores for bad days: they can take owners for dead that live, by mistake or because their leases have lapsed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from hourwheel.job import Claim
from hourwheel.store.state.leases import Leases
from hourwheel.store.state.records import Record, Rescued
from hourwheel.store.state.state import State
from hourwheel.testing.simulation import stores


class Stores(stores.Stores, Protocol):
    """Places for the jobs of a bad day."""

    lease_ms: int | None
    """How long an owner lives after a sign of life; None if the store is told who has died."""
    lease_now_ms: Callable[[], int]
    """The clock of the leases, as a server has its own; set by the world."""

    def ended(self, owner: str) -> None:
        """The process of an owner has ended in order."""

    def disown(self, claims: Iterable[Claim]) -> bool:
        """Take the owners of the claims for dead, though they live; False if this store cannot err like that."""

    def lives(self, owner: str, until_ms: int) -> None:
        """The owner gives signs of life until then, by the clock of the leases; they are left out."""


class MemoryStores(stores.MemoryStores):
    """See Stores. With ``lease_ms`` nobody tells the store who has died: it goes by leases alone."""

    lease_now_ms: Callable[[], int]

    def __init__(self, lease_ms: int | None = None) -> None:
        super().__init__()
        self._disowned: list[tuple[str, int]] = []
        if lease_ms is not None:
            self.leases = Leases(lease_ms)

    def died(self, owner: str) -> None:
        if self.leases is None:
            super().died(owner)

    def ended(self, owner: str) -> None:
        self.died(owner)  # what it still held is as free as a dead one's

    def disown(self, claims: Iterable[Claim]) -> bool:
        if self.leases is not None:
            return False
        self._disowned += [(claim.job.id, claim.token) for claim in claims]
        return True

    # ---- leases, by a clock that nobody sets -------------------------------------------------------------

    def lives(self, owner: str, until_ms: int) -> None:
        assert self.leases is not None
        self.leases.begin(owner, until_ms)

    def beat(self, owner: str, now_ms: int) -> bool:
        return super().beat(owner, now_ms if self.leases is None else self.lease_now_ms())

    def _watch(self, owner: str, now_ms: int) -> None:
        super()._watch(owner, now_ms if self.leases is None else self.lease_now_ms())

    def _rescues(self, state: State, owner: str, now_ms: int) -> list[Record]:
        if self.leases is not None:
            ids = [id for record in self.leases.rescues(state, self.lease_now_ms()) for id in record.ids]
            return [Rescued(now_ms, ids, "its lease has lapsed")] if ids else []
        records = super()._rescues(state, owner, now_ms)
        gone = {id for record in records if isinstance(record, Rescued) for id in record.ids}
        mistaken = [id for id, token in self._disowned if id not in gone and _runs(state, id, token)]
        self._disowned = []
        return [*records, Rescued(now_ms, mistaken, "its worker was taken for dead")] if mistaken else records


def _runs(state: State, id: str, token: int) -> bool:
    job = state.get(id)
    return job is not None and id in state.running and job.token == token
