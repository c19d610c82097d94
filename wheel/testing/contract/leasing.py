"""Leases: what happens to claims whose holder is not heard of, and Store.renew."""

from __future__ import annotations

from ...job import State, Succeeded
from .base import HOUR, NOW, SECOND, ContractBase, a_job

LEASE = 10 * SECOND


class LeaseContract(ContractBase):
    """Tests of claims with lease_ms, and of renew()."""

    def test_a_claim_with_a_lease_says_until_when_it_holds(self) -> None:
        self.add(a_job("a"), a_job("b"))
        with_lease = self.claim_one(limit=1, lease_ms=LEASE)
        without = self.claim_one()
        assert with_lease.lease_until_ms is not None
        assert without.lease_until_ms is None

    def test_a_job_is_not_given_to_another_while_its_lease_holds(self) -> None:
        self.add(a_job("a"))
        self.claim_one(lease_ms=LEASE)
        assert self.claim(LEASE // 2, owner="you", lease_ms=LEASE) == []
        assert self.state("a") is State.RUNNING

    def test_a_job_whose_lease_has_lapsed_starts_again_with_a_larger_token(self) -> None:
        self.add(a_job("a"))
        lost = self.claim_one(lease_ms=LEASE)
        later = self.lapse(NOW, LEASE)
        (claim,) = self.store.claim("you", later, 10, lease_ms=LEASE)
        assert claim.token > lost.token
        job = self.job("a")
        assert (job.owner, job.attempt, job.crashes, job.state) == ("you", 2, 1, State.RUNNING)
        assert self.store.settle([(lost, Succeeded(returned='"mine"'))], later) == [lost]
        assert self.job("a") == claim.job
        assert self.store.settle([(claim, Succeeded(returned='"yours"'))], later) == []
        assert self.job("a").returned == '"yours"'

    def test_a_job_whose_lease_has_lapsed_goes_back_even_if_the_claimer_has_no_room_for_it(self) -> None:
        self.add(a_job("a"))
        self.claim_one(lease_ms=LEASE)
        later = self.lapse(NOW, LEASE)
        assert self.store.claim("you", later, 0) == []
        job = self.job("a")
        assert (job.state, job.owner, job.crashes, job.due_ms) == (State.SCHEDULED, None, 1, NOW)
        assert self.store.next_due() == NOW

    def test_a_job_that_crashes_its_worker_too_often_is_set_aside_as_failed(self) -> None:
        self.add(a_job("a", max_crashes=3))
        now = NOW
        for _ in range(3):
            assert len(self.store.claim("me", now, 10, lease_ms=LEASE)) == 1
            now = self.lapse(now, LEASE)
        assert self.store.claim("me", now, 10, lease_ms=LEASE) == []
        job = self.job("a")
        assert (job.state, job.crashes, job.attempt, job.owner) == (State.FAILED, 3, 3, None)
        assert job.error is not None
        assert job.finished_ms is not None
        assert self.store.stats(now).failed == 1

    def test_with_max_crashes_of_one_a_job_is_started_at_most_once(self) -> None:
        self.add(a_job("a", max_crashes=1))
        self.claim_one(lease_ms=LEASE)
        later = self.lapse(NOW, LEASE)
        assert self.store.claim("you", later, 10) == []
        assert (self.state("a"), self.job("a").attempt) == (State.FAILED, 1)

    def test_a_claim_without_a_lease_does_not_lapse_while_its_owner_lives(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one()
        assert self.claim(100 * HOUR) == []
        self.settle(claim, Succeeded(), 100 * HOUR)

    # ---- renew -------------------------------------------------------------------------------------------

    def test_a_renewed_claim_holds_beyond_its_first_lease(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one(lease_ms=LEASE)
        assert self.store.renew([claim], NOW + LEASE // 2, 100 * LEASE) == []
        later = self.lapse(NOW, LEASE)
        assert self.store.claim("you", later, 10) == []
        assert self.store.settle([(claim, Succeeded())], later) == []

    def test_a_renewed_lease_lapses_too(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one(lease_ms=LEASE)
        assert self.store.renew([claim], NOW + 1, LEASE) == []
        later = self.lapse(NOW + 1, LEASE)
        assert [claim.job.id for claim in self.store.claim("you", later, 10)] == ["a"]

    def test_renew_names_the_claims_that_were_lost_and_holds_the_others(self) -> None:
        self.add(a_job("done"), a_job("held"), a_job("taken"))
        done, held, taken = self.claim(lease_ms=LEASE)
        self.settle(done, Succeeded())
        assert self.store.renew([held], NOW, 100 * LEASE) == []
        later = self.lapse(NOW, LEASE)
        (newer,) = self.store.claim("you", later, 10, lease_ms=LEASE)
        assert newer.job.id == "taken"
        unknown = held._replace(job=held.job._replace(id="unknown"))
        assert self.store.renew([done, held, taken, unknown], later, LEASE) == [done, taken, unknown]
        assert self.job("taken") == newer.job

    def test_a_lost_claim_is_not_revived_by_renewing_it(self) -> None:
        self.add(a_job("a"))
        lost = self.claim_one(lease_ms=LEASE)
        later = self.lapse(NOW, LEASE)
        (newer,) = self.store.claim("you", later, 10, lease_ms=LEASE)
        assert self.store.renew([lost], later, 100 * LEASE) == [lost]
        assert self.store.settle([(lost, Succeeded())], later) == [lost]
        last = self.lapse(later, LEASE)
        (claim,) = self.store.claim("third", last, 10)
        assert claim.token > newer.token

    def test_renewing_nothing_is_nothing(self) -> None:
        assert self.store.renew([], NOW, LEASE) == []
