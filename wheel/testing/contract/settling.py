"""Store.settle: each outcome, the fencing by tokens, and Keep with the next fire of a schedule."""

from __future__ import annotations

from ...contract import Filter
from ...errors import InvalidValue
from ...job import Crashed, Failed, Failure, Fire, Job, Outcome, Released, Retried, Skipped, Snoozed, State, Succeeded
from ...turn import Again, Effect, End, Keep, effects
from .base import AGAIN, HOUR, NOW, SECOND, ContractBase, a_job, refused

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
"""One of each kind."""


def a_fire(number: int, **fields: object) -> Job:
    """The fire of an hourly schedule, ``number`` hours from NOW."""
    fire = Fire("hourly", NOW + number * HOUR, "every hour")
    return a_job(f"hourly@{number}", number * HOUR, key="schedule:hourly", fire=fire, **fields)


class SettleContract(ContractBase):
    def test_succeeded_keeps_the_result(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one()
        self.settle(claim, Succeeded(returned='{"n":[1,2.5,null],"\\u00fc":true}'), 5)
        self.assert_job(
            "a",
            state=State.SUCCEEDED,
            returned='{"n":[1,2.5,null],"\\u00fc":true}',
            finished_ms=NOW + 5,
            owner=None,
            attempt=1,
            token=claim.token,
            due_ms=NOW,
            error=None,
        )
        assert self.store.stats(NOW).succeeded == 1
        assert self.claim(HOUR) == []

    def test_failed_keeps_the_error(self) -> None:
        self.add(a_job("a"))
        self.settle(self.claim_one(), Failed(error=FAILURE, reason="no attempt is left"), 5)
        self.assert_job(
            "a",
            state=State.FAILED,
            error=FAILURE,
            reason="no attempt is left",
            finished_ms=NOW + 5,
            owner=None,
            returned=None,
        )
        assert self.store.stats(NOW).failed == 1
        assert self.claim(HOUR) == []

    def test_retried_is_scheduled_again_and_counts_the_attempt(self) -> None:
        self.add(a_job("a"))
        self.settle(self.claim_one(), Retried(due_ms=NOW + SECOND, error=FAILURE))
        self.assert_job(
            "a", state=State.SCHEDULED, due_ms=NOW + SECOND, attempt=1, error=FAILURE, owner=None, finished_ms=None
        )
        assert self.store.next_due() == NOW + SECOND
        assert self.claim(SECOND - 1) == []
        assert self.claim_one(SECOND).job.attempt == 2

    def test_retried_may_change_payload_queue_priority_and_expires(self) -> None:
        self.add(a_job("a", queue="fast", expires_ms=NOW + HOUR))
        changes = Retried(due_ms=NOW, payload='[["x"],{}]', queue="slow", priority=-5, expires_ms=NOW + 2 * HOUR)
        self.settle(self.claim_one(), changes)
        self.assert_job("a", args=("x",), queue="slow", priority=-5, expires_ms=NOW + 2 * HOUR)
        assert self.claim(queues=["fast"]) == []
        assert self.claimed_ids(queues=["slow"]) == ["a"]

    def test_snoozed_runs_later_and_does_not_count_the_attempt(self) -> None:
        self.add(a_job("a"))
        self.settle(self.claim_one(), Snoozed(due_ms=NOW + HOUR, reason="too early"))
        self.assert_job("a", state=State.SCHEDULED, due_ms=NOW + HOUR, attempt=0, owner=None, reason="too early")
        assert self.claim(HOUR - 1) == []
        assert self.claim_one(HOUR).job.attempt == 1

    def test_released_is_due_as_before_and_does_not_count_the_attempt(self) -> None:
        self.add(a_job("a", -5))
        self.settle(self.claim_one(), Released(reason="shutting down"))
        self.assert_job("a", state=State.SCHEDULED, due_ms=NOW - 5, attempt=0, owner=None, reason="shutting down")
        assert self.store.next_due() == NOW - 5
        assert self.claim_one().job.attempt == 1

    def test_crashed_counts_the_attempt_and_the_crash_and_is_due_as_before(self) -> None:
        self.add(a_job("a", -5))
        self.settle(self.claim_one(), Crashed(reason="killed by SIGSEGV"))
        self.assert_job(
            "a", state=State.SCHEDULED, due_ms=NOW - 5, attempt=1, crashes=1, reason="killed by SIGSEGV", owner=None
        )
        assert self.claim_one().job.attempt == 2

    def test_a_job_that_crashes_max_crashes_times_is_set_aside_as_failed(self) -> None:
        self.add(a_job("a", max_crashes=2))
        self.settle(self.claim_one(), Crashed(reason="exited with status 0"))
        self.settle(self.claim_one(), Crashed(reason="killed by SIGSEGV"))
        self.assert_job("a", state=State.FAILED, crashes=2, attempt=2, reason="killed by SIGSEGV")
        error = self.job("a").error
        assert error is not None and error.type == "WorkerCrashed"
        assert self.claim(HOUR) == []

    def test_a_job_may_be_scheduled_again_many_times(self) -> None:
        self.add(a_job("a"))
        for number in range(50):
            self.settle(
                self.claim_one(number), (Released(), Retried(due_ms=NOW + number), Snoozed(due_ms=NOW))[number % 3]
            )
        assert self.job("a").attempt == 17
        self.settle(self.claim_one(50), Succeeded())
        assert self.store.stats(NOW).accepted == 1

    def test_a_note_is_kept_and_the_job_runs_on(self) -> None:
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

    def test_one_call_settles_claims_with_different_outcomes(self) -> None:
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

    # ---- fencing -----------------------------------------------------------------------------------------

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

    def test_a_claim_with_a_forged_token_is_lost(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one()
        for token in (claim.token + 1, claim.token - 1, 0, -1):
            forged = claim._replace(token=token)
            assert self.store.settle(effects([(forged, Succeeded())]), NOW) == [forged]
        assert self.job("a") == claim.job

    def test_a_claim_of_an_unknown_job_is_lost(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one()
        stray = claim._replace(job=a_job("unknown"))
        assert self.store.settle(effects([(stray, Succeeded())]), NOW) == [stray]
        assert self.store.get(["unknown"]) == [None]

    def test_each_claim_of_a_call_is_fenced_by_itself(self) -> None:
        self.add(a_job("a"), a_job("b"), a_job("c"))
        a, b, c = self.claim()
        self.settle(b, Released())
        newer = self.claim_one()
        assert self.store.settle(effects([(a, Succeeded()), (b, Succeeded()), (c, Failed(error=FAILURE))]), NOW) == [b]
        assert (self.state("a"), self.job("b"), self.state("c")) == (State.SUCCEEDED, newer.job, State.FAILED)

    def test_if_a_call_settles_a_claim_twice_the_first_counts(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one()
        assert self.store.settle(effects([(claim, Succeeded(returned="1")), (claim, Released())]), NOW) == [claim]
        assert (self.state("a"), self.job("a").returned) == (State.SUCCEEDED, "1")

    # ---- keys --------------------------------------------------------------------------------------------

    def test_a_job_that_is_to_run_again_keeps_its_key(self) -> None:
        self.add(a_job("a", key="k"))
        for outcome in AGAIN:
            self.settle(self.claim_one(), outcome)
            assert self.store.add([a_job("b", key="k")], NOW) == ["a"]

    # ---- the next fire of a schedule ---------------------------------------------------------------------

    def test_the_next_fire_is_added_and_this_one_runs_on(self) -> None:
        self.add(a_fire(0))
        claim = self.claim_one()
        self.keep(claim, Keep(next=a_fire(1), missed=3))
        assert self.job("hourly@1") == a_fire(1)
        self.assert_job(
            "hourly@0",
            state=State.RUNNING,
            token=claim.token,
            key=None,
            fire=Fire("hourly", NOW, "every hour", followed=True, missed=3),
        )
        self.settle(claim, Succeeded(returned="7"))
        assert self.claimed_ids(HOUR) == ["hourly@1"]

    def test_one_call_may_add_the_next_fire_and_settle(self) -> None:
        self.add(a_fire(0))
        claim = self.claim_one()
        both: list[Effect] = [Keep(next=a_fire(1)), Keep(note="1"), End(State.SUCCEEDED, "null")]
        assert self.store.settle([(claim, effect) for effect in both], NOW) == []
        assert (self.state("hourly@0"), self.state("hourly@1")) == (State.SUCCEEDED, State.SCHEDULED)

    def test_the_next_fire_does_not_take_a_key_that_a_newer_job_holds(self) -> None:
        self.add(a_fire(0))
        claim = self.claim_one()
        self.store.add([a_job("newer", 2 * HOUR, key="schedule:hourly")], NOW, on_conflict="replace")
        self.keep(claim, Keep(next=a_job("next", HOUR, fire=a_fire(1).fire)))
        assert self.store.add([a_job("another", key="schedule:hourly")], NOW) == ["newer"]

    def test_a_next_fire_whose_key_a_newer_job_holds_is_not_added(self) -> None:
        """A schedule that is changed while a fire of it is claimed would have had two next fires, for ever."""
        self.add(a_fire(0))
        claim = self.claim_one()
        self.store.add([a_fire(2)], NOW, on_conflict="replace")
        self.keep(claim, Keep(next=a_fire(1)))
        assert self.store.get(["hourly@1"]) == [None]
        assert [job.id for job in self.store.scan(Filter(key="schedule:hourly"))] == ["hourly@2"]
        self.settle(claim, Succeeded())
        assert self.claimed_ids(3 * HOUR) == ["hourly@2"]

    def test_the_key_of_a_fire_that_was_followed_is_free(self) -> None:
        self.add(a_fire(0))
        self.keep(self.claim_one(), Keep(next=a_fire(1)._replace(key=None)))
        assert self.store.add([a_job("another", key="schedule:hourly")], NOW) == ["another"]

    def test_a_fire_without_a_key_is_followed_too(self) -> None:
        self.add(a_fire(0)._replace(key=None))
        claim = self.claim_one()
        self.keep(claim, Keep(next=a_fire(1)._replace(key=None)))
        self.settle(claim, Succeeded())
        assert self.claimed_ids(HOUR) == ["hourly@1"]

    def test_only_the_first_next_fire_of_a_job_is_added(self) -> None:
        self.add(a_fire(0))
        claim = self.claim_one()
        self.keep(claim, Keep(next=a_fire(1)))
        self.keep(claim, Keep(next=a_fire(2)))
        assert self.store.get(["hourly@2"]) == [None]

    def test_of_two_next_fires_in_one_call_the_first_is_added(self) -> None:
        self.add(a_fire(0))
        claim = self.claim_one()
        assert self.store.settle([(claim, Keep(next=a_fire(number))) for number in (1, 2)], NOW) == []
        assert [job.id for job in self.everything()] == ["hourly@0", "hourly@1"]

    def test_a_fire_that_is_run_again_adds_no_other_next_fire(self) -> None:
        self.add(a_fire(0, max_crashes=5))
        for outcome in (Retried(due_ms=NOW), Crashed(reason="gone"), Retried(due_ms=NOW)):
            claim = self.claim_one()
            self.keep(claim, Keep(next=a_fire(1 if claim.job.attempt == 1 else 9)))
            self.settle(claim, outcome)
        assert [job.id for job in self.everything()] == ["hourly@0", "hourly@1"]
        assert self.state("hourly@0") is State.SCHEDULED, (
            "the key has passed to the next fire, so nothing supersedes it"
        )

    def test_a_lost_claim_adds_no_next_fire(self) -> None:
        self.take_leased_store()
        self.add(a_fire(0))
        lost = self.claim_one()
        later = self.lapse(NOW)
        (claim,) = self.store.claim("you", later, 10)
        assert self.store.settle([(lost, Keep(next=a_fire(1)))], later) == [lost]
        assert self.store.get(["hourly@1"]) == [None]
        assert self.store.settle([(claim, Keep(next=a_fire(1)))], later) == []
        assert self.state("hourly@1") is State.SCHEDULED

    def test_a_next_fire_whose_id_is_in_the_store_is_left_unchanged(self) -> None:
        self.add(a_fire(0), a_job("hourly@1", 5))
        claim = self.claim_one(limit=1)
        self.keep(claim, Keep(next=a_fire(1)))
        assert self.job("hourly@1") == a_job("hourly@1", 5)

    def test_a_job_of_no_schedule_adds_no_next_fire(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one()
        self.keep(claim, Keep(next=a_fire(1)))
        assert self.store.get(["hourly@1"]) == [None]

    def test_an_invalid_next_fire_is_refused_and_nothing_changes(self) -> None:
        self.add(a_fire(0))
        claim = self.claim_one()
        with refused(InvalidValue):
            self.store.settle([(claim, Keep(next=a_fire(1)._replace(attempt=-1))), (claim, End(State.SUCCEEDED))], NOW)
        assert self.state("hourly@0") is State.RUNNING

    def test_an_effect_that_could_not_be_read_back_is_refused_and_nothing_changes(self) -> None:
        self.add(a_job("a"))
        claim = self.claim_one()
        odd: tuple[Effect, ...] = (
            End(State.SUCCEEDED),
            End(State.SUCCEEDED, "no JSON"),
            End(State.SUCCEEDED, "[1,\n2]"),
            End(State.SUCCEEDED, '"\u00e9"'),
            End(State.FAILED, changes={"error": "broken"}),
            Again(-1),
            Again(NOW, {"attempt": -1}),
            Again(NOW, {"queue": ""}),
            Again(NOW, {"token": 7}),
            Keep(note="no JSON"),
            Keep(reason=7),  # type: ignore[arg-type]
        )
        for effect in odd:
            with refused(InvalidValue):
                self.store.settle([(claim, effect)], NOW)
        assert self.state("a") is State.RUNNING

    def test_adding_a_fire_again_returns_the_id_of_the_schedules_next_one(self) -> None:
        self.add(a_fire(0))
        assert self.store.add([a_fire(5)], NOW) == ["hourly@0"]
        claim = self.claim_one()
        assert self.store.add([a_fire(5)], NOW) == ["hourly@0"], "its next fire has not been added yet"
        self.keep(claim, Keep(next=a_fire(1)))
        assert self.store.add([a_fire(5)], NOW) == ["hourly@1"]
