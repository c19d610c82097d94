"""Limits: how many run at once, how many start in a while. Pauses: what is held back altogether."""

from __future__ import annotations

from ...contract import Found
from ...errors import InvalidValue
from ...job import Bound, Crashed, Failed, Failure, Outcome, Released, Retried, Snoozed, State, Succeeded
from .base import HOUR, NOW, SECOND, ContractBase, a_job, refused

TWO = (Bound("two", 2),)
ONE = (Bound("one", 1),)
EACH_SECOND = (Bound("each second", 60, 60 * SECOND),)


class LimitContract(ContractBase):
    """Tests of Job.limits."""

    def test_no_more_run_at_once_than_a_limit_lets(self) -> None:
        self.add(*[a_job(f"job-{n}", limits=TWO) for n in range(5)])
        first, second = self.claim()
        assert self.claim() == []
        self.settle(first, Succeeded())
        assert self.claimed_ids() == ["job-2"]
        self.settle(second, Failed(error=Failure("E", "broken")))
        assert self.claimed_ids() == ["job-3"]

    def test_however_a_run_ends_its_place_is_free(self) -> None:
        outcomes: list[Outcome] = [
            Succeeded(), Failed(error=Failure("E", "broken")), Retried(due_ms=NOW + HOUR), Snoozed(due_ms=NOW + HOUR),
            Crashed(reason="gone"), Released(),
        ]  # fmt: skip
        self.add(*[a_job(f"job-{n}", limits=ONE, max_crashes=1) for n in range(len(outcomes))])
        for n, outcome in enumerate(outcomes):
            claim = self.claim_one()
            assert claim.job.id == f"job-{n}"
            self.settle(claim, outcome)
        assert self.claimed_ids() == [f"job-{len(outcomes) - 1}"], "it was given back"

    def test_a_lapsed_lease_frees_the_place(self) -> None:
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

    def test_those_that_wait_come_in_claim_order_among_the_others(self) -> None:
        self.add(a_job("first", limits=ONE))
        running = self.claim_one()
        self.add(a_job("b", limits=ONE), a_job("c", limits=ONE, priority=5))
        assert self.claim() == []
        self.add(a_job("a", -1), a_job("d", priority=9))
        self.settle(running, Succeeded())
        assert self.claimed_ids() == ["d", "c", "a"]

    def test_one_that_waits_behind_a_limit_keeps_nobody_else_waiting(self) -> None:
        self.add(*[a_job(f"held-{n}", -HOUR, limits=ONE, priority=9) for n in range(20)], a_job("free"))
        assert self.claimed_ids(limit=2) == ["held-0", "free"]

    def test_one_that_waits_may_be_cancelled_moved_and_expire(self) -> None:
        self.add(a_job("runs", limits=ONE))
        running = self.claim_one()
        self.add(*[a_job(id, limits=ONE) for id in ("cancelled", "later", "stays")])
        self.add(a_job("expires", limits=ONE, expires_ms=NOW + SECOND))
        assert self.claim() == []
        assert self.store.cancel(["cancelled"], NOW) == [Found.SCHEDULED]
        assert self.store.reschedule(["later"], NOW + HOUR, NOW)[0] is Found.SCHEDULED
        self.settle(running, Succeeded())
        stays = self.claim_one(2 * SECOND)
        assert (stays.job.id, self.claim(HOUR)) == ("stays", [])
        self.settle(stays, Succeeded())
        assert self.claimed_ids(HOUR) == ["later"]
        assert self.state("expires") is State.EXPIRED

    def test_only_the_queues_that_are_asked_for_come_from_behind_a_limit(self) -> None:
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
        assert self.claimed_ids(5 * SECOND) == ["job-2"], "what was not used is not made up for"
        assert self.claimed_ids(6 * SECOND) == ["job-3"]

    def test_of_a_fast_rate_a_tenth_of_a_second_may_start_together(self) -> None:
        self.add(*[a_job(f"job-{n}", limits=(Bound("fast", 100, SECOND),)) for n in range(40)])
        assert len(self.claim()) == 11, "the one that is due now, and those of the tenth before"
        assert len(self.claim(50)) == 5
        assert len(self.claim(1000)) == 11

    def test_next_due_says_when_a_rate_lets_the_next_one_start(self) -> None:
        self.add(a_job("a", limits=EACH_SECOND), a_job("b", limits=EACH_SECOND))
        self.claim_one()
        assert self.store.next_due() == NOW + SECOND
        self.add(a_job("sooner", 500))
        assert self.store.next_due() == NOW + 500

    def test_next_due_leaves_out_what_waits_for_a_run_to_end(self) -> None:
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

    def test_limits_are_the_same_in_a_store_opened_anew(self) -> None:
        self.add(*[a_job(f"job-{n}", limits=(*TWO, *EACH_SECOND)) for n in range(4)])
        self.claim_one()
        reopened = self.reopen(self.store)
        if reopened is None:
            return
        self._store = reopened
        assert self.job("job-3").limits == (*TWO, *EACH_SECOND)
        assert self.claim(SECOND - 1, owner="after") == []
        assert len(self.claim(SECOND, owner="after")) == 1

    def test_a_bound_that_lets_nothing_through_is_refused(self) -> None:
        for limits in ((Bound("none", 0),), (Bound("", 1),), (Bound("x", 1, -1),), (("x", 1, 0),)):
            with refused(InvalidValue):
                self.store.add([a_job("a", limits=limits)], NOW)
        assert self.everything() == []


class PauseContract(ContractBase):
    """Tests of pause() and resume()."""

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

    def test_to_pause_and_to_resume_says_what_it_has_changed(self) -> None:
        assert self.store.pause(["queue:b", "task:a", "queue:b"]) == ["queue:b", "task:a"]
        assert self.store.pause(["queue:b", "queue:c"]) == ["queue:c"]
        assert self.store.paused() == ["queue:b", "queue:c", "task:a"]
        assert self.store.resume(["queue:b", "queue:x"]) == ["queue:b"]
        assert self.store.paused() == ["queue:c", "task:a"]

    def test_what_runs_goes_on_and_comes_back_paused(self) -> None:
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
        reopened = self.reopen(self.store)
        if reopened is None:
            return
        self._store = reopened
        assert reopened.paused() == ["task:app.work"]
        assert self.claim() == []

    def test_what_expires_while_it_is_paused_does_not_run(self) -> None:
        self.add(a_job("a", expires_ms=NOW + SECOND), a_job("b", grace_ms=SECOND))
        self.store.pause(["task:app.work"])
        assert self.claim() == []
        self.store.resume(["task:app.work"])
        assert self.claim(2 * SECOND) == []
        assert (self.state("a"), self.state("b")) == (State.EXPIRED, State.EXPIRED)

    def test_names_that_are_neither_a_queue_nor_a_task_are_refused(self) -> None:
        for name in ("", "mail", "queue:", "slot:7", "queue:" + "x" * 300):
            with refused(InvalidValue):
                self.store.pause(["queue:fine", name])
        assert self.store.paused() == []
