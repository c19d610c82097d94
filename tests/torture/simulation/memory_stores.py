"""MemoryStores for bad days: besides the dead, it can take owners for dead that live."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from hourwheel.job import Claim
from hourwheel.store.state.records import Record, Rescued
from hourwheel.store.state.state import State
from hourwheel.testing.simulation import stores


class Stores(stores.Stores, Protocol):
    """Places for the jobs of a bad day."""

    def ended(self, owner: str) -> None:
        """The process of an owner has ended in order."""

    def disown(self, claims: Iterable[Claim]) -> bool:
        """Take the owners of the claims for dead, though they live; False if this store cannot err like that."""


class MemoryStores(stores.MemoryStores):
    """See Stores."""

    def __init__(self) -> None:
        super().__init__()
        self._disowned: list[tuple[str, int]] = []

    def ended(self, owner: str) -> None:
        self.died(owner)  # what it still held is as free as a dead one's

    def disown(self, claims: Iterable[Claim]) -> bool:
        self._disowned += [(claim.job.id, claim.token) for claim in claims]
        return True

    def _rescues(self, state: State, owner: str, now_ms: int) -> list[Record]:
        records = super()._rescues(state, owner, now_ms)
        gone = {id for record in records if isinstance(record, Rescued) for id in record.ids}
        mistaken = [id for id, token in self._disowned if id not in gone and _runs(state, id, token)]
        self._disowned = []
        return [*records, Rescued(now_ms, mistaken, "its worker was taken for dead")] if mistaken else records


def _runs(state: State, id: str, token: int) -> bool:
    job = state.get(id)
    return job is not None and id in state.running and job.token == token
