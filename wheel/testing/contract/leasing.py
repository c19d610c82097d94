"""Leases: what happens to the jobs of an owner that gives no sign of life, and Store.beat."""

from __future__ import annotations

from ...job import State, Succeeded
from ...turn import effects
from .base import LEASE, NOW, ContractBase, a_job


class LeaseContract(ContractBase):
    """Tests of stores that take an owner for dead after a lease without a sign of life."""

    def test_a_store_says_how_long_a_lease_is(self) -> None:
        self.take_leased_store()
        assert self.store.lease_ms == LEASE

    def test_the_jobs_of_an_owner_that_beats_are_its_own(self) -> None:
        self.take_leased_store()
        self.add(a_job("a"))
        claim = self.claim_one()
        for half in range(1, 9):
            after = half * LEASE // 2
            assert self.store.beat("me", NOW + after)
            assert self.claim(after + 1, owner="you") == []
        self.settle(claim, Succeeded(), 4 * LEASE + 2)
        assert (self.state("a"), self.job("a").attempt) == (State.SUCCEEDED, 1)

    def test_a_claim_is_a_sign_of_life_even_one_for_nothing(self) -> None:
        self.take_leased_store()
        self.add(a_job("a"))
        self.claim_one()
        for half in range(1, 9):
            assert self.claim(half * LEASE // 2, limit=0) == []
            assert self.claim(half * LEASE // 2 + 1, owner="you") == []
        assert self.state("a") is State.RUNNING

    def test_a_job_whose_owner_is_silent_starts_again_with_a_larger_token(self) -> None:
        self.take_leased_store()
        self.add(a_job("a"))
        lost = self.claim_one()
        later = self.lapse(NOW)
        (claim,) = self.store.claim("you", later, 10)
        assert claim.token > lost.token
        job = self.job("a")
        assert (job.owner, job.attempt, job.crashes, job.state) == ("you", 2, 1, State.RUNNING)
        assert self.store.settle(effects([(lost, Succeeded(returned='"mine"'))]), later) == [lost]
        assert self.job("a") == claim.job
        assert self.store.settle(effects([(claim, Succeeded(returned='"yours"'))]), later) == []
        assert self.job("a").returned == '"yours"'

    def test_it_goes_back_even_if_the_claimer_has_no_room_for_it(self) -> None:
        self.take_leased_store()
        self.add(a_job("a"))
        self.claim_one()
        later = self.lapse(NOW)
        assert self.store.claim("you", later, 0) == []
        job = self.job("a")
        assert (job.state, job.owner, job.crashes, job.due_ms) == (State.SCHEDULED, None, 1, NOW)
        assert self.store.next_due() == NOW

    def test_a_job_that_silences_its_owners_too_often_is_set_aside_as_failed(self) -> None:
        self.take_leased_store()
        self.add(a_job("a", max_crashes=3))
        now = NOW
        for _ in range(3):
            assert len(self.store.claim("me", now, 10)) == 1
            now = self.lapse(now)
        assert self.store.claim("me", now, 10) == []
        job = self.job("a")
        assert (job.state, job.crashes, job.attempt, job.owner) == (State.FAILED, 3, 3, None)
        assert job.error is not None
        assert job.finished_ms is not None
        assert self.store.stats(now).failed == 1

    def test_with_max_crashes_of_one_a_job_is_started_at_most_once(self) -> None:
        self.take_leased_store()
        self.add(a_job("a", max_crashes=1))
        self.claim_one()
        assert self.store.claim("you", self.lapse(NOW), 10) == []
        assert (self.state("a"), self.job("a").attempt) == (State.FAILED, 1)

    def test_a_beat_that_comes_too_late_says_so_and_saves_nothing(self) -> None:
        self.take_leased_store()
        self.add(a_job("a"))
        lost = self.claim_one()
        later = self.lapse(NOW)
        assert not self.store.beat("me", later)
        (claim,) = self.store.claim("you", later, 10)
        assert not self.store.beat("me", later)
        assert self.store.settle(effects([(lost, Succeeded())]), later) == [lost]
        assert self.job("a") == claim.job

    def test_an_owner_that_was_taken_for_dead_lives_again_by_its_next_claim(self) -> None:
        self.take_leased_store()
        self.add(a_job("a"))
        lost = self.claim_one()
        later = self.lapse(NOW)
        (again,) = self.store.claim("me", later, 10)
        assert again.token > lost.token
        assert self.store.beat("me", later)
        assert self.store.settle(effects([(lost, Succeeded()), (again, Succeeded())]), later) == [lost]
