"""The contract, kept by the memory store."""

from __future__ import annotations

from hourwheel.store import MemoryStore
from hourwheel.testing import StoreContract


class TestMemoryStore(StoreContract):
    def make_store(self) -> MemoryStore:
        return MemoryStore()

    def make_leased_store(self, lease_ms: int) -> MemoryStore:
        return MemoryStore(lease_ms=lease_ms)
