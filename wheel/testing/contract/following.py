"""The effect Keep with a next fire: it is added exactly once, in the same atomic step."""

from __future__ import annotations

from ...errors import InvalidValue
from ...job import Crashed, Fire, Job, Retried, State, Succeeded
from ...turn import Effect, End, Keep
from .base import HOUR, NOW, ContractBase, a_job, refused


def a_fire(number: int, **fields: object) -> Job:
    """The fire of an hourly schedule, ``number`` hours from NOW."""
    fire = Fire("hourly", NOW + number * HOUR, "every hour")
    return a_job(f"hourly@{number}", number * HOUR, key="schedule:hourly", fire=fire, **fields)


class FollowContract(ContractBase):
    """Tests of Keep(next=)."""

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

    def test_adding_a_fire_again_returns_the_id_of_the_schedules_next_one(self) -> None:
        self.add(a_fire(0))
        assert self.store.add([a_fire(5)], NOW) == ["hourly@0"]
        claim = self.claim_one()
        assert self.store.add([a_fire(5)], NOW) == ["hourly@0"], "its next fire has not been added yet"
        self.keep(claim, Keep(next=a_fire(1)))
        assert self.store.add([a_fire(5)], NOW) == ["hourly@1"]
