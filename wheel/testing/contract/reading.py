"""get, scan, next_due, stats and density, which change nothing."""

from __future__ import annotations

from collections.abc import Collection
from unittest import SkipTest

from ...contract import Cursor, Density, Filter, pages
from ...job import Claim, Failed, Failure, Retried, State, Succeeded
from .base import ALL, HOUR, NOW, SECOND, YEAR, ContractBase, a_job


class ReadContract(ContractBase):
    def some_of_all(self) -> list[Claim]:
        """Add jobs in every state, of two queues and two tasks. Returns the claims."""
        self.add(
            a_job("succeeded", -9),
            a_job("failed", -8, queue="q"),
            a_job("running", -7, task="app.other", key="k"),
            a_job("expired", -6, expires_ms=NOW),
            a_job("cancelled", -5),
            a_job("soon", SECOND, queue="q"),
            a_job("later", HOUR, task="app.other"),
        )
        self.store.cancel(["cancelled"], NOW)
        claims = self.claim()
        self.settle(claims[0], Succeeded())
        self.settle(claims[1], Failed(error=Failure("E", "e")))
        return claims

    def scanned(self, limit: int = 100, **filter: object) -> list[str]:
        """The ids of the jobs that scan() returns."""
        return [job.id for job in self.store.scan(Filter(**filter), limit)]  # type: ignore[arg-type]

    # ---- get ---------------------------------------------------------------------------------------------

    def test_an_unknown_id_is_none(self) -> None:
        assert self.store.get(["nobody"]) == [None]

    # ---- scan --------------------------------------------------------------------------------------------

    def test_scan_shows_all_jobs_by_due_instant_and_id(self) -> None:
        self.some_of_all()
        self.add(a_job("b", HOUR), a_job("a", HOUR))
        wanted = ["succeeded", "failed", "running", "expired", "cancelled", "soon", "a", "b", "later"]
        assert self.scanned() == wanted
        assert [job.id for job in self.store.scan()] == wanted
        assert [self.job(id) for id in wanted] == self.store.scan()

    def test_scan_with_a_limit_returns_the_first_jobs(self) -> None:
        self.some_of_all()
        assert self.scanned(limit=3) == ["succeeded", "failed", "running"]
        assert self.scanned(limit=0) == []
        self.add(*[a_job(f"job-{number:03}", HOUR + number) for number in range(150)])
        assert len(self.store.scan()) == len(self.store.scan(limit=None)) == 157
        assert len(self.store.scan(Filter(), ALL)) == 157

    def test_jobs_are_read_page_by_page_once_each(self) -> None:
        self.some_of_all()
        self.add(*[a_job(f"job-{number}", HOUR) for number in range(9)])
        for size in (1, 4, 8, 16, 100):
            assert list(pages(self.store, size=size)) == self.store.scan()
        later = Filter(due_from_ms=NOW + HOUR)
        assert list(pages(self.store, later, 2)) == self.store.scan(later)

    def test_scan_goes_on_after_a_job_that_is_gone(self) -> None:
        self.add(*[a_job(id, HOUR) for id in ("a", "b", "c")])
        self.store.cancel(["b"], NOW)
        self.store.forget(["b"])
        self.forgotten += 1
        assert self.store.get(["b"]) == [None]
        assert [job.id for job in self.store.scan(after=Cursor(NOW + HOUR, "b"))] == ["c"]

    def test_scan_by_state(self) -> None:
        self.some_of_all()
        for state in (State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED, State.RUNNING):
            assert self.scanned(states=frozenset({state})) == [state.value]
        assert self.scanned(states=frozenset({State.SCHEDULED, State.RUNNING})) == ["running", "soon", "later"]
        assert self.scanned(states=frozenset({State.SCHEDULED}), limit=1) == ["soon"]
        assert self.scanned(states=frozenset()) == []

    def test_scan_by_task_queue_and_key(self) -> None:
        self.some_of_all()
        assert self.scanned(task="app.other") == ["running", "later"]
        assert self.scanned(queue="q") == ["failed", "soon"]
        assert self.scanned(key="k") == ["running"]
        assert self.scanned(task="app.work", queue="q", states=frozenset({State.SCHEDULED})) == ["soon"]
        assert self.scanned(task="app.nothing") == self.scanned(key="other") == self.scanned(queue="other") == []

    def test_scan_by_due_instant_is_from_inclusive_to_exclusive(self) -> None:
        self.add(*[a_job(f"job-{number}", number) for number in range(5)])
        assert self.scanned(due_from_ms=NOW + 3) == ["job-3", "job-4"]
        assert self.scanned(due_before_ms=NOW + 2) == ["job-0", "job-1"]
        assert self.scanned(due_from_ms=NOW + 1, due_before_ms=NOW + 3) == ["job-1", "job-2"]
        assert self.scanned(due_from_ms=NOW + 3, due_before_ms=NOW + 3) == []

    def test_scan_by_a_pattern_of_tasks(self) -> None:
        for number, task in enumerate(
            ["app.mail.send", "app.mail", "app_mail.send", "app.mailing", "[a].b", "a" * 39 + "b"]
        ):
            self.add(a_job(str(number), number, task=task))
        assert self.scanned(task="app.mail.*") == ["0"]
        assert self.scanned(task="app.mail*") == ["0", "1", "3"]
        assert self.scanned(task="*.send") == ["0", "2"]
        assert self.scanned(task="*") == ["0", "1", "2", "3", "4", "5"]
        assert self.scanned(task="a*m*d") == ["0", "2"]
        assert self.scanned(task="[a]*") == ["4"]
        assert self.scanned(task="*a" * 40) == []  # at once, although there are many ways to try
        assert self.scanned(task="app?mail*") == self.scanned(task="app%") == self.scanned(task="mail*") == []

    def test_scan_by_the_error_of_the_last_attempt(self) -> None:
        self.add(*[a_job(id, number) for number, id in enumerate(["timeout", "percent", "again", "fine"])])
        *fail, fine = self.claim(10)
        errors = [Failure("TimeoutError", "no answer in 5 s"), Failure("E", "100% of (a|b)"), Failure("E", "later")]
        self.settle(fail[0], Failed(error=errors[0]))
        self.settle(fail[1], Failed(error=errors[1]))
        self.settle(fail[2], Retried(due_ms=NOW + HOUR, error=errors[2]))
        self.settle(fine, Succeeded())
        assert self.scanned(error="Timeout") == self.scanned(error="in 5 s") == ["timeout"]
        assert self.scanned(error="E: ") == ["percent", "again"]
        assert self.scanned(error="TimeoutError: no answer") == ["timeout"]
        assert self.scanned(error="0%") == self.scanned(error="(a|b)") == ["percent"]
        assert self.scanned(error="timeout") == self.scanned(error="1_0") == []
        assert self.scanned(error="", states=frozenset({State.FAILED})) == ["timeout", "percent"]

    def test_scan_by_how_long_jobs_are_in_their_state(self) -> None:
        """Finished ones by their end, running ones by their start, scheduled ones by when they were created."""
        self.add(a_job("old", HOUR, created_ms=NOW - HOUR), a_job("new", HOUR, created_ms=NOW - SECOND))
        self.add(a_job("ended", -1, created_ms=NOW - HOUR), a_job("runs", created_ms=NOW - HOUR))
        ended, _ = self.claim()
        self.settle(ended, Succeeded(), after=5)
        assert self.scanned(since_before_ms=NOW) == ["new", "old"]
        assert self.scanned(since_before_ms=NOW - SECOND) == ["old"]
        assert self.scanned(since_from_ms=NOW) == ["ended", "runs"]
        assert self.scanned(since_from_ms=NOW + 5) == ["ended"]
        assert self.scanned(since_from_ms=NOW + 6) == self.scanned(since_from_ms=NOW, since_before_ms=NOW) == []

    # ---- next_due ----------------------------------------------------------------------------------------

    def test_next_due_is_the_earliest_of_the_scheduled(self) -> None:
        assert self.store.next_due() is None
        self.add(a_job("a", HOUR))
        assert self.store.next_due() == NOW + HOUR
        self.add(a_job("b", -YEAR), a_job("c", 5))
        assert self.store.next_due() == NOW - YEAR
        claims = self.claim()
        assert self.store.next_due() == NOW + 5
        self.settle(claims[0], Succeeded())
        self.store.cancel(["c"], NOW)
        assert self.store.next_due() == NOW + HOUR

    def test_next_due_may_have_passed_already(self) -> None:
        self.add(a_job("a"), a_job("b", -5), a_job("urgent", 0, priority=5))
        assert self.claimed_ids(limit=1) == ["urgent"]
        assert self.store.next_due() == NOW - 5

    def test_next_due_of_some_queues(self) -> None:
        self.add(a_job("a", 3, queue="x"), a_job("b", 2, queue="y"), a_job("c", 1))
        assert self._no_later(["x"], NOW + 3)
        assert self._no_later({"x", "y"}, NOW + 2)
        assert self.claimed_ids(2) == ["c", "b"]
        assert self.store.next_due(["x"]) == NOW + 3
        assert self._no_later(["y"], None)

    def test_next_due_of_some_queues_is_exact_for_what_a_claim_has_found_due(self) -> None:
        self.add(a_job("a", -3, queue="x"), a_job("b", -2, queue="y"))
        assert self.store.claim("me", NOW, 1, queues=["z"]) == []
        assert self.store.next_due(["x"]) == NOW - 3
        assert self.store.next_due(["y"]) == NOW - 2
        assert self.store.next_due(["z"]) is None
        assert self.store.next_due([]) is None

    def _no_later(self, queues: Collection[str], exact: int | None) -> bool:
        told = self.store.next_due(queues)
        return exact is None or (told is not None and told <= exact)

    # ---- stats -------------------------------------------------------------------------------------------

    def test_stats_count_every_state_and_balance(self) -> None:
        self.some_of_all()
        stats = self.store.stats(NOW)
        assert (stats.accepted, stats.scheduled, stats.running) == (7, 2, 1)
        assert (stats.succeeded, stats.failed, stats.cancelled, stats.expired) == (1, 1, 1, 1)
        assert stats.next_due_ms == NOW + SECOND

    def test_overdue_counts_scheduled_jobs_whose_due_instant_has_passed(self) -> None:
        self.add(*[a_job(f"job-{number}", number * SECOND) for number in range(6)])
        assert [self.store.stats(NOW - 1 + after).overdue for after in (0, 2, 1002, HOUR)] == [0, 1, 2, 6]
        assert len(self.claim(2 * SECOND, limit=1)) == 1
        assert [self.store.stats(NOW - 1 + after).overdue for after in (0, 2, 1002, HOUR)] == [0, 0, 1, 5]

    def test_the_hand_is_the_last_second_swept_and_never_goes_back(self) -> None:
        self.add(*[a_job(f"job-{number}", number * SECOND) for number in range(3)])
        self.claim()
        assert self.store.stats(NOW).hand == NOW // 1000
        self.claim(2 * SECOND + 999)
        assert self.store.stats(NOW).hand == NOW // 1000 + 2
        self.claim(-HOUR)
        assert self.store.stats(NOW).hand == NOW // 1000 + 2

    # ---- density -----------------------------------------------------------------------------------------

    def test_density_counts_scheduled_jobs_by_slot_up_to_the_horizon(self) -> None:
        assert self.density(NOW) == [0] * 3600
        slot = NOW // 1000 % 3600
        self.add(
            a_job("now"), a_job("now-too", 999), a_job("next", SECOND), a_job("end", HOUR - 1), a_job("beyond", HOUR)
        )
        self.add(a_job("overdue", -2 * SECOND), a_job("far", YEAR))
        cells = self.density(NOW)
        assert len(cells) == 3600
        wanted = {slot: 2, slot + 1: 1, (slot - 1) % 3600: 1, (slot - 2) % 3600: 1}
        assert {at: count for at, count in enumerate(cells) if count} == wanted
        assert sum(self.density(NOW, 1)) == 3
        assert sum(self.density(NOW, 3601)) == 6
        assert sum(self.density(NOW, 2 * 365 * 24 * 3600)) == 7

    def test_density_counts_due_jobs_but_not_running_or_finished_ones(self) -> None:
        self.add(a_job("a"), a_job("b"), a_job("c"), a_job("d"))
        claims = self.claim(limit=2)
        self.settle(claims[0], Succeeded())
        self.store.cancel(["c"], NOW)
        assert sum(self.density(NOW)) == 1

    # ---- no effect ---------------------------------------------------------------------------------------

    def test_reading_changes_nothing(self) -> None:
        self.some_of_all()
        before = (self.everything(), self.store.stats(NOW))
        for now in (NOW, NOW + 10 * YEAR, NOW - HOUR):
            self.store.stats(now)
            if isinstance(self.store, Density):
                self.store.density(now)
            self.store.next_due()
            self.store.next_due(["q"])
            self.store.scan(Filter(due_before_ms=now))
            self.store.get(["soon"])
            assert self.store.check() == []
        assert (self.everything(), self.store.stats(NOW)) == before
        assert self.claimed_ids(HOUR) == ["soon", "later"]

    def density(self, now_ms: int, horizon_s: int = 3600) -> list[int]:
        """The store's density; skip the test if it has none."""
        if not isinstance(self.store, Density):
            raise SkipTest("this store has no density()")
        return self.store.density(now_ms, horizon_s)
