"""The contract, kept by the JSON store; after each test it is opened again from its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from noria.store import JsonStore
from noria.wheel.contract import Store
from noria.wheel.testing import StoreContract


class TestJsonStore(StoreContract):
    made = 0

    @pytest.fixture(autouse=True)
    def _somewhere(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def make_store(self) -> JsonStore:
        self.made += 1
        return JsonStore(self.directory / f"tasks-{self.made}.json", durability="os")

    def reopen(self, store: Store) -> JsonStore:
        assert isinstance(store, JsonStore)
        store.close()
        return JsonStore(store.path, durability="os")


class TestJsonStoreCompacted(TestJsonStore):
    """The same with everything written into a new snapshot first, so that no journal is left to replay."""

    def reopen(self, store: Store) -> JsonStore:
        assert isinstance(store, JsonStore)
        store.compact()
        return super().reopen(store)


class TestJsonStoreSynced(TestJsonStore):
    """The same with the default durability."""

    def make_store(self) -> JsonStore:
        self.made += 1
        return JsonStore(self.directory / f"tasks-{self.made}.json")
