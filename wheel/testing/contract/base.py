"""The base of all parts of the contract suite: hooks, helpers, and what must hold after every test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from unittest import SkipTest

from ...contract import Claims, Filter, Stats, Store
from ...job import Claim, Job, Outcome, Released, Retried, Snoozed, State
from ...turn import Keep, effects

NOW: Final = 1_800_000_000_000
"""The current time in all tests, in milliseconds since the epoch: a whole second, in slot 0."""

SECOND: Final = 1_000
HOUR: Final = 3_600_000
YEAR: Final = 365 * 24 * HOUR
ALL: Final = 1_000_000
LEASE: Final = 10 * SECOND
AGAIN: Final[Sequence[Outcome]] = (Retried(due_ms=NOW), Snoozed(due_ms=NOW), Released())
"""The outcomes after which a job is due again."""


def a_job(id: str, due_in: int = 0, **fields: Any) -> Job:
    """A job that is due ``due_in`` milliseconds from NOW. By default its result is kept for 100 years."""
    fields = {"created_ms": NOW, "result_ttl_ms": 100 * YEAR, **fields}
    return Job(id=id, task=fields.pop("task", "app.work"), due_ms=NOW + due_in, **fields)


@contextmanager
def refused(kind: type[Exception]) -> Iterator[None]:
    """The block must raise ``kind``. (Not pytest.raises: the suite can be imported without pytest.)"""
    try:
        yield
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was not raised")


class ContractBase:
    """The hooks that a subclass fills in, and the store under test."""

    _store: Store | None = None
    forgotten = 0
    """How many jobs forget() or tidy() has dropped in this test."""

    # ---- hooks -------------------------------------------------------------------------------------------

    def make_store(self) -> Store:
        """A new, empty store."""
        raise NotImplementedError(f"define {type(self).__name__}.make_store(), which returns a new, empty store")

    def reopen(self, store: Store) -> Store | None:  # noqa: ARG002 - a hook
        """Close the store and open another on the same data; None (the default) if it keeps none."""
        return None

    def make_leased_store(self, lease_ms: int) -> Store | None:  # noqa: ARG002 - a hook
        """A new store that takes an owner for dead after ``lease_ms`` without a sign of life.

        None (the default) if the kernel tells the store when an owner dies; then the tests of leases are skipped.
        """
        return None

    def lapse(self, now_ms: int) -> int:
        """Let the lease lapse of an owner whose last sign of life came at ``now_ms``. Returns the time after that.

        Override it to wait if the store is on a server with its own clock.
        """
        return now_ms + LEASE

    # ---- around each test --------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The store of this test, made on first use."""
        if self._store is None:
            self._store = self.make_store()
        return self._store

    def leased_claim(self, **fields: Any) -> Claim:
        """A claim of the job "a" for owner "me", in a store with leases."""
        self.take_leased_store()
        self.add(a_job("a", **fields))
        return self.claim_one()

    def take_leased_store(self) -> None:
        """Use a store with leases in this test; skip the test if there is none."""
        self._store = self.make_leased_store(LEASE)
        if self._store is None:
            raise SkipTest("the kernel tells this store which owners live")

    def open_again(self) -> None:
        """Close the store and open it again; skip the test if it keeps nothing."""
        reopened = self.reopen(self.store)
        if reopened is None:
            raise SkipTest("this store keeps nothing when it is closed")
        self._store = reopened

    def teardown_method(self) -> None:
        """After every test: check that the store is sound, and holds the same when it is opened again."""
        if self._store is None:
            return
        try:
            self.assert_sound()
            self.assert_same_when_reopened()
        finally:
            self._store.close()
            self._store = None

    def assert_sound(self) -> None:
        """check() finds nothing, and the counts of stats() agree with each other and with the jobs."""
        assert self.store.check() == []
        stats = self.store.stats(NOW)
        finished = stats.succeeded + stats.failed + stats.cancelled + stats.expired
        assert stats.accepted == stats.scheduled + stats.running + finished
        states = [job.state for job in self.everything()]
        assert (states.count(State.SCHEDULED), states.count(State.RUNNING)) == (stats.scheduled, stats.running)
        assert stats.accepted == len(states) + self.forgotten, "no job may be dropped before its result_ttl is over"

    def assert_same_when_reopened(self) -> None:
        """The store holds the same when it is opened again."""
        jobs, stats = self.everything(), self._counts()
        reopened = self.reopen(self.store)
        if reopened is not None:
            self._store = reopened
            assert self.everything() == jobs
            assert self._counts() == stats
            assert self.store.check() == []

    def _counts(self) -> Stats:
        """The stats, without what a claim finds out and need not store: the hand, and which jobs are held back."""
        stats = replace(self.store.stats(NOW), hand=0)
        if self.store.paused() or any(job.limits for job in self.everything()):
            stats = replace(stats, next_due_ms=None)
        return stats

    # ---- helpers -----------------------------------------------------------------------------------------

    def everything(self) -> list[Job]:
        """All jobs, by (due_ms, id)."""
        return self.store.scan(Filter(), ALL)

    def add(self, *jobs: Job) -> None:
        """Add jobs, which must all be accepted."""
        assert self.store.add(jobs, NOW) == [job.id for job in jobs]

    def claim(self, after: int = 0, limit: int = 100, **options: Any) -> Claims:
        """Claim for owner "me", ``after`` milliseconds from NOW."""
        return self.store.claim(options.pop("owner", "me"), NOW + after, limit, **options)

    def claim_one(self, after: int = 0, **options: Any) -> Claim:
        """Claim, which must give exactly one job."""
        (claim,) = self.claim(after, **options)
        return claim

    def claimed_ids(self, after: int = 0, limit: int = 100, **options: Any) -> list[str]:
        """Claim, and return the ids in the order of the claims."""
        return [claim.job.id for claim in self.claim(after, limit, **options)]

    def settle(self, claim: Claim, outcome: Outcome, after: int = 0) -> None:
        """Settle a claim, which must not be lost."""
        assert self.store.settle(effects([(claim, outcome)]), NOW + after) == []

    def job(self, id: str) -> Job:
        """The job, which must be in the store."""
        job = self.store.get([id])[0]
        assert job is not None, f"job {id!r} is not in the store"
        return job

    def assert_job(self, id: str, **fields: object) -> None:
        """Assert that a job has these values in these fields."""
        job = self.job(id)
        assert {name: getattr(job, name) for name in fields} == fields

    def keep(self, claim: Claim, keep: Keep, after: int = 0) -> None:
        """Settle a claim, which must not be lost, with Keep."""
        assert self.store.settle([(claim, keep)], NOW + after) == []

    def state(self, id: str) -> State:
        """The state of a job, which must be in the store."""
        return self.job(id).state
