"""Any history of verbs gives the same answers on every store as on a dict of jobs."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hourwheel.contract import Store
from hourwheel.store import JsonStore, MemoryStore
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import rule, run_state_machine_as_test

from tests.contract.store_machine import StoreMachine

# ---- the stores ----------------------------------------------------------------------------------------------


class MemoryMachine(StoreMachine):
    def make_store(self) -> Store:
        return MemoryStore()


class LeasedMachine(StoreMachine):
    """Owners that give no sign of life for a second are taken for dead."""

    def __init__(self) -> None:
        super().__init__()
        self.model.lease_ms = 1_000

    def make_store(self) -> Store:
        return MemoryStore(lease_ms=1_000)


class JsonMachine(StoreMachine):
    """Also opened anew, compacted, and used by a second opener of the same file, at any moment."""

    def make_store(self) -> Store:
        self.directory = Path(tempfile.mkdtemp(prefix="hourwheel-machine-"))
        self.openers: dict[Store, set[str]] = {}
        return self.open()

    def open(self) -> JsonStore:
        store = JsonStore(self.directory / "tasks.json", durability="os")
        self.openers[store] = set()
        return store

    def owner(self, name: str) -> str:
        owner = f"{name}-{id(self.store)}-{len(self.model.dead)}"
        self.openers[self.store].add(owner)
        return owner

    @rule()
    def open_anew(self) -> None:
        self.store.close()
        self.model.dead |= self.openers.pop(self.store)
        self._use(self.open())

    @rule()
    def compact(self) -> None:
        assert isinstance(self.store, JsonStore)
        self.store.compact()

    @rule()
    def change_places_with_another_opener(self) -> None:
        others = [store for store in self.openers if store is not self.store]
        self._use(others[0] if others else self.open())

    def _use(self, store: Store) -> None:
        self.store = store
        self.hand = store.stats(self.now_ms).hand  # a sweep that found nothing is known to its own opener only

    def teardown(self) -> None:
        for store in self.openers:
            store.close()
        shutil.rmtree(self.directory)


NOT_EXPLAINED = tuple(phase for phase in Phase if phase is not Phase.explain)


@pytest.mark.timeout(600)  # for the shrinking, should there be something to shrink
@pytest.mark.parametrize("machine", [MemoryMachine, LeasedMachine, JsonMachine])
def test_a_store_answers_as_a_dict_of_jobs_does(machine: type[StoreMachine]) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            phases=NOT_EXPLAINED,
            suppress_health_check=list(HealthCheck),
        ),
    )
