"""Store.cancel and Store.reschedule: they say how they found the job, and only a scheduled one is changed."""

from __future__ import annotations

from ...contract import Density, Found
from ...errors import DuplicateJob
from ...job import Claim, Failed, Failure, Outcome, Released, Retried, Snoozed, State, Succeeded
from ...turn import effects
from .base import HOUR, NOW, SECOND, ContractBase, a_job, refused


class ChangeContract(ContractBase):
    """Tests of cancel() and reschedule()."""

    def one_of_each(self) -> tuple[Claim, Claim]:
        """Jobs "scheduled" (in an hour), "running" and "finished"; the claims of the last two."""
        self.add(a_job("finished"), a_job("running"), a_job("scheduled", HOUR))
        finished, running = self.claim()
        self.settle(finished, Succeeded(returned="1"))
        return running, finished

    # ---- cancel ------------------------------------------------------------------------------------------

    def test_cancel_says_how_it_found_each_and_ends_only_the_scheduled(self) -> None:
        running, _ = self.one_of_each()
        finished = self.job("finished")
        found = self.store.cancel(["unknown", "finished", "scheduled", "running"], NOW + 5, reason="changed my mind")
        assert found == [Found.UNKNOWN, Found.FINISHED, Found.SCHEDULED, Found.RUNNING]
        job = self.job("scheduled")
        assert (job.state, job.finished_ms, job.reason) == (State.CANCELLED, NOW + 5, "changed my mind")
        asked = running.job._replace(cancel_ms=NOW + 5, reason="changed my mind")
        assert (self.job("running"), self.job("finished")) == (asked, finished)
        assert self.store.stats(NOW).cancelled == 1
        self.settle(running, Succeeded())
        assert (self.state("running"), self.job("running").cancel_ms) == (State.SUCCEEDED, None)

    def test_a_cancelled_job_never_runs(self) -> None:
        self.add(a_job("waits", SECOND), a_job("due"), a_job("other", priority=1))
        assert self.claimed_ids(limit=1) == ["other"]
        assert self.store.cancel(["waits", "due"], NOW) == [Found.SCHEDULED, Found.SCHEDULED]
        assert self.claim(HOUR) == []
        assert self.store.next_due() is None

    def test_a_cancelled_job_stays_cancelled(self) -> None:
        self.add(a_job("a"))
        assert self.store.cancel(["a"], NOW, reason="first") == [Found.SCHEDULED]
        assert self.store.cancel(["a"], NOW + 9, reason="second") == [Found.FINISHED]
        assert (self.job("a").reason, self.job("a").finished_ms) == ("first", NOW)
        assert self.store.reschedule(["a"], NOW, NOW)[0] is Found.FINISHED

    def test_an_id_twice_in_one_call_is_cancelled_once(self) -> None:
        self.add(a_job("a"))
        first, second = self.store.cancel(["a", "a"], NOW)
        assert (first, second) == (Found.SCHEDULED, Found.FINISHED)
        assert self.store.stats(NOW).cancelled == 1

    def test_cancelling_nothing_is_nothing(self) -> None:
        assert self.store.cancel([], NOW) == []

    def test_a_running_job_that_was_cancelled_ends_as_cancelled_instead_of_running_again(self) -> None:
        outcomes: list[Outcome] = [Retried(due_ms=NOW), Snoozed(due_ms=NOW), Released()]
        for number, outcome in enumerate(outcomes):
            self.add(a_job(f"job-{number}", key="k"))
            claim = self.claim_one()
            assert self.store.cancel([claim.job.id], NOW + 1, reason="enough") == [Found.RUNNING]
            assert self.store.cancel([claim.job.id], NOW + 2, reason="still") == [Found.RUNNING]
            self.settle(claim, outcome, 3)
            job = self.job(claim.job.id)
            assert (job.state, job.reason, job.finished_ms) == (State.CANCELLED, "enough", NOW + 3)
            assert (job.cancel_ms, job.owner) == (None, None)
        assert self.claim() == []
        assert self.store.stats(NOW).cancelled == 3

    # ---- reschedule --------------------------------------------------------------------------------------

    def test_reschedule_says_how_it_found_the_job_and_moves_only_a_scheduled_one(self) -> None:
        running, _ = self.one_of_each()
        finished = self.job("finished")
        for id, found in (
            ("unknown", Found.UNKNOWN),
            ("finished", Found.FINISHED),
            ("running", Found.RUNNING),
            ("scheduled", Found.SCHEDULED),
        ):
            assert self.store.reschedule([id], NOW + 2 * HOUR, NOW)[0] is found
        assert self.job("scheduled") == a_job("scheduled", 2 * HOUR)
        assert (self.job("running"), self.job("finished"), self.store.get(["unknown"])[0]) == (
            running.job,
            finished,
            None,
        )

    def test_a_job_moved_later_waits_and_one_moved_earlier_runs(self) -> None:
        self.add(a_job("later", SECOND), a_job("earlier", HOUR))
        self.store.reschedule(["later"], NOW + 2 * HOUR, NOW)[0]
        self.store.reschedule(["earlier"], NOW + 2, NOW)[0]
        assert self.store.next_due() == NOW + 2
        assert self.claimed_ids(1) == []
        assert self.claimed_ids(2 * HOUR - 1) == ["earlier"]
        assert self.store.next_due() == NOW + 2 * HOUR
        assert self.claimed_ids(2 * HOUR) == ["later"]

    def test_a_job_that_was_due_already_can_be_moved_away(self) -> None:
        self.add(a_job("a"), a_job("b"))
        assert self.claimed_ids(limit=1) == ["a"]
        assert self.store.reschedule(["b"], NOW + HOUR, NOW)[0] is Found.SCHEDULED
        assert self.claim(HOUR - 1) == []
        assert self.claimed_ids(HOUR) == ["b"]

    def test_a_job_that_was_moved_to_and_fro_is_claimed_once(self) -> None:
        self.add(a_job("a"), a_job("b"), a_job("c", HOUR))
        assert self.claimed_ids(limit=1) == ["a"]
        for due_ms in (NOW, NOW + HOUR, NOW, NOW, NOW + SECOND, NOW):
            assert self.store.reschedule(["b"], due_ms, NOW)[0] is Found.SCHEDULED
            assert self.store.reschedule(["c"], due_ms, NOW)[0] is Found.SCHEDULED
            assert self.claim(limit=0) == []
        assert self.claimed_ids() == ["b", "c"]
        assert self.claim(HOUR) == []

    def test_a_job_that_was_moved_to_and_fro_is_counted_once(self) -> None:
        self.add(a_job("a"), a_job("b"))
        assert self.claimed_ids(limit=1) == ["a"]
        for due_ms in (NOW, NOW + SECOND, NOW):
            self.store.reschedule(["b"], due_ms, NOW)[0]
        assert self.store.stats(NOW).overdue == self.store.stats(NOW).scheduled == 1
        if isinstance(self.store, Density):
            assert sum(self.store.density(NOW)) == 1

    def test_moving_a_job_keeps_everything_else_of_it(self) -> None:
        job = a_job("a", 5, priority=4, key="k", queue="q", payload='[["x"],{}]', expires_ms=NOW + 2 * HOUR)
        self.add(job)
        self.store.reschedule(["a"], NOW + HOUR, NOW)[0]
        assert self.job("a") == job._replace(due_ms=NOW + HOUR)
        assert self.store.add([a_job("b", key="k")], NOW) == ["a"]

    # ---- once more ---------------------------------------------------------------------------------------

    def test_a_finished_job_runs_once_more_if_it_is_told_to(self) -> None:
        outcomes: list[Outcome] = [Succeeded(returned="1"), Failed(error=Failure("E", "no"))]
        for number, outcome in enumerate(outcomes):
            id = f"job-{number}"
            self.add(a_job(id, key=id))
            self.settle(self.claim_one(), outcome)
            before = self.job(id)
            assert self.store.revive([id], NOW + SECOND, NOW + 5)[0] is Found.FINISHED
            job = self.job(id)
            assert (job.state, job.due_ms, job.attempt, job.crashes) == (State.SCHEDULED, NOW + SECOND, 0, 0)
            assert (job.finished_ms, job.returned, job.error) == (None, None, before.error)
            assert self.store.stats(NOW).succeeded == self.store.stats(NOW).failed == 0
            assert self.store.add([a_job("other", key=id)], NOW) == [id]
            assert self.claim() == []
            (again,) = self.claim(SECOND)
            assert (again.job.id, again.job.attempt) == (id, 1) and again.token > before.token
            assert self.store.cancel([id], NOW) == [Found.RUNNING]
            self.settle(again, Released())
            self.store.cancel([id], NOW)
            assert self.store.stats(NOW).cancelled == number + 1

    def test_a_cancelled_job_runs_once_more_if_it_is_told_to(self) -> None:
        self.add(a_job("a"))
        self.store.cancel(["a"], NOW)
        self.store.revive(["a"], NOW, NOW)[0]
        assert self.claimed_ids() == ["a"]

    def test_revive_says_where_it_found_each_and_changes_only_what_has_finished(self) -> None:
        running, _ = self.one_of_each()
        found = self.store.revive(["scheduled", "running", "unknown", "finished"], NOW + 7, NOW)
        assert found == [Found.SCHEDULED, Found.RUNNING, Found.UNKNOWN, Found.FINISHED]
        assert (self.job("scheduled").due_ms, self.job("finished").due_ms) == (NOW + HOUR, NOW + 7)
        assert self.job("running") == running.job

    def test_two_finished_jobs_with_one_key_cannot_both_run_once_more(self) -> None:
        for id in ("a", "b"):
            self.add(a_job(id, key="k"))
            self.settle(self.claim_one(), Succeeded())
        with refused(DuplicateJob):
            self.store.revive(["a", "b"], NOW, NOW)
        assert [job.state for job in self.everything()] == [State.SUCCEEDED, State.SUCCEEDED]

    def test_several_are_moved_in_one_call(self) -> None:
        self.one_of_each()
        self.add(a_job("other", HOUR))
        found = self.store.reschedule(["scheduled", "running", "other", "unknown"], NOW + 5, NOW)
        assert found == [Found.SCHEDULED, Found.RUNNING, Found.SCHEDULED, Found.UNKNOWN]
        assert self.claimed_ids(5) == ["other", "scheduled"]

    def test_a_running_job_that_was_replaced_has_its_key_again_when_the_newer_one_has_ended(self) -> None:
        self.add(a_job("old", key="k"))
        old = self.claim_one()
        assert self.store.add([a_job("new", HOUR, key="k")], NOW, on_conflict="replace") == ["new"]
        assert self.store.add([a_job("other", key="k")], NOW) == ["new"]
        self.store.cancel(["new"], NOW)
        assert self.store.add([a_job("other", key="k")], NOW) == ["old"]
        self.settle(old, Retried(due_ms=NOW + 5))
        assert self.state("old") is State.SCHEDULED

    def test_a_finished_job_cannot_run_once_more_while_another_holds_its_key(self) -> None:
        self.add(a_job("a", key="k"))
        self.settle(self.claim_one(), Succeeded())
        finished = self.job("a")
        self.add(a_job("b", key="k"))
        with refused(DuplicateJob):
            self.store.revive(["a"], NOW, NOW)[0]
        assert self.job("a") == finished

    def test_the_claim_of_an_earlier_life_settles_nothing(self) -> None:
        self.add(a_job("a"))
        old = self.claim_one()
        self.settle(old, Succeeded())
        self.store.revive(["a"], NOW, NOW)[0]
        self.claim_one()
        assert self.store.settle(effects([(old, Succeeded())]), NOW) == [old]
