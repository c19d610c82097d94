"""Jobs that wait for others: ``wakes`` and ``after``."""

from __future__ import annotations

from typing import Final

from ...clock import MAX_MS
from ...contract import Found
from ...errors import UnknownJob
from ...job import After, Claim, Failed, Failure, Job, Outcome, Released, Skipped, State, Succeeded
from ...turn import effects
from .base import AGAIN, HOUR, NOW, SECOND, ContractBase, a_job, refused

_FAILED: Final = Failed(error=Failure("E", "no"))


class AwaitContract(ContractBase):
    def one_after(self, count: int, delay_ms: int = 0) -> None:
        """Add jobs "job-0", "job-1" ..., due now, and "last", which waits for them."""
        ids = tuple(f"job-{number}" for number in range(count))
        last = a_job("last", MAX_MS - NOW, after=After(ids, count, delay_ms=delay_ms))
        self.add(last, *[a_job(id, wakes=("last",)) for id in ids])

    def left(self, id: str) -> int:
        after = self.job(id).after
        assert after is not None
        return after.left

    def test_a_job_is_due_when_the_last_of_those_it_waits_for_has_ended(self) -> None:
        self.one_after(3)
        claims = self.claim()
        assert [claim.job.id for claim in claims] == ["job-0", "job-1", "job-2"]
        for number, claim in enumerate(claims):
            assert self.left("last") == 3 - number
            assert self.claim(SECOND) == []
            self.settle(claim, Succeeded(returned=str(number)), 5)
        last = self.job("last")
        assert (self.left("last"), last.due_ms, last.state) == (0, NOW + 5, State.SCHEDULED)
        assert self.claimed_ids(5) == ["last"]

    def test_delay_ms_counts_from_the_end_of_the_last(self) -> None:
        self.one_after(1, delay_ms=SECOND)
        self.settle(self.claim_one(), Succeeded(), 5)
        assert self.store.next_due() == NOW + SECOND + 5
        assert self.claim(SECOND + 4) == []
        assert self.claimed_ids(SECOND + 5) == ["last"]

    def test_failed_succeeded_and_cancelled_jobs_count_as_ended(self) -> None:
        self.one_after(4)
        self.store.cancel(["job-3"], NOW)
        failed, succeeded, unrun = self.claim()
        assert self.store.cancel([unrun.job.id], NOW) == [Found.RUNNING]
        ends: list[tuple[Claim, Outcome]] = [(failed, _FAILED), (succeeded, Succeeded()), (unrun, Released())]
        self.store.settle(effects(ends), NOW)
        assert self.state(unrun.job.id) is State.CANCELLED
        assert self.claimed_ids() == ["last"]

    def test_an_expired_job_counts_as_ended(self) -> None:
        self.add(a_job("a", expires_ms=NOW + 1, wakes=("last",)), self.waiting("a"))
        assert self.claim(1) == []
        assert self.claimed_ids(1) == ["last"]

    def test_a_job_with_too_many_crashes_counts_as_ended(self) -> None:
        self.take_leased_store()
        self.add(a_job("a", max_crashes=1, wakes=("last",)), self.waiting("a"))
        self.claim_one()
        later = self.lapse(NOW) - NOW
        self.claim(later)
        assert self.state("a") is State.FAILED
        assert self.state("last") is State.RUNNING or self.claimed_ids(later) == ["last"]

    def test_a_job_that_runs_again_does_not_count_as_ended(self) -> None:
        self.one_after(1)
        for outcome in AGAIN:
            self.settle(self.claim_one(), outcome)
            assert self.left("last") == 1
        self.settle(self.claim_one(), Succeeded())
        assert self.left("last") == 0

    def test_a_revived_job_is_not_counted_twice(self) -> None:
        self.one_after(2)
        first, _ = self.claim()
        self.settle(first, _FAILED)
        self.store.revive([first.job.id], NOW, NOW)
        self.settle(self.claim_one(), Succeeded())
        assert self.left("last") == 1

    def test_a_job_that_was_cancelled_while_it_waited_stays_cancelled(self) -> None:
        self.one_after(1)
        assert self.store.cancel(["last"], NOW) == [Found.SCHEDULED]
        self.settle(self.claim_one(), Succeeded())
        assert self.state("last") is State.CANCELLED

    def test_each_job_of_a_chain_wakes_the_next(self) -> None:
        names = ["a", "b", "c"]
        jobs = [a_job("a", wakes=("b",)), self.waiting("a")._replace(id="b", wakes=("c",)), self.waiting("b")]
        self.add(*jobs[:2], jobs[2]._replace(id="c"))
        for name in names:
            assert self.claimed_ids(HOUR, limit=1) == [name]
            claim = Claim(self.job(name), self.job(name).token, "me")
            self.settle(claim, Skipped(reason="not needed") if name == "b" else Succeeded(), HOUR)
        assert [self.state(name) for name in names] == [State.SUCCEEDED, State.CANCELLED, State.SUCCEEDED]
        assert (self.job("b").reason, self.job("b").attempt) == ("not needed", 0)

    def test_a_job_may_wake_several_jobs_and_unknown_ids(self) -> None:
        self.add(
            a_job("a", wakes=("x", "gone", "y")), self.waiting("a")._replace(id="x"), self.waiting("a")._replace(id="y")
        )
        self.settle(self.claim_one(), Succeeded())
        assert self.claimed_ids() == ["x", "y"]

    def test_more_ends_than_a_job_waits_for_change_nothing(self) -> None:
        self.add(a_job("a", wakes=("last",)), a_job("b", 1, wakes=("last",)), self.waiting("a"))
        first, second = self.claim(1)
        self.settle(first, Succeeded(), 5)
        due = self.job("last")
        self.settle(second, Succeeded(), 10)
        assert self.job("last") == due
        assert (self.left("last"), due.due_ms) == (0, NOW + 5)

    def test_a_job_that_waits_for_nothing_is_not_woken(self) -> None:
        self.add(a_job("a", wakes=("b",)), a_job("b", HOUR))
        self.settle(self.claim_one(), Succeeded())
        assert self.job("b") == a_job("b", HOUR)

    # ---- jobs that are in the store already --------------------------------------------------------------------

    def test_a_new_job_waits_for_jobs_that_are_there(self) -> None:
        self.add(a_job("a"), a_job("b", HOUR))
        self.add(self.waiting("a", "b"))
        assert [self.job(id).wakes for id in ("a", "b")] == [("last",), ("last",)]
        self.settle(self.claim_one(), Succeeded())
        assert (self.left("last"), self.claim()) == (1, [])
        self.settle(self.claim_one(HOUR), _FAILED, HOUR)
        assert self.job("last").due_ms == NOW + HOUR
        assert self.claimed_ids(HOUR) == ["last"]

    def test_a_new_job_waits_for_one_that_runs(self) -> None:
        self.add(a_job("a", wakes=("other",)))
        claim = self.claim_one()
        self.add(self.waiting("a"))
        self.assert_job("a", state=State.RUNNING, wakes=("other", "last"), token=claim.token)
        self.settle(claim, Succeeded(), 5)
        assert self.job("last").due_ms == NOW + 5

    def test_what_has_ended_already_is_not_waited_for(self) -> None:
        self.add(a_job("a"), a_job("b"))
        self.settle(self.claim_one(limit=1), Succeeded())
        self.add(self.waiting("a", "b"))
        assert self.left("last") == 1
        self.store.cancel(["b"], NOW)
        assert self.claimed_ids() == ["last"]

    def test_if_all_have_ended_it_is_due_delay_ms_from_now(self) -> None:
        self.add(a_job("a"))
        self.settle(self.claim_one(), Succeeded())
        late = self.waiting("a")
        assert late.after is not None
        self.store.add([late._replace(after=late.after._replace(delay_ms=SECOND))], NOW + 5)
        assert (self.left("last"), self.job("last").due_ms) == (0, NOW + SECOND + 5)

    def test_what_it_waits_for_is_kept_until_it_has_ended(self) -> None:
        self.add(a_job("a", result_ttl_ms=0))
        self.settle(self.claim_one(), Succeeded(returned="7"))
        self.add(self.waiting("a"))
        self.store.tidy(NOW + HOUR)
        assert self.job("a").returned == "7"
        self.settle(self.claim_one(), Succeeded())
        self.store.tidy(NOW + HOUR)
        assert self.store.get(["a"]) == [None]
        self.forgotten += 1

    def test_an_unknown_job_cannot_be_waited_for_and_nothing_is_added(self) -> None:
        self.add(a_job("a"))
        for job in (self.waiting("a", "unknown"), self.waiting("last")):
            with refused(UnknownJob):
                self.store.add([a_job("b"), job], NOW)
        assert self.everything() == [a_job("a")]

    def test_added_again_it_waits_once(self) -> None:
        self.add(a_job("a"), a_job("b"))
        for _ in range(2):
            assert self.store.add([self.waiting("a", "b")], NOW) == ["last"]
        assert self.job("a").wakes == ("last",)
        first, second = self.claim()
        self.settle(first, Succeeded())
        assert self.store.add([self.waiting("a", "b")], NOW) == ["last"]
        assert self.left("last") == 1
        self.settle(second, Succeeded())
        assert self.claimed_ids() == ["last"]

    def test_a_job_that_replaces_the_one_that_it_waits_for_runs(self) -> None:
        self.add(a_job("a", HOUR, key="k"))
        self.store.add([self.waiting("a")._replace(key="k")], NOW, on_conflict="replace")
        assert self.state("a") is State.CANCELLED
        assert self.claimed_ids() == ["last"]

    def test_one_that_is_due_and_waited_for_is_claimed_as_before(self) -> None:
        self.add(a_job("a", priority=1), a_job("b", priority=2))
        assert self.claimed_ids(limit=1) == ["b"]  # a is looked at as well
        self.add(self.waiting("a", "b"))
        assert self.store.next_due() == NOW
        assert self.claimed_ids() == ["a"]

    @staticmethod
    def waiting(*ids: str) -> Job:
        """A job "last" that waits for the jobs with these ids."""
        return a_job("last", MAX_MS - NOW, after=After(ids, len(ids), "finished", "results"))
