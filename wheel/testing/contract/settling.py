"""Store.settle: each outcome, and the fence."""

from __future__ import annotations

from ...job import (
    Crashed,
    Failed,
    Failure,
    Outcome,
    Released,
    Retried,
    Skipped,
    Snoozed,
    State,
    Succeeded,
)
from ...turn import Effect, End, Keep, effects
from .base import HOUR, NOW, SECOND, ContractBase, a_job

FAILURE = Failure("app.Broken", 'it "broke"\nünïcödé', "Traceback ...\n  line 1")
OUTCOMES: tuple[Outcome, ...] = (
    Succeeded(returned="1"),
    Failed(error=FAILURE),
    Retried(due_ms=NOW + HOUR),
    Snoozed(due_ms=NOW + HOUR),
    Released(),
    Crashed(reason="killed by SIGSEGV"),
    Skipped(reason="not needed"),
)
"""Those that end a run."""


class SettleContract(ContractBase):
    """Tests of settle()."""

    def test_succeeded_keeps_the_result(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one()
        self.settle(claim, Succeeded(returned='{"n":[1,2.5,null],"\\u00fc":true}'), 5)
        job = self.job("a")
        assert (job.state, job.returned, job.finished_ms) == (
            State.SUCCEEDED,
            '{"n":[1,2.5,null],"\\u00fc":true}',
            NOW + 5,
        )
        assert (job.owner, job.attempt, job.token, job.due_ms, job.error) == (None, 1, claim.token, NOW, None)
        assert self.store.stats(NOW).succeeded == 1
        assert self.claim(HOUR) == []

    def test_failed_keeps_the_error(self) -> None:
        self.add(a_job("a"))
        self.settle(self.claim_one(), Failed(error=FAILURE, reason="no attempt is left"), 5)
        job = self.job("a")
        assert (job.state, job.error, job.reason, job.finished_ms) == (
            State.FAILED,
            FAILURE,
            "no attempt is left",
            NOW + 5,
        )
        assert (job.owner, job.returned) == (None, None)
        assert self.store.stats(NOW).failed == 1
        assert self.claim(HOUR) == []

    def test_retried_is_scheduled_again_and_counts_the_attempt(self) -> None:
        self.add(a_job("a"))
        self.settle(self.claim_one(), Retried(due_ms=NOW + SECOND, error=FAILURE))
        job = self.job("a")
        assert (job.state, job.due_ms, job.attempt, job.error) == (State.SCHEDULED, NOW + SECOND, 1, FAILURE)
        assert (job.owner, job.finished_ms) == (None, None)
        assert self.store.next_due() == NOW + SECOND
        assert self.claim(SECOND - 1) == []
        assert self.claim_one(SECOND).job.attempt == 2

    def test_retried_may_change_the_call_and_where_and_how_long_it_may_run(self) -> None:
        self.add(a_job("a", queue="fast", expires_ms=NOW + HOUR))
        changes = Retried(due_ms=NOW, payload='[["x"],{}]', queue="slow", priority=-5, expires_ms=NOW + 2 * HOUR)
        self.settle(self.claim_one(), changes)
        job = self.job("a")
        assert (job.args, job.queue, job.priority, job.expires_ms) == (("x",), "slow", -5, NOW + 2 * HOUR)
        assert self.claim(queues=["fast"]) == []
        assert [claim.job.id for claim in self.claim(queues=["slow"])] == ["a"]

    def test_snoozed_runs_later_and_does_not_count_the_attempt(self) -> None:
        self.add(a_job("a"))
        self.settle(self.claim_one(), Snoozed(due_ms=NOW + HOUR, reason="too early"))
        job = self.job("a")
        assert (job.state, job.due_ms, job.attempt, job.owner) == (State.SCHEDULED, NOW + HOUR, 0, None)
        assert job.reason == "too early"
        assert self.claim(HOUR - 1) == []
        assert self.claim_one(HOUR).job.attempt == 1

    def test_released_is_due_as_before_and_does_not_count_the_attempt(self) -> None:
        self.add(a_job("a", -5))
        self.settle(self.claim_one(), Released(reason="shutting down"))
        job = self.job("a")
        assert (job.state, job.due_ms, job.attempt, job.owner) == (State.SCHEDULED, NOW - 5, 0, None)
        assert job.reason == "shutting down"
        assert self.store.next_due() == NOW - 5
        assert self.claim_one().job.attempt == 1

    def test_crashed_counts_the_attempt_and_the_crash_and_is_due_as_before(self) -> None:
        self.add(a_job("a", -5))
        self.settle(self.claim_one(), Crashed(reason="killed by SIGSEGV"))
        job = self.job("a")
        assert (job.state, job.due_ms, job.attempt, job.crashes) == (State.SCHEDULED, NOW - 5, 1, 1)
        assert (job.reason, job.owner) == ("killed by SIGSEGV", None)
        assert self.claim_one().job.attempt == 2

    def test_a_job_that_crashes_max_crashes_times_is_set_aside_as_failed(self) -> None:
        self.add(a_job("a", max_crashes=2))
        self.settle(self.claim_one(), Crashed(reason="exited with status 0"))
        self.settle(self.claim_one(), Crashed(reason="killed by SIGSEGV"))
        job = self.job("a")
        assert (job.state, job.crashes, job.attempt, job.reason) == (State.FAILED, 2, 2, "killed by SIGSEGV")
        assert job.error is not None and job.error.type == "WorkerCrashed"
        assert self.claim(HOUR) == []

    def test_a_job_may_go_round_many_times(self) -> None:
        self.add(a_job("a"))
        for number in range(50):
            self.settle(
                self.claim_one(number), (Released(), Retried(due_ms=NOW + number), Snoozed(due_ms=NOW))[number % 3]
            )
        assert self.job("a").attempt == 17
        self.settle(self.claim_one(50), Succeeded())
        assert self.store.stats(NOW).accepted == 1

    def test_a_note_is_kept_and_the_job_goes_on(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one()
        self.keep(claim, Keep(note='{"done":3,"of":"\\u00e4"}'), 5)
        assert self.job("a") == claim.job._replace(note='{"done":3,"of":"\\u00e4"}')
        self.keep(claim, Keep(note="4"))
        self.keep(claim, Keep(reason="it waits"))
        assert (self.job("a").note, self.job("a").reason) == ("4", "it waits")
        self.settle(claim, Retried(due_ms=NOW))
        assert (self.job("a").progress, self.claimed_ids()) == (4, ["a"])

    def test_one_call_may_note_and_settle_the_same_claim(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one()
        three: list[Effect] = [Keep(note="1"), End(State.SUCCEEDED, "2"), Keep(note="3")]
        assert self.store.settle([(claim, effect) for effect in three], NOW) == [claim]
        assert (self.state("a"), self.job("a").note, self.job("a").returned) == (State.SUCCEEDED, "1", "2")

    def test_one_call_settles_many_each_in_its_own_way(self) -> None:
        self.add(*[a_job(f"job-{number}", number - 50) for number in range(len(OUTCOMES))])
        claims = self.claim()
        assert self.store.settle(effects(list(zip(claims, OUTCOMES, strict=True))), NOW) == []
        assert [self.state(claim.job.id) for claim in claims] == [
            State.SUCCEEDED,
            State.FAILED,
            State.SCHEDULED,
            State.SCHEDULED,
            State.SCHEDULED,
            State.SCHEDULED,
            State.CANCELLED,
        ]
        assert self.claimed_ids() == ["job-4", "job-5"]

    def test_settling_nothing_is_nothing(self) -> None:
        assert self.store.settle(effects([]), NOW) == []

    # ---- the fence ---------------------------------------------------------------------------------------

    def test_only_the_newest_claim_may_settle_and_a_lost_one_changes_nothing(self) -> None:
        self.add(a_job("a"))
        older = self.claim_one()
        self.settle(older, Released())
        newer = self.claim_one()
        for outcome in OUTCOMES:
            assert self.store.settle(effects([(older, outcome)]), NOW) == [older]
            assert self.job("a") == newer.job
        self.settle(newer, Succeeded())

    def test_a_claim_can_be_settled_once(self) -> None:
        for outcome in OUTCOMES:
            id = type(outcome).__name__
            self.add(a_job(id))
            claim = self.claim_one(queues=None, limit=1)
            self.settle(claim, outcome)
            settled = self.job(id)
            for again in OUTCOMES:
                assert self.store.settle(effects([(claim, again)]), NOW + 1) == [claim]
                assert self.job(id) == settled
            self.store.cancel([id], NOW)

    def test_a_token_that_was_never_given_is_lost(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one()
        for token in (claim.token + 1, claim.token - 1, 0, -1):
            forged = claim._replace(token=token)
            assert self.store.settle(effects([(forged, Succeeded())]), NOW) == [forged]
        assert self.job("a") == claim.job

    def test_a_claim_of_a_job_that_is_not_there_is_lost(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one()
        stray = claim._replace(job=a_job("unknown"))
        assert self.store.settle(effects([(stray, Succeeded())]), NOW) == [stray]
        assert self.store.get(["unknown"])[0] is None

    def test_the_fence_is_for_each_item_by_itself(self) -> None:
        self.add(a_job("a"), a_job("b"), a_job("c"))
        a, b, c = self.claim()
        self.settle(b, Released())
        newer = self.claim_one()
        assert self.store.settle(effects([(a, Succeeded()), (b, Succeeded()), (c, Failed(error=FAILURE))]), NOW) == [b]
        assert (self.state("a"), self.job("b"), self.state("c")) == (State.SUCCEEDED, newer.job, State.FAILED)

    def test_of_one_claim_twice_in_one_call_the_first_holds(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one()
        assert self.store.settle(effects([(claim, Succeeded(returned="1")), (claim, Released())]), NOW) == [claim]
        assert (self.state("a"), self.job("a").returned) == (State.SUCCEEDED, "1")

    # ---- keys --------------------------------------------------------------------------------------------

    def test_a_job_that_is_to_run_again_keeps_its_key(self) -> None:
        self.add(a_job("a", key="k"))
        for outcome in (Retried(due_ms=NOW), Snoozed(due_ms=NOW), Released()):
            self.settle(self.claim_one(), outcome)
            assert self.store.add([a_job("b", key="k")], NOW) == ["a"]
