"""What claim() returns besides the claims: when to ask again, and how to ask so that no answer is lost."""

from __future__ import annotations

from ...job import Bound, Released, Succeeded
from .base import HOUR, NOW, ContractBase, a_job


class AskContract(ContractBase):
    """Tests of Claims.next_ms, and of claim(ask=)."""

    def test_next_ms_is_the_instant_at_which_the_next_job_is_due(self) -> None:
        assert self.claim().next_ms is None
        self.add(a_job("a"), a_job("b", HOUR), a_job("c", 2 * HOUR))
        assert self.claim().next_ms == NOW + HOUR
        assert self.claim(HOUR).next_ms == NOW + 2 * HOUR
        assert self.claim(2 * HOUR).next_ms is None

    def test_a_claim_with_limit_0_returns_next_ms_too(self) -> None:
        self.add(a_job("a"), a_job("b", HOUR))
        assert self.claim(limit=0).next_ms == NOW
        assert self.claim().next_ms == self.claim(limit=0).next_ms == NOW + HOUR

    def test_next_ms_is_not_in_the_future_if_more_jobs_are_due(self) -> None:
        self.add(a_job("a"), a_job("b"))
        next_ms = self.claim(5, limit=1).next_ms
        assert next_ms is not None and next_ms <= NOW + 5

    def test_next_ms_ignores_jobs_that_are_held_back(self) -> None:
        one = (Bound("one", 1),)
        self.add(a_job("a", limits=one), a_job("b", limits=one), a_job("c", task="yours"), a_job("d", queue="mail"))
        self.store.pause(["queue:mail"])
        assert self.claim(without=["task:yours"]).next_ms is None
        assert self.store.next_due(None, ["task:yours"]) is None

    def test_the_same_ask_gives_the_same_claims_again(self) -> None:
        self.add(a_job("a"), a_job("b"))
        lost = self.claim(ask=0)
        again = self.claim(5, ask=0)
        assert list(again) == list(lost)
        assert self.claim(6, ask=again.ask) == []
        assert [job.attempt for job in self.everything()] == [1, 1]

    def test_new_claims_are_returned_in_addition_to_repeated_ones(self) -> None:
        self.add(a_job("a"))
        first = self.claim(ask=0)
        self.add(a_job("b"), a_job("c"))
        assert self.claimed_ids(ask=0, limit=1) == ["a", "b"]
        assert self.claimed_ids(ask=first.ask, limit=0) == ["b"]
        last = self.claim(ask=first.ask)
        assert [claim.job.id for claim in last] == ["b", "c"]
        assert [claim.token for claim in last] == sorted(claim.token for claim in last)

    def test_settled_claims_and_those_of_other_owners_are_not_repeated(self) -> None:
        self.add(a_job("a"), a_job("b"), a_job("c"))
        a, b = self.claim(limit=2, ask=0)
        self.claim_one(owner="you")
        self.settle(a, Succeeded())
        assert list(self.claim(5, ask=0)) == [b]
        self.settle(b, Released())
        assert self.claimed_ids(5, ask=0) == ["b"]

    def test_without_ask_no_claim_is_repeated(self) -> None:
        self.add(a_job("a"))
        self.claim_one(ask=0)
        assert self.claim() == []

    def test_claims_with_ids_are_repeated_too(self) -> None:
        self.add(a_job("a"), a_job("b"))
        lost = self.claim(ids=["b"], ask=0)
        assert self.claimed_ids(ids=["a"], ask=0) == ["b", "a"]
        assert self.claimed_ids(ask=lost.ask) == ["a"]
