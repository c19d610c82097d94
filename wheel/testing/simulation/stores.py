"""Where a simulated world keeps its jobs: one store for all nodes, which can tell the dead among them.

This is the one module of the simulation that knows a store. A test may bring another kind, such as JSON files in
memory, by giving something else that is a Stores.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ...contract import Store
from ...job import Claim
from ...store.memory import MemoryStore
from ...store.records import Record, Rescued
from ...store.state.state import State


class Stores(Protocol):
    """One store as several processes see it."""

    def open(self, owner: str) -> Store:
        """The store, for the process of an owner; "" for the world that looks on."""

    def died(self, owner: str) -> None:
        """The process of an owner has been killed."""

    def ended(self, owner: str) -> None:
        """The process of an owner has ended in order."""

    def disown(self, claims: Iterable[Claim]) -> bool:
        """Take the owners of the claims for dead, though they live; False if this store cannot err like that."""


class MemoryStores(MemoryStore):
    """A MemoryStore that is shared by several owners and told who has died, as the kernel would tell a JsonStore."""

    def __init__(self) -> None:
        super().__init__()
        self._dead_owners: set[str] = set()
        self._disowned: dict[str, int] = {}

    def open(self, owner: str) -> Store:  # noqa: ARG002 - all share one
        """See Stores.open."""
        return self

    def died(self, owner: str) -> None:
        """See Stores.died."""
        self._dead_owners.add(owner)

    ended = died  # what it still held is as free as a dead one's

    def disown(self, claims: Iterable[Claim]) -> bool:
        """See Stores.disown."""
        self._disowned.update((claim.job.id, claim.token) for claim in claims)
        return True

    def _rescues(self, state: State, owner: str, now_ms: int) -> list[Record]:
        records = super()._rescues(state, owner, now_ms)
        if self._disowned:
            mistaken = [id for id, token in self._disowned.items() if _runs(state, id, token)]
            self._disowned = {}
            if mistaken:
                records.append(Rescued(now_ms, mistaken, "its worker was taken for dead"))
        if self._dead_owners:
            gone = {id for record in records if isinstance(record, Rescued) for id in record.ids}
            orphans = [id for id, holder in state.running.items() if holder in self._dead_owners and id not in gone]
            if orphans:
                records.append(Rescued(now_ms, orphans, "its worker died"))
        return records


def _runs(state: State, id: str, token: int) -> bool:
    job = state.get(id)
    return job is not None and id in state.running and job.token == token
