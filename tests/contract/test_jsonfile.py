"""The contract, kept by the JSON store; after each test it is opened again from its file."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hourwheel.contract import Store
from hourwheel.job import Job, State, Succeeded
from hourwheel.store import JsonStore
from hourwheel.store.state.leases import Leases
from hourwheel.testing import StoreContract
from hourwheel.turn import effects

NOW = 1_800_000_000_000


class TestJsonStore(StoreContract):
    made = 0

    @pytest.fixture(autouse=True)
    def _somewhere(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def make_store(self) -> JsonStore:
        self.made += 1
        return JsonStore(self.directory / f"tasks-{self.made}.json", durability="os")

    def make_leased_store(self, lease_ms: int) -> JsonStore:
        """As a store on a server would be: the kernel tells it of no owner's death."""
        store = self.make_store()
        store.leases = Leases(lease_ms)
        return store

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


# ---- what the contract leaves to the store: several openers, owners that die, compaction ---------------------


def job(id: str) -> Job:
    return Job(id=id, task="app.work", due_ms=NOW, result_ttl_ms=10**14)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tasks.json"


def test_the_jobs_of_a_dead_owner_come_back_with_the_next_claim(path: Path) -> None:
    store, other = JsonStore(path, durability="os"), JsonStore(path, durability="os")
    store.add([job("owned")], NOW)
    other.claim("other-1", NOW, 1)
    other.close()
    assert [claim.job.id for claim in store.claim("store-1", NOW + 10, 9)] == ["owned"]
    store.close()


def test_a_job_of_a_live_owner_stays_his_whoever_else_claims(path: Path) -> None:
    store, other = JsonStore(path, durability="os"), JsonStore(path, durability="os")
    store.add([job("a")], NOW)
    (claim,) = store.claim("store-1", NOW, 1)
    assert other.claim("other-1", NOW + 10**9, 1) == []
    assert store.settle(effects([(claim, Succeeded())]), NOW) == []
    store.close()
    other.close()


def test_a_job_that_a_forked_child_claims_at_once_is_not_taken_from_it_while_it_lives(path: Path) -> None:
    store = JsonStore(path, durability="os")
    store.add([job("a")], NOW)
    claimed, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - the child is not measured
        try:
            os.write(claimed[1], b"%d" % len(store.claim("child-1", NOW, 1)))
            os.read(go[0], 1)
        finally:
            os._exit(0)
    try:
        assert os.read(claimed[0], 1) == b"1"
        assert store.claim("parent-1", NOW, 1) == []
    finally:
        os.write(go[1], b".")
        os.waitpid(child, 0)
    assert [claim.job.crashes for claim in store.claim("parent-1", NOW, 1)] == [1]
    store.close()
    for end in (*claimed, *go):
        os.close(end)


def test_a_second_opener_sees_what_the_first_does_before_and_after_a_compaction(path: Path) -> None:
    store, other = JsonStore(path, durability="os"), JsonStore(path, durability="os")
    for number in range(6):
        store.add([job(f"job-{number}")], NOW)
        if number % 2:
            store.compact()
        assert other.get([f"job-{number}"])[0] == job(f"job-{number}")
        (claim,) = other.claim("other-1", NOW, 9)
        if number % 3 == 0:
            other.compact()
        assert store.get([f"job-{number}"])[0] == claim.job
        assert other.settle(effects([(claim, Succeeded())]), NOW) == []
        job_now = store.get([f"job-{number}"])[0]
        assert job_now is not None and job_now.state is State.SUCCEEDED
    assert store.scan() == other.scan()
    assert store.check() == other.check() == []
    store.close()
    other.close()


def test_who_waits_is_woken_by_another_opener_that_adds(path: Path) -> None:
    store, other = JsonStore(path, durability="os"), JsonStore(path, durability="os")
    while store.wait(0):
        store.next_due()
    woken: list[bool] = []
    waiting = threading.Thread(target=lambda: woken.append(store.wait(30)))
    waiting.start()
    other.add([job("a")], NOW)
    waiting.join(30)
    assert woken == [True]
    store.close()
    other.close()
