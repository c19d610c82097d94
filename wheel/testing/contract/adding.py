"""Store.add: all or none, idempotent by id, and what a key does."""

from __future__ import annotations

from ...errors import DuplicateJob
from ...job import State, Succeeded
from .base import AGAIN, HOUR, NOW, YEAR, ContractBase, a_job, refused


class AddContract(ContractBase):
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

    def test_ids_may_contain_all_allowed_characters(self) -> None:
        ids = ["A", "9", "a.b_c:d@e/f+g-h", "x" * 200]
        self.add(*[a_job(id) for id in ids])
        assert sorted(self.claimed_ids()) == sorted(ids)

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

    def test_a_job_whose_id_is_in_the_store_is_left_unchanged(self) -> None:
        first = a_job("a", HOUR)
        self.add(first)
        assert self.store.add([a_job("a", 5, priority=9), a_job("b")], NOW) == ["a", "b"]
        assert self.job("a") == first
        assert self.store.stats(NOW).accepted == 2

    def test_an_id_twice_in_one_call_is_added_once(self) -> None:
        assert self.store.add([a_job("a", 1), a_job("a", 2)], NOW) == ["a", "a"]
        assert self.everything() == [a_job("a", 1)]

    def test_adding_a_running_or_finished_job_again_does_not_run_it_again(self) -> None:
        self.add(a_job("runs"), a_job("ran"))
        runs, ran = sorted(self.claim(), key=lambda claim: claim.job.id != "runs")
        self.settle(ran, Succeeded())
        assert self.store.add([a_job("runs"), a_job("ran")], NOW) == ["runs", "ran"]
        assert self.claim(HOUR) == []
        assert (self.job("runs"), self.state("ran")) == (runs.job, State.SUCCEEDED)

    def test_adding_the_same_job_again_does_not_conflict_with_its_own_key(self) -> None:
        self.add(a_job("a", key="k"))
        assert self.store.add([a_job("a", key="k")], NOW, on_conflict="raise") == ["a"]
        assert self.store.add([a_job("a", 9, key="k")], NOW, on_conflict="replace") == ["a"]
        assert self.everything() == [a_job("a", key="k")]

    # ---- by key: keep ------------------------------------------------------------------------------------

    def test_keep_is_the_default_and_returns_the_id_of_the_pending_job(self) -> None:
        self.add(a_job("a", HOUR, key="k"))
        assert self.store.add([a_job("b", key="k")], NOW, on_conflict="keep") == ["a"]
        assert self.store.add([a_job("b", key="k"), a_job("c", key="other")], NOW) == ["a", "c"]
        assert self.store.get(["b"]) == [None]
        assert self.store.stats(NOW).accepted == 2

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

    # ---- by key: replace ---------------------------------------------------------------------------------

    def test_replace_cancels_the_pending_job_and_takes_its_place(self) -> None:
        self.add(a_job("a", 5, key="k"))
        assert self.store.add([a_job("b", HOUR, key="k")], NOW, on_conflict="replace") == ["b"]
        assert (self.state("a"), self.state("b")) == (State.CANCELLED, State.SCHEDULED)
        assert self.job("a").finished_ms is not None
        assert self.store.stats(NOW).cancelled == 1
        assert self.store.next_due() == NOW + HOUR
        assert self.claimed_ids(HOUR) == ["b"]

    def test_after_many_replacements_only_the_last_job_is_left(self) -> None:
        for number in range(20):
            assert self.store.add([a_job(f"j{number}", number, key="k")], NOW, on_conflict="replace") == [f"j{number}"]
        assert self.claimed_ids(HOUR) == ["j19"]

    def test_replace_lets_a_running_job_go_on(self) -> None:
        self.add(a_job("a", key="k"))
        running = self.claim_one()
        assert self.store.add([a_job("b", key="k")], NOW, on_conflict="replace") == ["b"]
        assert self.state("a") is State.RUNNING
        assert self.claimed_ids() == ["b"]
        self.settle(running, Succeeded())

    def test_a_job_that_replaced_a_running_one_keeps_the_key_when_the_older_one_ends(self) -> None:
        self.add(a_job("a", key="k"))
        running = self.claim_one()
        self.store.add([a_job("b", HOUR, key="k")], NOW, on_conflict="replace")
        self.settle(running, Succeeded())
        assert self.store.add([a_job("c", key="k")], NOW) == ["b"]

    def test_a_running_job_that_was_replaced_holds_its_key_again_when_the_newer_one_has_run(self) -> None:
        self.add(a_job("a", key="k"))
        self.claim_one()
        self.store.add([a_job("b", key="k")], NOW, on_conflict="replace")
        self.settle(self.claim_one(), Succeeded())
        assert self.state("a") is State.RUNNING
        assert self.store.add([a_job("c", key="k")], NOW) == ["a"]

    def test_a_running_job_that_was_replaced_and_is_to_run_again_is_not_lost(self) -> None:
        for number, outcome in enumerate(AGAIN):
            old, new = f"old-{number}", f"new-{number}"
            self.add(a_job(old, key="k"))
            running = self.claim_one()
            self.store.add([a_job(new, HOUR, key="k")], NOW, on_conflict="replace")
            self.settle(running, outcome)
            assert self.state(old) in (State.SCHEDULED, State.CANCELLED), "it must run again, or end as replaced"
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

    def test_a_job_that_is_replaced_again_and_again_is_due_at_its_latest_instant(self) -> None:
        for number in range(4):
            job = a_job(f"job-{number}", 60 + 30 * number, key="k", latest_ms=NOW + 60 + 30 * number + 40)
            self.store.add([job], NOW, on_conflict="replace")
        self.assert_job("job-3", due_ms=NOW + 100, latest_ms=NOW + 100)
        self.store.add([a_job("other", 500, key="k")], NOW, on_conflict="replace")
        assert self.job("other").due_ms == NOW + 500
        self.store.add([a_job("again", 600, key="k", latest_ms=NOW + 900)], NOW, on_conflict="replace")
        assert (self.job("again").due_ms, self.job("again").latest_ms) == (NOW + 600, NOW + 900)

    # ---- by key: raise -----------------------------------------------------------------------------------

    def test_raise_refuses_the_whole_call(self) -> None:
        self.add(a_job("a", key="k"))
        with refused(DuplicateJob):
            self.store.add([a_job("b"), a_job("c", key="k"), a_job("d")], NOW, on_conflict="raise")
        assert self.everything() == [a_job("a", key="k")]
        assert self.store.stats(NOW).accepted == 1

    def test_raise_refuses_equal_keys_in_one_call(self) -> None:
        with refused(DuplicateJob):
            self.store.add([a_job("a", key="k"), a_job("b", key="k")], NOW, on_conflict="raise")
        assert self.everything() == []

    def test_raise_accepts_keys_that_are_free_and_jobs_without_a_key(self) -> None:
        jobs = [a_job("a"), a_job("b", key="k"), a_job("c", key="l"), a_job("d")]
        assert self.store.add(jobs, NOW, on_conflict="raise") == ["a", "b", "c", "d"]
