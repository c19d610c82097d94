"""Store.claim: what is due, in order, once, never early; its options, and what it returns besides the claims."""

from __future__ import annotations

import random
import threading
from typing import Any

from ...job import Bound, Claim, Failure, Fire, Job, Released, Retried, Snoozed, State, Succeeded
from ...turn import Keep, effects
from .base import HOUR, NOW, SECOND, YEAR, ContractBase, a_job


class ClaimContract(ContractBase):
    def test_a_claim_has_the_job_as_it_runs(self) -> None:
        self.add(a_job("a", -5, priority=3))
        claim = self.claim_one(7, owner="worker-1")
        assert (claim.owner, claim.job.owner, claim.token) == ("worker-1", "worker-1", claim.job.token)
        assert claim.token >= 1
        assert claim.job == self.job("a")
        assert claim.job == a_job(
            "a", -5, priority=3, state=State.RUNNING, attempt=1, token=claim.token, owner="worker-1", started_ms=NOW + 7
        )

    def test_nothing_is_claimed_one_millisecond_early(self) -> None:
        for due_in in (0, 1, 999, SECOND, HOUR - 1, HOUR, HOUR + 1, 25 * HOUR):
            self.add(a_job(f"in {due_in}".replace(" ", "-"), due_in))
            assert self.claim(due_in - 1) == [], due_in
            assert len(self.claim(due_in)) == 1, due_in

    def test_a_job_of_a_later_cycle_waits_for_its_cycle(self) -> None:
        self.add(*[a_job(f"turn-{turn}", turn * HOUR) for turn in range(4)])
        for turn in range(4):
            assert self.claimed_ids(turn * HOUR) == [f"turn-{turn}"]

    def test_a_job_is_claimed_once(self) -> None:
        self.add(a_job("a"))
        assert self.claimed_ids() == ["a"]
        assert self.claimed_ids(owner="me") == self.claimed_ids(owner="you") == self.claimed_ids(HOUR) == []

    # ---- order and limit ---------------------------------------------------------------------------------

    def test_the_order_is_higher_priority_then_earlier_due_then_id(self) -> None:
        jobs = [
            a_job(f"{name}{due}{priority + 5}", -due, priority=priority)
            for name in "ab"
            for due in (0, 1, SECOND, HOUR)
            for priority in (-5, 0, 2)
        ]
        wanted = [job.id for job in sorted(jobs, key=lambda job: (-job.priority, job.due_ms, job.id))]
        random.Random(3).shuffle(jobs)
        self.add(*jobs)
        taken: list[str] = []
        for limit in (1, 2, 3, 5, 100):
            taken += self.claimed_ids(limit=limit)
        assert taken == wanted

    def test_the_order_holds_for_jobs_that_come_due_between_two_claims(self) -> None:
        self.add(a_job("low-1"), a_job("low-2", 1), a_job("high", 2, priority=1))
        assert self.claimed_ids(1, limit=1) == ["low-1"]
        assert self.claimed_ids(2, limit=1) == ["high"]
        assert self.claimed_ids(2) == ["low-2"]

    def test_no_more_than_limit_are_claimed_and_the_rest_stays_due(self) -> None:
        self.add(*[a_job(f"job-{number}") for number in range(5)])
        assert self.claim(limit=0) == []
        assert self.store.stats(NOW).scheduled == 5
        assert [len(self.claim(limit=2)) for _ in range(4)] == [2, 2, 1, 0]

    def test_years_of_downtime_lose_nothing_and_keep_the_order(self) -> None:
        jobs = [a_job(f"job-{number:02}", number * YEAR // 7 + number) for number in range(70)]
        self.add(*reversed(jobs))
        assert self.claimed_ids(-1) == []
        assert self.claimed_ids(10 * YEAR) == [job.id for job in jobs]

    # ---- queues ------------------------------------------------------------------------------------------

    def test_only_jobs_of_the_queues_asked_for_are_claimed(self) -> None:
        self.add(a_job("a", queue="x"), a_job("b", queue="y"), a_job("c"))
        assert self.claimed_ids(queues=["y", "nobody"]) == ["b"]
        assert self.claimed_ids(queues=[]) == []
        assert self.claimed_ids(queues={"default"}) == ["c"]
        assert self.claimed_ids(queues=None) == ["a"]

    def test_the_order_is_one_over_all_queues(self) -> None:
        queues = ["x", "y", "z"]
        jobs = [a_job(f"job-{number:02}", number - 50, queue=queues[number % 3]) for number in range(12)]
        self.add(*jobs, a_job("last", 0, queue="x", priority=-1), a_job("first", 0, queue="z", priority=1))
        wanted = ["first", *[job.id for job in jobs], "last"]
        assert self.claimed_ids(limit=5) == wanted[:5]
        assert (
            self.claimed_ids(queues=["x", "y"], limit=3)
            == [job.id for job in jobs if job.id in wanted[5:] and job.queue != "z"][:3]
        )
        assert len(self.claimed_ids()) == 6

    def test_jobs_of_other_queues_do_not_use_up_the_limit(self) -> None:
        self.add(*[a_job(f"other-{number}", queue="other", priority=9) for number in range(10)], a_job("mine"))
        assert self.claimed_ids(limit=1, queues=["default"]) == ["mine"]

    # ---- attempt and token -------------------------------------------------------------------------------

    def test_attempt_counts_the_runs(self) -> None:
        self.add(a_job("a"))
        for attempt in (1, 2, 3):
            claim = self.claim_one(attempt)
            assert (claim.job.attempt, self.job("a").attempt) == (attempt, attempt)
            self.settle(claim, Retried(due_ms=NOW + attempt, error=Failure("E", "no")), attempt)

    def test_tokens_grow_by_each_claim_over_the_whole_store(self) -> None:
        self.add(*[a_job(f"job-{number}", queue="xy"[number % 2]) for number in range(6)])
        claims = self.claim(limit=2, queues=["y"]) + self.claim(limit=1, owner="you") + self.claim()
        tokens = [claim.token for claim in claims]
        assert tokens == sorted(set(tokens))
        for outcome in (Released(), Snoozed(due_ms=NOW), Retried(due_ms=NOW)):
            self.settle(claims[0], outcome)
            claims[0] = self.claim_one()
            assert claims[0].token > max(tokens)
            tokens.append(claims[0].token)

    # ---- expires -----------------------------------------------------------------------------------------

    def test_a_job_whose_expires_has_come_ends_unrun(self) -> None:
        self.add(a_job("a", expires_ms=NOW + SECOND))
        assert self.claim(SECOND) == []
        self.assert_job("a", state=State.EXPIRED, attempt=0, finished_ms=NOW + SECOND, owner=None)
        assert self.store.stats(NOW).expired == 1
        assert self.claim(HOUR) == []

    def test_a_job_runs_until_the_last_millisecond_before_it_expires(self) -> None:
        self.add(a_job("a", expires_ms=NOW + SECOND))
        assert self.claimed_ids(SECOND - 1) == ["a"]

    def test_a_job_that_nobody_claimed_within_its_grace_expires_with_a_reason(self) -> None:
        self.add(a_job("strict", grace_ms=0), a_job("patient", grace_ms=SECOND), a_job("late"))
        assert self.claimed_ids(SECOND) == ["late", "patient"]
        self.assert_job(
            "strict",
            state=State.EXPIRED,
            attempt=0,
            finished_ms=NOW + SECOND,
            reason="nobody took it within 0 s after it was due",
        )

    def test_the_grace_counts_from_the_due_instant_of_each_attempt(self) -> None:
        self.add(a_job("a", grace_ms=SECOND))
        self.settle(self.claim_one(SECOND), Retried(due_ms=NOW + HOUR))
        assert self.claimed_ids(HOUR + SECOND) == ["a"]

    def test_expired_jobs_do_not_use_up_the_limit(self) -> None:
        self.add(*[a_job(f"over-{number}", -5, expires_ms=NOW - 1) for number in range(5)], a_job("good"))
        assert self.claimed_ids(limit=1) == ["good"]
        assert self.store.stats(NOW).expired == 5

    def test_expires_does_not_end_a_running_job_but_its_retry(self) -> None:
        self.add(a_job("a", expires_ms=NOW + SECOND))
        claim = self.claim_one()
        assert self.claim(HOUR) == []
        assert self.state("a") is State.RUNNING
        self.settle(claim, Retried(due_ms=NOW + HOUR), HOUR)
        assert self.claim(HOUR) == []
        assert self.state("a") is State.EXPIRED

    # ---- the clock ---------------------------------------------------------------------------------------

    def test_after_the_clock_was_set_back_nothing_runs_twice_or_early(self) -> None:
        self.add(a_job("a", HOUR), a_job("later", 2 * HOUR))
        assert self.claimed_ids(HOUR) == ["a"]
        assert self.claimed_ids(0) == []
        self.add(a_job("in-the-repeated-hour", HOUR // 2), a_job("now"))
        assert self.claimed_ids(0) == ["now"]
        assert self.claimed_ids(HOUR // 2 - 1) == []
        assert self.claimed_ids(HOUR // 2) == ["in-the-repeated-hour"]
        assert self.claimed_ids(2 * HOUR) == ["later"]

    def test_a_due_job_left_by_the_limit_is_not_early_after_the_clock_was_set_back(self) -> None:
        self.add(a_job("a", HOUR), a_job("b", HOUR))
        assert self.claimed_ids(HOUR, limit=1) == ["a"]
        assert self.claimed_ids(HOUR - 1) == []
        assert self.store.next_due() == NOW + HOUR
        assert self.claimed_ids(HOUR) == ["b"]

    # ---- at the same time --------------------------------------------------------------------------------

    def test_threads_that_claim_at_the_same_time_never_get_the_same_job(self) -> None:
        self.add(*[a_job(f"job-{number:03}") for number in range(240)])
        store = self.store
        claims: list[list[Claim]] = [[] for _ in range(4)]

        def work(number: int) -> None:
            while got := store.claim(f"owner-{number}", NOW, 7):
                claims[number] += got
                assert store.settle(effects([(claim, Succeeded()) for claim in got]), NOW) == []

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = [claim for each in claims for claim in each]
        assert sorted(claim.job.id for claim in taken) == [f"job-{number:03}" for number in range(240)]
        assert len({claim.token for claim in taken}) == 240
        assert self.store.stats(NOW).succeeded == 240

    # ---- without -----------------------------------------------------------------------------------------

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

    # ---- ids ---------------------------------------------------------------------------------------------

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

    # ---- next_ms and ask ---------------------------------------------------------------------------------

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

    def _fire(self, name: str, after: int) -> Job:
        fire = Fire(name, NOW + after, "every second")
        return a_job(f"{name}@{after}", after, key=f"schedule:{name}", fire=fire)
