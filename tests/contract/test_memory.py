"""The contract, kept by the memory store."""

from __future__ import annotations

from noria.store import MemoryStore
from noria.wheel.testing import StoreContract


class TestMemoryStore(StoreContract):
    def make_store(self) -> MemoryStore:
        return MemoryStore()
