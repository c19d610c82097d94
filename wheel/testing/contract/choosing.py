"""The options of claim() besides queues: ``ids``, and ``without`` for what the caller cannot run."""

from __future__ import annotations

from typing import Any

from ...job import Bound, Fire, Job, Released
from ...turn import Keep
from .base import HOUR, NOW, SECOND, ContractBase, a_job


class ChoosingContract(ContractBase):
    """Tests of claim(without=) and claim(ids=)."""

    def test_jobs_that_a_claim_excludes_are_left_to_others(self) -> None:
        self.add(a_job("a", task="mine"), a_job("b", task="yours"), a_job("c", 1, task="yours"))
        assert self.claimed_ids(1, without=["task:yours"]) == ["a"]
        assert self.claimed_ids(1, without={"task:yours", "task:nobodys"}) == []
        assert self.claimed_ids(1, owner="you", without=["task:mine"]) == ["b", "c"]

    def test_jobs_that_a_claim_excludes_do_not_use_up_its_limit(self) -> None:
        self.add(*[a_job(f"other-{n}", task="yours", priority=9) for n in range(10)], a_job("mine", task="mine"))
        assert self.claimed_ids(limit=1, without=["task:yours"]) == ["mine"]

    def test_claimers_that_exclude_different_tasks_each_keep_the_order(self) -> None:
        tasks = ["x", "y"]
        self.add(*[a_job(f"job-{n}", n, task=tasks[n % 2], priority=n % 3) for n in range(8)])
        taken: list[str] = []
        for turn in range(8):
            taken += self.claimed_ids(SECOND, limit=1, without=[f"task:{tasks[turn % 2]}"])
        y, x = taken[::2], taken[1::2]
        assert x == ["job-2", "job-4", "job-0", "job-6"]
        assert y == ["job-5", "job-1", "job-7", "job-3"]

    def test_next_due_ignores_what_the_last_claim_excluded(self) -> None:
        self.add(a_job("a", task="yours"), a_job("b", HOUR, task="mine"))
        assert self.claim(without=["task:yours"]) == []
        assert self.store.next_due(None, ["task:yours"]) == NOW + HOUR
        assert self.store.next_due() == NOW
        assert self.store.next_due(None, ["task:other"]) == NOW
        assert self.store.stats(NOW).next_due_ms == NOW

    def test_a_released_job_is_due_at_once_for_claims_that_do_not_exclude_it(self) -> None:
        self.add(a_job("a", task="yours"))
        self.settle(self.claim_one(), Released(reason="unregistered"))
        assert self.claim(without=["task:yours"]) == []
        assert self.store.next_due(None, ["task:yours"]) is None
        claim = self.claim_one(owner="you")
        assert (claim.job.attempt, claim.job.due_ms) == (1, NOW)

    def test_excluding_a_schedule_excludes_only_its_next_fire(self) -> None:
        self.add(self._fire("mine", 0), self._fire("yours", 0))
        mine = self.claim_one(without=["schedule:yours"])
        assert mine.job.id == "mine@0"
        self.keep(mine, Keep(next=self._fire("mine", SECOND)))
        yours = self.claim_one(owner="you", without=["schedule:mine"])
        assert yours.job.id == "yours@0"
        self.keep(yours, Keep(next=self._fire("yours", SECOND)))
        self.settle(yours, Released())
        assert self.claimed_ids(without=["schedule:yours"]) == ["yours@0"], (
            "its next fire has been added, so it is a job like others"
        )

    def test_a_claim_with_ids_takes_these_jobs_and_no_others(self) -> None:
        self.add(*[a_job(id, n) for n, id in enumerate("abc")], a_job("later", HOUR))
        assert self.claimed_ids(5, ids=["later", "nobody", "c", "b"]) == ["b", "c"]
        assert self.claimed_ids(5, ids=["b"]) == []
        assert self.claimed_ids(5, ids=[]) == []
        assert self.claimed_ids(5) == ["a"]

    def test_a_claim_with_ids_keeps_to_order_limit_and_other_options(self) -> None:
        self.add(a_job("a"), a_job("b", priority=1), a_job("c", queue="mail"), a_job("d", task="yours"))
        named: dict[str, Any] = {"ids": ["a", "b", "c", "d"], "queues": ["default"], "without": ["task:yours"]}
        assert self.claimed_ids(limit=1, **named) == ["b"]
        assert self.claimed_ids(**named) == ["a"]
        assert self.claimed_ids() == ["c", "d"]

    def test_a_claim_with_ids_keeps_to_the_limits_of_jobs(self) -> None:
        self.add(a_job("a", limits=(Bound("one", 1),)), a_job("b", limits=(Bound("one", 1),)))
        first = self.claim_one(ids=["b"])
        for _ in range(3):
            assert self.claim(ids=["a"]) == []
        self.settle(first, Released())
        assert self.claimed_ids() == ["a"]
        assert self.claimed_ids() == []
        assert self.store.check() == []

    def test_a_claim_with_ids_ends_expired_jobs(self) -> None:
        self.add(a_job("a", expires_ms=NOW + 1), a_job("b", expires_ms=NOW + 1))
        assert self.claim(1, ids=["a"]) == []
        assert self.job("a").state == "expired"
        assert self.claim(1) == []
        assert self.job("b").state == "expired"
        assert self.store.check() == []

    def _fire(self, name: str, after: int) -> Job:
        fire = Fire(name, NOW + after, "every second")
        return a_job(f"{name}@{after}", after, key=f"schedule:{name}", fire=fire)
