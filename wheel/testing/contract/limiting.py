"""Limits on running jobs and on rates of starts; pause and resume."""

from __future__ import annotations

from ...contract import Found
from ...errors import InvalidValue
from ...job import Bound, Crashed, Failed, Failure, Outcome, Released, Retried, Snoozed, State, Succeeded
from .base import HOUR, NOW, SECOND, ContractBase, a_job, refused

TWO = (Bound("two", 2),)
ONE = (Bound("one", 1),)
EACH_SECOND = (Bound("each second", 60, 60 * SECOND),)


class LimitContract(ContractBase):
    def test_no_more_jobs_run_at_once_than_a_limit_allows(self) -> None:
        self.add(*[a_job(f"job-{n}", limits=TWO) for n in range(5)])
        first, second = self.claim()
        assert self.claim() == []
        self.settle(first, Succeeded())
        assert self.claimed_ids() == ["job-2"]
        self.settle(second, Failed(error=Failure("E", "broken")))
        assert self.claimed_ids() == ["job-3"]

    def test_every_outcome_frees_the_place_of_a_job(self) -> None:
        outcomes: list[Outcome] = [
            Succeeded(), Failed(error=Failure("E", "broken")), Retried(due_ms=NOW + HOUR), Snoozed(due_ms=NOW + HOUR),
            Crashed(reason="gone"), Released(),
        ]  # fmt: skip
        self.add(*[a_job(f"job-{n}", limits=ONE, max_crashes=1) for n in range(len(outcomes))])
        for n, outcome in enumerate(outcomes):
            claim = self.claim_one()
            assert claim.job.id == f"job-{n}"
            self.settle(claim, outcome)
        assert self.claimed_ids() == [f"job-{len(outcomes) - 1}"], "it was released"

    def test_the_death_of_an_owner_frees_the_places_of_its_jobs(self) -> None:
        self.take_leased_store()
        self.add(a_job("a", limits=ONE, max_crashes=1), a_job("b", limits=ONE))
        self.claim_one()
        later = self.lapse(NOW)
        assert [claim.job.id for claim in self.store.claim("you", later, 10)] == ["b"]
        assert self.state("a") is State.FAILED

    def test_limits_of_other_names_do_not_count_together(self) -> None:
        self.add(a_job("a", limits=ONE), a_job("b", limits=(Bound("other", 1),)), a_job("c", limits=ONE), a_job("d"))
        assert self.claimed_ids() == ["a", "b", "d"]

    def test_a_job_keeps_to_all_its_limits(self) -> None:
        self.add(a_job("a", limits=ONE), a_job("b", limits=TWO), a_job("c", limits=(*TWO, *ONE)))
        a, b = self.claim()
        self.settle(b, Succeeded())
        assert self.claim() == []
        self.settle(a, Succeeded())
        assert self.claimed_ids() == ["c"]

    def test_jobs_held_back_by_a_limit_are_claimed_in_the_usual_order(self) -> None:
        self.add(a_job("first", limits=ONE))
        running = self.claim_one()
        self.add(a_job("b", limits=ONE), a_job("c", limits=ONE, priority=5))
        assert self.claim() == []
        self.add(a_job("a", -1), a_job("d", priority=9))
        self.settle(running, Succeeded())
        assert self.claimed_ids() == ["d", "c", "a"]

    def test_jobs_held_back_by_a_limit_do_not_hold_up_others(self) -> None:
        self.add(*[a_job(f"held-{n}", -HOUR, limits=ONE, priority=9) for n in range(20)], a_job("free"))
        assert self.claimed_ids(limit=2) == ["held-0", "free"]

    def test_jobs_held_back_by_a_limit_can_be_cancelled_moved_and_expire(self) -> None:
        self.add(a_job("runs", limits=ONE))
        running = self.claim_one()
        self.add(*[a_job(id, limits=ONE) for id in ("cancelled", "later", "stays")])
        self.add(a_job("expires", limits=ONE, expires_ms=NOW + SECOND))
        assert self.claim() == []
        assert self.store.cancel(["cancelled"], NOW) == [Found.SCHEDULED]
        assert self.store.reschedule(["later"], NOW + HOUR, NOW) == [Found.SCHEDULED]
        self.settle(running, Succeeded())
        stays = self.claim_one(2 * SECOND)
        assert (stays.job.id, self.claim(HOUR)) == ("stays", [])
        self.settle(stays, Succeeded())
        assert self.claimed_ids(HOUR) == ["later"]
        assert self.state("expires") is State.EXPIRED

    def test_a_freed_place_goes_to_a_job_of_the_claims_queues(self) -> None:
        self.add(a_job("runs", limits=ONE))
        running = self.claim_one()
        self.add(a_job("mail", limits=ONE, queue="mail"), a_job("other", limits=ONE, queue="other"))
        assert self.claim() == []
        self.settle(running, Succeeded())
        assert self.claimed_ids(queues=["other"]) == ["other"]

    def test_the_starts_of_a_rate_are_spaced_evenly(self) -> None:
        self.add(*[a_job(f"job-{n}", limits=EACH_SECOND) for n in range(4)])
        assert self.claimed_ids() == ["job-0"]
        assert self.claim(SECOND - 1) == []
        assert self.claimed_ids(SECOND) == ["job-1"]
        assert self.claimed_ids(5 * SECOND) == ["job-2"], "starts that were not used are not made up for"
        assert self.claimed_ids(6 * SECOND) == ["job-3"]

    def test_at_a_fast_rate_the_starts_of_a_tenth_of_a_second_may_come_together(self) -> None:
        self.add(*[a_job(f"job-{n}", limits=(Bound("fast", 100, SECOND),)) for n in range(40)])
        assert len(self.claim()) == 11, "one for now, and ten for the tenth of a second before"
        assert len(self.claim(50)) == 5
        assert len(self.claim(1000)) == 11

    def test_next_due_says_when_a_rate_lets_the_next_one_start(self) -> None:
        self.add(a_job("a", limits=EACH_SECOND), a_job("b", limits=EACH_SECOND))
        self.claim_one()
        assert self.store.next_due() == NOW + SECOND
        self.add(a_job("sooner", 500))
        assert self.store.next_due() == NOW + 500

    def test_next_due_ignores_jobs_that_wait_for_a_run_to_end(self) -> None:
        self.add(a_job("a", limits=ONE), a_job("b", limits=ONE), a_job("later", HOUR))
        running = self.claim_one()
        assert self.claim() == []
        assert self.store.next_due() == NOW + HOUR
        self.settle(running, Succeeded())
        assert self.store.next_due() == NOW

    def test_a_clock_that_was_set_far_back_does_not_stop_a_rate(self) -> None:
        self.add(a_job("a", limits=EACH_SECOND), a_job("b", -2 * HOUR, limits=EACH_SECOND))
        assert self.claimed_ids(limit=1) == ["b"]
        self.add(a_job("c", -2 * HOUR, limits=EACH_SECOND))
        assert self.claimed_ids(-HOUR) == ["c"]

    def test_limits_hold_when_the_store_is_opened_again(self) -> None:
        self.add(*[a_job(f"job-{n}", limits=(*TWO, *EACH_SECOND)) for n in range(4)])
        self.claim_one()
        self.open_again()
        assert self.job("job-3").limits == (*TWO, *EACH_SECOND)
        assert self.claim(SECOND - 1, owner="after") == []
        assert len(self.claim(SECOND, owner="after")) == 1

    def test_an_invalid_bound_is_refused(self) -> None:
        for limits in ((Bound("none", 0),), (Bound("", 1),), (Bound("x", 1, -1),), (("x", 1, 0),)):
            with refused(InvalidValue):
                self.store.add([a_job("a", limits=limits)], NOW)
        assert self.everything() == []


class PauseContract(ContractBase):
    def test_nothing_of_a_paused_queue_or_task_is_claimed(self) -> None:
        self.add(a_job("a", queue="mail"), a_job("b", task="app.sms"), a_job("c"))
        assert self.store.pause(["queue:mail", "task:app.sms"]) == ["queue:mail", "task:app.sms"]
        assert self.claimed_ids() == ["c"]
        assert self.store.next_due() is None
        assert self.store.resume(["queue:mail"]) == ["queue:mail"]
        assert self.store.next_due() == NOW
        assert self.claimed_ids() == ["a"]
        assert self.store.resume(["task:app.sms"]) == ["task:app.sms"]
        assert self.claimed_ids() == ["b"]

    def test_pause_and_resume_return_the_names_that_changed(self) -> None:
        assert self.store.pause(["queue:b", "task:a", "queue:b"]) == ["queue:b", "task:a"]
        assert self.store.pause(["queue:b", "queue:c"]) == ["queue:c"]
        assert self.store.paused() == ["queue:b", "queue:c", "task:a"]
        assert self.store.resume(["queue:b", "queue:x"]) == ["queue:b"]
        assert self.store.paused() == ["queue:c", "task:a"]

    def test_a_running_job_goes_on_and_its_retry_is_paused(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one()
        self.store.pause(["queue:default"])
        self.settle(claim, Retried(due_ms=NOW))
        assert self.claim() == []
        self.store.resume(["queue:default"])
        assert self.claimed_ids() == ["a"]

    def test_a_pause_outlives_the_process_that_made_it(self) -> None:
        self.add(a_job("a"))
        self.store.pause(["task:app.work"])
        self.open_again()
        assert self.store.paused() == ["task:app.work"]
        assert self.claim() == []

    def test_paused_jobs_expire(self) -> None:
        self.add(a_job("a", expires_ms=NOW + SECOND), a_job("b", grace_ms=SECOND))
        self.store.pause(["task:app.work"])
        assert self.claim() == []
        self.store.resume(["task:app.work"])
        assert self.claim(2 * SECOND) == []
        assert (self.state("a"), self.state("b")) == (State.EXPIRED, State.EXPIRED)

    def test_invalid_names_are_refused(self) -> None:
        for name in ("", "mail", "queue:", "slot:7", "queue:" + "x" * 300):
            with refused(InvalidValue):
                self.store.pause(["queue:fine", name])
        assert self.store.paused() == []
