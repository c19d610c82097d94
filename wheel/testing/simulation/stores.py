"""The store of a simulated world: one for all nodes, which is told of deaths. The tests use others."""

from __future__ import annotations

from typing import Protocol

from ...contract import Store
from ...store.memory import MemoryStore
from ...store.state.records import Record, Rescued
from ...store.state.state import State


class Stores(Protocol):
    """A store that several simulated processes share."""

    def open(self, owner: str) -> Store:
        """The store for the process of an owner; "" for the producers."""

    def died(self, owner: str) -> None:
        """The process of an owner was killed."""

    def orphaned(self) -> bool:
        """Whether there are running jobs of dead owners."""


class MemoryStores(MemoryStore):
    """A MemoryStore that is told of deaths, as the kernel tells a JsonStore."""

    def __init__(self) -> None:
        super().__init__()
        self._dead_owners: set[str] = set()

    def open(self, owner: str) -> Store:  # noqa: ARG002 - all share one
        return self

    def died(self, owner: str) -> None:
        self._dead_owners.add(owner)

    def orphaned(self) -> bool:
        return not self._dead_owners.isdisjoint(self._state.running.values())

    def _rescues(self, state: State, owner: str, now_ms: int) -> list[Record]:
        records = super()._rescues(state, owner, now_ms)
        gone = {id for record in records if isinstance(record, Rescued) for id in record.ids}
        orphans = [id for id, holder in state.running.items() if holder in self._dead_owners and id not in gone]
        return [*records, Rescued(now_ms, orphans, "its worker died")] if orphans else records
