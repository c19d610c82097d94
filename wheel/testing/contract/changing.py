"""Store.cancel, reschedule, revive and forget, which return where they found each job; and tidy."""

from __future__ import annotations

from ...clock import MAX_MS
from ...contract import Density, Filter, Found
from ...errors import DuplicateJob, InvalidValue
from ...job import After, Claim, Failed, Failure, Outcome, Released, Retried, State, Succeeded
from ...turn import effects
from .base import AGAIN, HOUR, NOW, SECOND, ContractBase, a_job, refused


class ChangeContract(ContractBase):
    def one_of_each(self) -> tuple[Claim, Claim]:
        """Add jobs "scheduled" (in an hour), "running" and "finished". Returns the claims of the last two."""
        self.add(a_job("finished"), a_job("running"), a_job("scheduled", HOUR))
        finished, running = self.claim()
        self.settle(finished, Succeeded(returned="1"))
        return running, finished

    # ---- cancel ------------------------------------------------------------------------------------------

    def test_cancel_returns_where_it_found_each_job_and_ends_only_scheduled_ones(self) -> None:
        running, _ = self.one_of_each()
        finished = self.job("finished")
        found = self.store.cancel(["unknown", "finished", "scheduled", "running"], NOW + 5, reason="changed my mind")
        assert found == [Found.UNKNOWN, Found.FINISHED, Found.SCHEDULED, Found.RUNNING]
        self.assert_job("scheduled", state=State.CANCELLED, finished_ms=NOW + 5, reason="changed my mind")
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
        assert self.store.reschedule(["a"], NOW, NOW) == [Found.FINISHED]

    def test_an_id_twice_in_one_call_is_cancelled_once(self) -> None:
        self.add(a_job("a"))
        first, second = self.store.cancel(["a", "a"], NOW)
        assert (first, second) == (Found.SCHEDULED, Found.FINISHED)
        assert self.store.stats(NOW).cancelled == 1

    def test_a_running_job_that_was_cancelled_ends_as_cancelled_instead_of_running_again(self) -> None:
        for number, outcome in enumerate(AGAIN):
            self.add(a_job(f"job-{number}", key="k"))
            claim = self.claim_one()
            assert self.store.cancel([claim.job.id], NOW + 1, reason="enough") == [Found.RUNNING]
            assert self.store.cancel([claim.job.id], NOW + 2, reason="still") == [Found.RUNNING]
            self.settle(claim, outcome, 3)
            self.assert_job(
                claim.job.id, state=State.CANCELLED, reason="enough", finished_ms=NOW + 3, cancel_ms=None, owner=None
            )
        assert self.claim() == []
        assert self.store.stats(NOW).cancelled == 3

    # ---- reschedule --------------------------------------------------------------------------------------

    def test_reschedule_returns_where_it_found_each_job_and_moves_only_scheduled_ones(self) -> None:
        running, _ = self.one_of_each()
        finished = self.job("finished")
        found = self.store.reschedule(["unknown", "finished", "running", "scheduled"], NOW + 2 * HOUR, NOW)
        assert found == [Found.UNKNOWN, Found.FINISHED, Found.RUNNING, Found.SCHEDULED]
        jobs = [None, finished, running.job, a_job("scheduled", 2 * HOUR)]
        assert self.store.get(["unknown", "finished", "running", "scheduled"]) == jobs

    def test_a_job_moved_later_waits_and_one_moved_earlier_runs(self) -> None:
        self.add(a_job("later", SECOND), a_job("earlier", HOUR))
        self.store.reschedule(["later"], NOW + 2 * HOUR, NOW)
        self.store.reschedule(["earlier"], NOW + 2, NOW)
        assert self.store.next_due() == NOW + 2
        assert self.claimed_ids(1) == []
        assert self.claimed_ids(2 * HOUR - 1) == ["earlier"]
        assert self.store.next_due() == NOW + 2 * HOUR
        assert self.claimed_ids(2 * HOUR) == ["later"]

    def test_an_instant_at_which_no_job_can_be_due_is_refused_and_nothing_changes(self) -> None:
        self.add(a_job("waits", HOUR), a_job("over"))
        self.settle(self.claim_one(), Succeeded())
        before = self.everything()
        for odd in (-1, MAX_MS + 1, 10**30, NOW + 0.5, True, "soon", None):
            for verb, id in ((self.store.reschedule, "waits"), (self.store.revive, "over")):
                with refused(InvalidValue):
                    verb([id], odd, NOW)  # type: ignore[arg-type]
        assert self.everything() == before

    def test_a_job_that_was_due_already_can_be_moved_away(self) -> None:
        self.add(a_job("a"), a_job("b"))
        assert self.claimed_ids(limit=1) == ["a"]
        assert self.store.reschedule(["b"], NOW + HOUR, NOW) == [Found.SCHEDULED]
        assert self.claim(HOUR - 1) == []
        assert self.claimed_ids(HOUR) == ["b"]

    def test_a_job_that_was_moved_back_and_forth_is_claimed_once(self) -> None:
        self.add(a_job("a"), a_job("b"), a_job("c", HOUR))
        assert self.claimed_ids(limit=1) == ["a"]
        for due_ms in (NOW, NOW + HOUR, NOW, NOW, NOW + SECOND, NOW):
            assert self.store.reschedule(["b"], due_ms, NOW) == [Found.SCHEDULED]
            assert self.store.reschedule(["c"], due_ms, NOW) == [Found.SCHEDULED]
            assert self.claim(limit=0) == []
        assert self.claimed_ids() == ["b", "c"]
        assert self.claim(HOUR) == []

    def test_a_job_that_was_moved_back_and_forth_is_counted_once(self) -> None:
        self.add(a_job("a"), a_job("b"))
        assert self.claimed_ids(limit=1) == ["a"]
        for due_ms in (NOW, NOW + SECOND, NOW):
            self.store.reschedule(["b"], due_ms, NOW)
        assert self.store.stats(NOW).overdue == self.store.stats(NOW).scheduled == 1
        if isinstance(self.store, Density):
            assert sum(self.store.density(NOW)) == 1

    def test_moving_a_job_changes_no_other_field(self) -> None:
        job = a_job("a", 5, priority=4, key="k", queue="q", payload='[["x"],{}]', expires_ms=NOW + 2 * HOUR)
        self.add(job)
        self.store.reschedule(["a"], NOW + HOUR, NOW)
        assert self.job("a") == job._replace(due_ms=NOW + HOUR)
        assert self.store.add([a_job("b", key="k")], NOW) == ["a"]

    # ---- revive ------------------------------------------------------------------------------------------

    def test_a_revived_job_runs_as_if_it_had_never_run(self) -> None:
        outcomes: list[Outcome] = [Succeeded(returned="1"), Failed(error=Failure("E", "no"))]
        for number, outcome in enumerate(outcomes):
            id = f"job-{number}"
            self.add(a_job(id, key=id))
            self.settle(self.claim_one(), outcome)
            before = self.job(id)
            assert self.store.revive([id], NOW + SECOND, NOW + 5) == [Found.FINISHED]
            self.assert_job(
                id,
                state=State.SCHEDULED,
                due_ms=NOW + SECOND,
                attempt=0,
                crashes=0,
                finished_ms=None,
                returned=None,
                error=before.error,
            )
            assert self.store.stats(NOW).succeeded == self.store.stats(NOW).failed == 0
            assert self.store.add([a_job("other", key=id)], NOW) == [id]
            assert self.claim() == []
            (again,) = self.claim(SECOND)
            assert (again.job.id, again.job.attempt) == (id, 1) and again.token > before.token
            assert self.store.cancel([id], NOW) == [Found.RUNNING]
            self.settle(again, Released())
            self.store.cancel([id], NOW)
            assert self.store.stats(NOW).cancelled == number + 1

    def test_a_cancelled_job_can_be_revived(self) -> None:
        self.add(a_job("a"))
        self.store.cancel(["a"], NOW)
        self.store.revive(["a"], NOW, NOW)
        assert self.claimed_ids() == ["a"]

    def test_revive_returns_where_it_found_each_job_and_changes_only_finished_ones(self) -> None:
        running, _ = self.one_of_each()
        found = self.store.revive(["scheduled", "running", "unknown", "finished"], NOW + 7, NOW)
        assert found == [Found.SCHEDULED, Found.RUNNING, Found.UNKNOWN, Found.FINISHED]
        assert (self.job("scheduled").due_ms, self.job("finished").due_ms) == (NOW + HOUR, NOW + 7)
        assert self.job("running") == running.job

    def test_two_finished_jobs_with_one_key_cannot_both_be_revived(self) -> None:
        for id in ("a", "b"):
            self.add(a_job(id, key="k"))
            self.settle(self.claim_one(), Succeeded())
        with refused(DuplicateJob):
            self.store.revive(["a", "b"], NOW, NOW)
        assert [job.state for job in self.everything()] == [State.SUCCEEDED, State.SUCCEEDED]

    def test_several_jobs_are_moved_in_one_call(self) -> None:
        self.one_of_each()
        self.add(a_job("other", HOUR))
        found = self.store.reschedule(["scheduled", "running", "other", "unknown"], NOW + 5, NOW)
        assert found == [Found.SCHEDULED, Found.RUNNING, Found.SCHEDULED, Found.UNKNOWN]
        assert self.claimed_ids(5) == ["other", "scheduled"]

    def test_a_running_job_that_was_replaced_holds_its_key_again_when_the_newer_one_is_cancelled(self) -> None:
        self.add(a_job("old", key="k"))
        old = self.claim_one()
        assert self.store.add([a_job("new", HOUR, key="k")], NOW, on_conflict="replace") == ["new"]
        assert self.store.add([a_job("other", key="k")], NOW) == ["new"]
        self.store.cancel(["new"], NOW)
        assert self.store.add([a_job("other", key="k")], NOW) == ["old"]
        self.settle(old, Retried(due_ms=NOW + 5))
        assert self.state("old") is State.SCHEDULED

    def test_a_job_cannot_be_revived_while_another_holds_its_key(self) -> None:
        self.add(a_job("a", key="k"))
        self.settle(self.claim_one(), Succeeded())
        finished = self.job("a")
        self.add(a_job("b", key="k"))
        with refused(DuplicateJob):
            self.store.revive(["a"], NOW, NOW)
        assert self.job("a") == finished

    def test_a_claim_from_before_a_revival_is_lost(self) -> None:
        self.add(a_job("a"))
        old = self.claim_one()
        self.settle(old, Succeeded())
        self.store.revive(["a"], NOW, NOW)
        self.claim_one()
        assert self.store.settle(effects([(old, Succeeded())]), NOW) == [old]

    # ---- tokens ------------------------------------------------------------------------------------------

    def test_what_was_claimed_since_a_person_looked_is_left_alone(self) -> None:
        """Two operators retry what failed. The second must not run again what succeeded after the first one's retry."""
        self.add(a_job("fails"))
        claim = self.claim_one()
        self.settle(claim, Failed(error=Failure("E", "no")))
        assert self.store.revive(["fails"], NOW, NOW, tokens=[claim.token]) == [Found.FINISHED]
        self.settle(self.claim_one(), Succeeded(returned="17"))
        assert self.store.revive(["fails"], NOW, NOW, tokens=[claim.token]) == [Found.CHANGED]
        assert self.store.forget(["fails"], tokens=[claim.token]) == [Found.CHANGED]
        assert self.job("fails").returned == "17"

    def test_a_job_that_started_since_a_person_looked_is_not_asked_to_end(self) -> None:
        self.add(a_job("starts"), a_job("waits", HOUR))
        tokens = [self.job(id).token for id in ("starts", "waits")]
        self.claim_one()
        found = self.store.cancel(["starts", "waits", "none"], NOW, tokens=[*tokens, 0])
        assert found == [Found.CHANGED, Found.SCHEDULED, Found.UNKNOWN]
        assert self.job("starts").cancel_ms is None

    def test_jobs_with_the_tokens_that_are_expected_are_changed(self) -> None:
        self.add(*[a_job(id) for id in ("a", "b")])
        claims = self.claim()
        for claim in claims:
            self.settle(claim, Succeeded())
        tokens = [claims[1].token, claims[0].token]
        assert self.store.forget(["b", "a"], tokens=tokens[::-1]) == [Found.CHANGED] * 2
        assert self.store.forget(["b", "a"], tokens=tokens) == [Found.FINISHED] * 2
        self.forgotten += 2

    # ---- forget ------------------------------------------------------------------------------------------

    def test_a_forgotten_job_is_found_by_no_verb(self) -> None:
        self.add(a_job("a", payload='[["secret"],{}]', key="k"), a_job("b"))
        for claim in self.claim():
            self.settle(claim, Succeeded(returned="17"))
        before = self.store.stats(NOW)
        self.forget("a")
        assert self.store.get(["a"]) == [None]
        assert [job.id for job in self.everything()] == ["b"]
        assert self.store.scan(Filter(key="k")) == []
        assert self.store.cancel(["a"], NOW) == [Found.UNKNOWN]
        assert self.store.revive(["a"], NOW, NOW) == [Found.UNKNOWN]
        assert self.store.forget(["a"]) == [Found.UNKNOWN]
        assert self.store.stats(NOW) == before  # the totals still count it

    def test_only_finished_jobs_are_forgotten(self) -> None:
        self.add(a_job("running"))
        claim = self.claim_one()
        self.add(a_job("scheduled", 5), a_job("over", 5))
        self.store.cancel(["over"], NOW)
        found = self.store.forget(["running", "scheduled", "over", "unknown"])
        self.forgotten += 1
        assert found == [Found.RUNNING, Found.SCHEDULED, Found.FINISHED, Found.UNKNOWN]
        self.settle(claim, Succeeded())
        assert self.claimed_ids(5) == ["scheduled"]

    def test_the_id_of_a_forgotten_job_may_be_used_again(self) -> None:
        self.add(a_job("a"))
        self.settle(self.claim_one(), Succeeded())
        self.forget("a")
        self.add(a_job("a", 5))
        assert self.claimed_ids(5) == ["a"]

    def test_a_job_stays_forgotten_when_the_store_is_opened_again(self) -> None:
        self.add(a_job("a"), a_job("b"))
        for claim in self.claim():
            self.settle(claim, Succeeded())
        self.forget("a")
        self.open_again()
        assert [job.id for job in self.everything()] == ["b"]

    # ---- tidy --------------------------------------------------------------------------------------------

    def test_tidy_drops_jobs_whose_result_ttl_is_over_and_no_others(self) -> None:
        self.add(a_job("over", result_ttl_ms=SECOND), a_job("kept", result_ttl_ms=HOUR))
        for claim in self.claim():
            self.settle(claim, Succeeded(returned="17"))
        self.add(a_job("waits", -HOUR, result_ttl_ms=0), a_job("later", HOUR, result_ttl_ms=0))
        self.tidy(SECOND - 1, [])
        self.tidy(SECOND, ["over"])
        assert self.store.get(["over"]) == [None]
        assert [job.id for job in self.everything()] == ["waits", "kept", "later"]
        self.tidy(HOUR, ["kept"])

    def test_tidy_drops_the_oldest_first_and_no_more_than_it_is_told(self) -> None:
        self.add(*[a_job(f"job-{number}", result_ttl_ms=SECOND + number // 2) for number in range(10)])
        for claim in self.claim():
            self.settle(claim, Succeeded())
        dropped: list[int] = []
        while not dropped or dropped[-1] >= 3:
            dropped.append(self.store.tidy(NOW + HOUR, 3))
            self.forgotten += dropped[-1]
            numbers = [int(job.id.removeprefix("job-")) for job in self.everything()]
            assert sorted(numbers) == list(range(10))[10 - len(numbers) :]
        assert sum(dropped) == 10
        assert max(dropped) <= 4  # two of the same instant may go together

    def test_failed_and_expired_jobs_are_kept_longer(self) -> None:
        self.add(a_job("fails", result_ttl_ms=0), a_job("expires", expires_ms=NOW, result_ttl_ms=0))
        self.settle(self.claim_one(), Failed(error=Failure("E", "no")))
        self.tidy(24 * HOUR, [])
        assert [job.id for job in self.everything()] == ["expires", "fails"]

    def two_that_one_waits_for(self) -> list[Claim]:
        """Add jobs "a" and "b", which need not be kept, and "last", which waits for both; claim the two."""
        last = a_job("last", MAX_MS - NOW, after=After(("a", "b"), 2, gives="results"), result_ttl_ms=0)
        self.add(*[a_job(id, wakes=("last",), result_ttl_ms=0) for id in ("a", "b")], last)
        return self.claim()

    def test_a_job_is_kept_while_an_unfinished_job_waits_for_its_result(self) -> None:
        first, second = self.two_that_one_waits_for()
        self.settle(first, Succeeded(returned="1"))
        self.tidy(HOUR, [])
        self.settle(second, Succeeded(returned="2"), HOUR)
        self.tidy(2 * HOUR, [])
        last = self.claim_one(2 * HOUR)
        self.tidy(3 * HOUR, [])
        assert (self.job("a").returned, self.job("b").returned) == ("1", "2")
        self.settle(last, Succeeded(), 3 * HOUR)
        self.tidy(3 * HOUR, ["a", "b", "last"])

    def test_it_is_kept_when_the_store_is_opened_again_too(self) -> None:
        first, _ = self.two_that_one_waits_for()
        self.settle(first, Succeeded(returned="1"))
        self.open_again()
        self.tidy(HOUR, [])
        self.open_again()
        assert self.job("a").returned == "1"
        self.store.cancel(["last"], NOW + HOUR)
        self.tidy(2 * HOUR, ["a", "last"])

    def test_dropped_jobs_stay_gone_when_the_store_is_opened_again(self) -> None:
        self.add(a_job("a", result_ttl_ms=0), a_job("b"))
        for claim in self.claim():
            self.settle(claim, Succeeded())
        reopened = self.reopen(self.store)
        if reopened is not None:
            self._store = reopened
        self.tidy(SECOND, ["a"])
        self.add(a_job("a", 5))
        self.tidy(HOUR, [])
        assert self.claimed_ids(5) == ["a"]

    def test_a_job_that_was_replaced_is_not_kept_for_long(self) -> None:
        self.add(a_job("first", HOUR, key="k"))
        for number in range(20):
            self.store.add([a_job(f"next-{number}", HOUR, key="k")], NOW, on_conflict="replace")
        self.forgotten += 20
        self.store.tidy(NOW + 300 * SECOND)
        assert [job.id for job in self.everything()] == ["next-19"]

    def forget(self, id: str) -> None:
        """Forget a finished job."""
        assert self.store.forget([id]) == [Found.FINISHED]
        self.forgotten += 1

    def tidy(self, after: int, gone: list[str]) -> None:
        """Call tidy() ``after`` milliseconds from NOW. It must drop exactly these jobs."""
        before = {job.id for job in self.everything()}
        self.store.tidy(NOW + after)
        self.forgotten += len(gone)
        assert before - {job.id for job in self.everything()} == set(gone)
