"""Dropping finished jobs: by id at any time, or all whose result_ttl is over."""

from __future__ import annotations

from ...contract import Filter, Found
from ...job import Failed, Failure, Succeeded
from .base import HOUR, NOW, SECOND, ContractBase, a_job


class EraseContract(ContractBase):
    """Tests of forget() and tidy()."""

    def test_a_forgotten_job_is_found_by_no_verb(self) -> None:
        self.add(a_job("a", payload='[["secret"],{}]', key="k"), a_job("b"))
        for claim in self.claim():
            self.settle(claim, Succeeded(returned="17"))
        before = self.store.stats(NOW)
        self.forget("a")
        assert self.store.get(["a"]) == [None]
        assert [job.id for job in self.everything()] == ["b"]
        assert self.store.scan(Filter(key="k")) == []
        assert self.store.cancel(["a"], NOW) == [Found.UNKNOWN]
        assert self.store.revive(["a"], NOW, NOW) == [Found.UNKNOWN]
        assert self.store.forget(["a"]) == [Found.UNKNOWN]
        assert self.store.stats(NOW) == before  # the totals still count it

    def test_only_finished_jobs_are_forgotten(self) -> None:
        self.add(a_job("running"))
        claim = self.claim_one()
        self.add(a_job("scheduled", 5), a_job("over", 5))
        self.store.cancel(["over"], NOW)
        found = self.store.forget(["running", "scheduled", "over", "unknown"])
        self.forgotten += 1
        assert found == [Found.RUNNING, Found.SCHEDULED, Found.FINISHED, Found.UNKNOWN]
        self.settle(claim, Succeeded())
        assert self.claimed_ids(5) == ["scheduled"]

    def test_the_id_of_a_forgotten_job_may_be_used_again(self) -> None:
        self.add(a_job("a"))
        self.settle(self.claim_one(), Succeeded())
        self.forget("a")
        self.add(a_job("a", 5))
        assert self.claimed_ids(5) == ["a"]

    def test_a_job_stays_forgotten_when_the_store_is_opened_again(self) -> None:
        self.add(a_job("a"), a_job("b"))
        for claim in self.claim():
            self.settle(claim, Succeeded())
        self.forget("a")
        self.open_again()
        assert [job.id for job in self.everything()] == ["b"]

    # ---- tidy --------------------------------------------------------------------------------------------

    def test_tidy_drops_jobs_whose_result_ttl_is_over_and_no_others(self) -> None:
        self.add(a_job("over", result_ttl_ms=SECOND), a_job("kept", result_ttl_ms=HOUR))
        for claim in self.claim():
            self.settle(claim, Succeeded(returned="17"))
        self.add(a_job("waits", -HOUR, result_ttl_ms=0), a_job("later", HOUR, result_ttl_ms=0))
        self.tidy(SECOND - 1, [])
        self.tidy(SECOND, ["over"])
        assert self.store.get(["over"]) == [None]
        assert [job.id for job in self.everything()] == ["waits", "kept", "later"]
        self.tidy(HOUR, ["kept"])

    def test_failed_and_expired_jobs_are_kept_longer(self) -> None:
        self.add(a_job("fails", result_ttl_ms=0), a_job("expires", expires_ms=NOW, result_ttl_ms=0))
        self.settle(self.claim_one(), Failed(error=Failure("E", "no")))
        self.tidy(24 * HOUR, [])
        assert [job.id for job in self.everything()] == ["expires", "fails"]

    def test_dropped_jobs_stay_gone_when_the_store_is_opened_again(self) -> None:
        self.add(a_job("a", result_ttl_ms=0), a_job("b"))
        for claim in self.claim():
            self.settle(claim, Succeeded())
        reopened = self.reopen(self.store)
        if reopened is not None:
            self._store = reopened
        self.tidy(SECOND, ["a"])
        self.add(a_job("a", 5))
        self.tidy(HOUR, [])
        assert self.claimed_ids(5) == ["a"]

    def test_a_job_that_was_replaced_is_not_kept_for_long(self) -> None:
        self.add(a_job("first", HOUR, key="k"))
        for number in range(20):
            self.store.add([a_job(f"next-{number}", HOUR, key="k")], NOW, on_conflict="replace")
        self.forgotten += 20
        self.store.tidy(NOW + 300 * SECOND)
        assert [job.id for job in self.everything()] == ["next-19"]

    def forget(self, id: str) -> None:
        """Forget a finished job."""
        assert self.store.forget([id]) == [Found.FINISHED]
        self.forgotten += 1

    def tidy(self, after: int, gone: list[str]) -> None:
        """Call tidy() ``after`` milliseconds from NOW. It must drop exactly these jobs."""
        before = {job.id for job in self.everything()}
        self.store.tidy(NOW + after)
        self.forgotten += len(gone)
        assert before - {job.id for job in self.everything()} == set(gone)
