"""Leases: Store.beat, and what happens to the jobs of an owner that gives no sign of life."""

from __future__ import annotations

from ...job import State, Succeeded
from ...turn import effects
from .base import LEASE, NOW, ContractBase, a_job


class LeaseContract(ContractBase):
    def test_an_owner_that_beats_keeps_its_jobs(self) -> None:
        claim = self.leased_claim()
        assert self.store.lease_ms == LEASE
        for half in range(1, 9):
            after = half * LEASE // 2
            assert self.store.beat("me", NOW + after)
            assert self.claim(after + 1, owner="you") == []
        self.settle(claim, Succeeded(), 4 * LEASE + 2)
        assert (self.state("a"), self.job("a").attempt) == (State.SUCCEEDED, 1)

    def test_a_claim_is_a_sign_of_life_even_with_limit_0(self) -> None:
        self.leased_claim()
        for half in range(1, 9):
            assert self.claim(half * LEASE // 2, limit=0) == []
            assert self.claim(half * LEASE // 2 + 1, owner="you") == []
        assert self.state("a") is State.RUNNING

    def test_a_job_whose_owner_is_silent_starts_again_with_a_larger_token(self) -> None:
        lost = self.leased_claim()
        later = self.lapse(NOW)
        (claim,) = self.store.claim("you", later, 10)
        assert claim.token > lost.token
        self.assert_job("a", owner="you", attempt=2, crashes=1, state=State.RUNNING)
        assert self.store.settle(effects([(lost, Succeeded(returned='"mine"'))]), later) == [lost]
        assert self.job("a") == claim.job
        assert self.store.settle(effects([(claim, Succeeded(returned='"yours"'))]), later) == []
        assert self.job("a").returned == '"yours"'

    def test_a_claim_with_limit_0_reschedules_jobs_of_dead_owners(self) -> None:
        self.leased_claim()
        later = self.lapse(NOW)
        assert self.store.claim("you", later, 0) == []
        self.assert_job("a", state=State.SCHEDULED, owner=None, crashes=1, due_ms=NOW)
        assert self.store.next_due() == NOW

    def test_a_job_whose_owners_died_max_crashes_times_is_set_aside_as_failed(self) -> None:
        self.take_leased_store()
        self.add(a_job("a", max_crashes=3))
        now = NOW
        for _ in range(3):
            assert len(self.store.claim("me", now, 10)) == 1
            now = self.lapse(now)
        assert self.store.claim("me", now, 10) == []
        self.assert_job("a", state=State.FAILED, crashes=3, attempt=3, owner=None)
        assert self.job("a").error is not None
        assert self.job("a").finished_ms is not None
        assert self.store.stats(now).failed == 1

    def test_with_max_crashes_of_one_a_job_is_started_at_most_once(self) -> None:
        self.leased_claim(max_crashes=1)
        assert self.store.claim("you", self.lapse(NOW), 10) == []
        assert (self.state("a"), self.job("a").attempt) == (State.FAILED, 1)

    def test_a_beat_that_comes_too_late_returns_false_and_saves_nothing(self) -> None:
        lost = self.leased_claim()
        later = self.lapse(NOW)
        assert not self.store.beat("me", later)
        (claim,) = self.store.claim("you", later, 10)
        assert not self.store.beat("me", later)
        assert self.store.settle(effects([(lost, Succeeded())]), later) == [lost]
        assert self.job("a") == claim.job

    def test_an_owner_that_was_taken_for_dead_can_claim_again(self) -> None:
        lost = self.leased_claim()
        later = self.lapse(NOW)
        (again,) = self.store.claim("me", later, 10)
        assert again.token > lost.token
        assert self.store.beat("me", later)
        assert self.store.settle(effects([(lost, Succeeded()), (again, Succeeded())]), later) == [lost]
