"""The contract, kept by the memory store."""

from __future__ import annotations

from hourwheel.store import MemoryStore
from hourwheel.testing import StoreContract


class TestMemoryStore(StoreContract):
    def make_store(self) -> MemoryStore:
        return MemoryStore()
