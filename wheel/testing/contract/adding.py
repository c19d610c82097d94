"""Store.add: all or none, idempotent by id, and what a key does."""

from __future__ import annotations

from ...errors import DuplicateJob
from ...job import Outcome, Released, Retried, Snoozed, State, Succeeded
from .base import HOUR, NOW, YEAR, ContractBase, a_job, refused


class AddContract(ContractBase):
    """Tests of add()."""

    def test_add_returns_the_ids_in_order_and_get_shows_each_job_as_it_was_given(self) -> None:
        jobs = [a_job("b", 5), a_job("a", 2_000), a_job("c", -HOUR)]
        assert self.store.add(jobs, NOW) == ["b", "a", "c"]
        assert [self.job(id) for id in ("b", "a", "c")] == jobs

    def test_every_field_of_a_job_is_kept(self) -> None:
        job = a_job(
            "0190c3f2-7f2a-7000-8000-0000000000ff",
            1,
            task="módulo.tâche",
            payload='[["\\u00fc \\ud83d\\ude00",1.5,null,true,[]],{"a":{"b":[1]}}]',
            created_ms=NOW - 1,
            queue="mail/high-1",
            priority=-7,
            key='key "with" quotes, \\ and ünïcödé',
            expires_ms=NOW + HOUR,
            max_crashes=9,
            result_ttl_ms=50 * YEAR,
            extra='{"from_a_later_version":[1,2]}',
        )
        self.add(job)
        assert self.job(job.id) == job

    def test_ids_may_have_every_sign_that_an_id_may_have(self) -> None:
        ids = ["A", "9", "a.b_c:d@e/f+g-h", "x" * 200]
        self.add(*[a_job(id) for id in ids])
        assert sorted(self.claimed_ids()) == sorted(ids)

    def test_adding_nothing_is_nothing(self) -> None:
        assert self.store.add([], NOW) == []
        assert self.store.stats(NOW).accepted == 0

    def test_jobs_may_be_due_from_1970_to_the_year_9999(self) -> None:
        first, last = a_job("first", -NOW), a_job("last", 253_402_300_799_999 - NOW)
        self.add(last, first)
        assert self.everything() == [first, last]
        assert self.claimed_ids() == ["first"]

    def test_fresh_jobs_are_accepted_as_any_others(self) -> None:
        jobs = [a_job(f"job-{number:03}", number) for number in range(300)]
        assert self.store.add(jobs[:1], NOW, fresh=True) == ["job-000"]
        assert self.store.add(jobs[1:], NOW, fresh=True) == [job.id for job in jobs[1:]]
        assert self.everything() == jobs

    # ---- by id -------------------------------------------------------------------------------------------

    def test_an_id_that_is_held_already_is_left_as_it_is(self) -> None:
        first = a_job("a", HOUR)
        self.add(first)
        assert self.store.add([a_job("a", 5, priority=9), a_job("b")], NOW) == ["a", "b"]
        assert self.job("a") == first
        assert self.store.stats(NOW).accepted == 2

    def test_an_id_twice_in_one_call_is_added_once(self) -> None:
        assert self.store.add([a_job("a", 1), a_job("a", 2)], NOW) == ["a", "a"]
        assert self.everything() == [a_job("a", 1)]

    def test_adding_again_does_not_start_again_what_runs_or_has_finished(self) -> None:
        self.add(a_job("runs"), a_job("ran"))
        runs, ran = sorted(self.claim(), key=lambda claim: claim.job.id != "runs")
        self.settle(ran, Succeeded())
        assert self.store.add([a_job("runs"), a_job("ran")], NOW) == ["runs", "ran"]
        assert self.claim(HOUR) == []
        assert (self.job("runs"), self.state("ran")) == (runs.job, State.SUCCEEDED)

    def test_an_id_that_is_held_is_no_conflict_even_if_its_key_is_taken(self) -> None:
        self.add(a_job("a", key="k"))
        assert self.store.add([a_job("a", key="k")], NOW, on_conflict="raise") == ["a"]
        assert self.store.add([a_job("a", 9, key="k")], NOW, on_conflict="replace") == ["a"]
        assert self.everything() == [a_job("a", key="k")]

    # ---- by key: keep ------------------------------------------------------------------------------------

    def test_keep_leaves_the_pending_job_and_answers_with_its_id(self) -> None:
        self.add(a_job("a", HOUR, key="k"))
        assert self.store.add([a_job("b", key="k"), a_job("c", key="other")], NOW) == ["a", "c"]
        assert self.store.get(["b"])[0] is None
        assert self.store.stats(NOW).accepted == 2

    def test_keep_is_what_happens_when_nothing_is_said(self) -> None:
        self.add(a_job("a", key="k"))
        assert (
            self.store.add([a_job("b", key="k")], NOW)
            == self.store.add([a_job("b", key="k")], NOW, on_conflict="keep")
            == ["a"]
        )

    def test_a_running_job_holds_its_key(self) -> None:
        self.add(a_job("a", key="k"))
        self.claim_one()
        assert self.store.add([a_job("b", key="k")], NOW) == ["a"]

    def test_a_key_is_free_again_when_its_job_has_finished(self) -> None:
        self.add(a_job("a", key="k"))
        self.settle(self.claim_one(), Succeeded())
        assert self.store.add([a_job("b", HOUR, key="k")], NOW) == ["b"]
        self.store.cancel(["b"], NOW)
        assert self.store.add([a_job("c", key="k", expires_ms=NOW)], NOW) == ["c"]
        assert self.claim() == []
        assert self.store.add([a_job("d", key="k")], NOW, on_conflict="raise") == ["d"]

    def test_of_equal_keys_in_one_call_keep_takes_the_first(self) -> None:
        assert self.store.add([a_job("a", key="k"), a_job("b", key="k"), a_job("c")], NOW) == ["a", "a", "c"]
        assert [job.id for job in self.everything()] == ["a", "c"]

    def test_jobs_without_a_key_are_never_in_conflict(self) -> None:
        assert self.store.add([a_job("a"), a_job("b")], NOW, on_conflict="raise") == ["a", "b"]

    # ---- by key: replace ---------------------------------------------------------------------------------

    def test_replace_cancels_the_pending_job_and_takes_its_place(self) -> None:
        self.add(a_job("a", 5, key="k"))
        assert self.store.add([a_job("b", HOUR, key="k")], NOW, on_conflict="replace") == ["b"]
        assert (self.state("a"), self.state("b")) == (State.CANCELLED, State.SCHEDULED)
        assert self.job("a").finished_ms is not None
        assert self.store.stats(NOW).cancelled == 1
        assert self.store.next_due() == NOW + HOUR
        assert self.claimed_ids(HOUR) == ["b"]

    def test_replace_again_and_again_leaves_the_last_one_only(self) -> None:
        for number in range(20):
            assert self.store.add([a_job(f"j{number}", number, key="k")], NOW, on_conflict="replace") == [f"j{number}"]
        assert self.claimed_ids(HOUR) == ["j19"]

    def test_replace_leaves_a_running_job_to_run(self) -> None:
        self.add(a_job("a", key="k"))
        running = self.claim_one()
        assert self.store.add([a_job("b", key="k")], NOW, on_conflict="replace") == ["b"]
        assert self.state("a") is State.RUNNING
        assert self.claimed_ids() == ["b"]
        self.settle(running, Succeeded())

    def test_a_job_that_replaced_a_running_one_keeps_the_key_when_that_one_ends(self) -> None:
        self.add(a_job("a", key="k"))
        running = self.claim_one()
        self.store.add([a_job("b", HOUR, key="k")], NOW, on_conflict="replace")
        self.settle(running, Succeeded())
        assert self.store.add([a_job("c", key="k")], NOW) == ["b"]

    def test_a_running_job_that_was_replaced_holds_its_key_again_when_that_one_has_ended(self) -> None:
        self.add(a_job("a", key="k"))
        self.claim_one()
        self.store.add([a_job("b", key="k")], NOW, on_conflict="replace")
        self.settle(self.claim_one(), Succeeded())
        assert self.state("a") is State.RUNNING
        assert self.store.add([a_job("c", key="k")], NOW) == ["a"]

    def test_a_replaced_job_that_ran_and_is_to_run_again_is_not_lost_and_leaves_the_store_sound(self) -> None:
        outcomes: list[Outcome] = [Retried(due_ms=NOW), Snoozed(due_ms=NOW), Released()]
        for number, outcome in enumerate(outcomes):
            old, new = f"old-{number}", f"new-{number}"
            self.add(a_job(old, key="k"))
            running = self.claim_one()
            self.store.add([a_job(new, HOUR, key="k")], NOW, on_conflict="replace")
            self.settle(running, outcome)
            assert self.state(old) in (State.SCHEDULED, State.CANCELLED), (
                "run once more, or ended as replaced: never lost"
            )
            assert self.state(new) is State.SCHEDULED
            self.assert_sound()
            self.store.cancel([old, new], NOW)
            assert self.store.add([a_job(f"next-{number}", HOUR, key="k")], NOW) == [f"next-{number}"]
            self.store.cancel([f"next-{number}"], NOW)

    def test_of_equal_keys_in_one_call_replace_takes_the_last(self) -> None:
        self.add(a_job("old", key="k"))
        jobs = [a_job("a", key="k"), a_job("b", key="k"), a_job("c", key="k")]
        assert self.store.add(jobs, NOW, on_conflict="replace") == ["c", "c", "c"]
        assert self.claimed_ids() == ["c"]
        assert self.state("old") is State.CANCELLED

    # ---- by key: raise -----------------------------------------------------------------------------------

    def test_a_job_that_is_replaced_again_and_again_is_due_at_its_latest_instant(self) -> None:
        for number in range(4):
            job = a_job(f"job-{number}", 60 + 30 * number, key="k", latest_ms=NOW + 60 + 30 * number + 40)
            self.store.add([job], NOW, on_conflict="replace")
        last = self.job("job-3")
        assert (last.due_ms, last.latest_ms) == (NOW + 100, NOW + 100)
        self.store.add([a_job("other", 500, key="k")], NOW, on_conflict="replace")
        assert self.job("other").due_ms == NOW + 500
        self.store.add([a_job("again", 600, key="k", latest_ms=NOW + 900)], NOW, on_conflict="replace")
        assert (self.job("again").due_ms, self.job("again").latest_ms) == (NOW + 600, NOW + 900)

    def test_raise_refuses_and_adds_nothing_of_the_call(self) -> None:
        self.add(a_job("a", key="k"))
        with refused(DuplicateJob):
            self.store.add([a_job("b"), a_job("c", key="k"), a_job("d")], NOW, on_conflict="raise")
        assert self.everything() == [a_job("a", key="k")]
        assert self.store.stats(NOW).accepted == 1

    def test_raise_refuses_equal_keys_in_one_call(self) -> None:
        with refused(DuplicateJob):
            self.store.add([a_job("a", key="k"), a_job("b", key="k")], NOW, on_conflict="raise")
        assert self.everything() == []

    def test_raise_accepts_a_key_that_is_free(self) -> None:
        assert self.store.add([a_job("a", key="k"), a_job("b", key="l")], NOW, on_conflict="raise") == ["a", "b"]
