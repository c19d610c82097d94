"""Erasing: finished jobs are dropped before their result_ttl is over."""

from __future__ import annotations

from ...contract import Erasing, Filter, Found
from ...job import Succeeded
from .base import NOW, ContractBase, a_job


class EraseContract(ContractBase):
    """Tests of Erasing, which a store may leave out."""

    def test_a_forgotten_job_is_found_by_no_verb(self) -> None:
        store = self.erasing()
        if store is None:
            return
        self.add(a_job("a", payload='[["secret"],{}]', key="k"), a_job("b"))
        for claim in self.claim():
            self.settle(claim, Succeeded(returned="17"))
        before = self.store.stats(NOW)
        self.forget(store, "a")
        assert self.store.get("a") is None
        assert [job.id for job in self.everything()] == ["b"]
        assert self.store.scan(Filter(key="k")) == []
        assert self.store.cancel(["a"], NOW) == [Found.UNKNOWN]
        assert self.store.reschedule("a", NOW, NOW, finished=True) is Found.UNKNOWN
        assert store.forget(["a"]) == [Found.UNKNOWN]
        assert self.store.stats(NOW) == before  # the totals count it for ever

    def test_only_what_has_finished_is_forgotten(self) -> None:
        store = self.erasing()
        if store is None:
            return
        self.add(a_job("running"))
        claim = self.claim_one()
        self.add(a_job("scheduled", 5), a_job("over", 5))
        self.store.cancel(["over"], NOW)
        found = store.forget(["running", "scheduled", "over", "unknown"])
        self.forgotten += 1
        assert found == [Found.RUNNING, Found.SCHEDULED, Found.FINISHED, Found.UNKNOWN]
        self.settle(claim, Succeeded())
        assert self.claimed_ids(5) == ["scheduled"]

    def test_the_id_of_a_forgotten_job_may_be_used_again(self) -> None:
        store = self.erasing()
        if store is None:
            return
        self.add(a_job("a"))
        self.settle(self.claim_one(), Succeeded())
        self.forget(store, "a")
        self.add(a_job("a", 5))
        assert self.claimed_ids(5) == ["a"]

    def test_a_job_stays_forgotten_when_the_store_is_opened_anew(self) -> None:
        store = self.erasing()
        if store is None:
            return
        self.add(a_job("a"), a_job("b"))
        for claim in self.claim():
            self.settle(claim, Succeeded())
        self.forget(store, "a")
        reopened = self.reopen(self.store)
        if reopened is None:
            return
        self._store = reopened
        assert [job.id for job in self.everything()] == ["b"]

    def forget(self, store: Erasing, id: str) -> None:
        """Forget a job that has finished."""
        assert store.forget([id]) == [Found.FINISHED]
        self.forgotten += 1

    def erasing(self) -> Erasing | None:
        """The store, if it can forget."""
        return self.store if isinstance(self.store, Erasing) else None
