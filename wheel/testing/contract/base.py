"""What the parts of the contract suite share: the hooks, the jobs they use, and what must hold after every test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from unittest import SkipTest

from ...contract import Claims, Filter, Stats, Store
from ...job import Claim, Job, Outcome, State
from ...turn import Keep, effects

NOW: Final = 1_800_000_000_000
"""The present of the suite, in milliseconds since the epoch: a whole second, the first of slot 0."""

SECOND: Final = 1_000
HOUR: Final = 3_600_000
YEAR: Final = 365 * 24 * HOUR
ALL: Final = 1_000_000
LEASE: Final = 10 * SECOND


def a_job(id: str, due_in: int = 0, **fields: Any) -> Job:
    """A job that is due ``due_in`` milliseconds from NOW, and whose result is kept for as long as the test may take."""
    fields = {"created_ms": NOW, "result_ttl_ms": 100 * YEAR, **fields}
    return Job(id=id, task=fields.pop("task", "app.work"), due_ms=NOW + due_in, **fields)


@contextmanager
def refused(kind: type[Exception]) -> Iterator[None]:
    """The block must raise ``kind``. (The suite needs no test framework to be imported.)"""
    try:
        yield
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was not raised")


class ContractBase:
    """The hooks that a subclass fills in, and the store under test."""

    _store: Store | None = None
    forgotten = 0
    """How many jobs this test has had dropped before their result_ttl was over."""

    # ---- hooks -------------------------------------------------------------------------------------------

    def make_store(self) -> Store:
        """A new, empty store."""
        raise NotImplementedError(f"{type(self).__name__} must say how a store is made: def make_store(self)")

    def reopen(self, store: Store) -> Store | None:  # noqa: ARG002 - a hook
        """Close the store and open another on the same data; None (the default) if it keeps none."""
        return None

    def make_leased_store(self, lease_ms: int) -> Store | None:  # noqa: ARG002 - a hook
        """A new store that takes an owner for dead after ``lease_ms`` without a sign of life.

        None (the default) if the kernel tells it when an owner dies; the tests of leases are skipped then.
        """
        return None

    def lapse(self, now_ms: int) -> int:
        """Let a lease lapse whose owner has given its last sign of life at ``now_ms``; the present after that.

        A store on a server that has a clock of its own waits here.
        """
        return now_ms + LEASE

    # ---- around each test --------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The store of this test, made when it is first asked for."""
        if self._store is None:
            self._store = self.make_store()
        return self._store

    def take_leased_store(self) -> None:
        """Go on with a store that knows by leases which owners live."""
        self._store = self.make_leased_store(LEASE)
        if self._store is None:
            raise SkipTest("the kernel tells this store which owners live")

    def teardown_method(self) -> None:
        """After every test: the store is sound, and what it holds is on its disk."""
        if self._store is None:
            return
        try:
            self.assert_sound()
            self.assert_same_when_reopened()
        finally:
            self._store.close()
            self._store = None

    def assert_sound(self) -> None:
        """check() finds nothing, and the ledger balances with the jobs that are there."""
        assert self.store.check() == []
        stats = self.store.stats(NOW)
        finished = stats.succeeded + stats.failed + stats.cancelled + stats.expired
        assert stats.accepted == stats.scheduled + stats.running + finished
        states = [job.state for job in self.everything()]
        assert (states.count(State.SCHEDULED), states.count(State.RUNNING)) == (stats.scheduled, stats.running)
        assert stats.accepted == len(states) + self.forgotten, "nothing may be dropped before its result_ttl is over"

    def assert_same_when_reopened(self) -> None:
        """Whoever opens the store anew finds the same."""
        jobs, stats = self.everything(), self._counts()
        reopened = self.reopen(self.store)
        if reopened is not None:
            self._store = reopened
            assert self.everything() == jobs
            assert self._counts() == stats
            assert reopened.check() == []

    def _counts(self) -> Stats:
        """The stats but for what a claim finds out and need not write down: the hand, and what is held back."""
        stats = replace(self.store.stats(NOW), hand=0)
        if self.store.paused() or any(job.limits for job in self.everything()):
            stats = replace(stats, next_due_ms=None)
        return stats

    # ---- words for the tests -----------------------------------------------------------------------------

    def everything(self) -> list[Job]:
        """All jobs, by (due_ms, id)."""
        return self.store.scan(Filter(), ALL)

    def add(self, *jobs: Job) -> None:
        """Add jobs that are to be accepted."""
        assert self.store.add(jobs, NOW) == [job.id for job in jobs]

    def claim(self, after: int = 0, limit: int = 100, **options: Any) -> Claims:
        """Claim for owner "me", ``after`` milliseconds from NOW."""
        return self.store.claim(options.pop("owner", "me"), NOW + after, limit, **options)

    def claim_one(self, after: int = 0, **options: Any) -> Claim:
        """Claim what must be exactly one job."""
        (claim,) = self.claim(after, **options)
        return claim

    def claimed_ids(self, after: int = 0, limit: int = 100, **options: Any) -> list[str]:
        """Claim; the ids in the order of the claims."""
        return [claim.job.id for claim in self.claim(after, limit, **options)]

    def settle(self, claim: Claim, outcome: Outcome, after: int = 0) -> None:
        """Settle a claim that is to hold."""
        assert self.store.settle(effects([(claim, outcome)]), NOW + after) == []

    def job(self, id: str) -> Job:
        """A job that is to be there."""
        job = self.store.get([id])[0]
        assert job is not None, f"job {id!r} is not in the store"
        return job

    def keep(self, claim: Claim, keep: Keep, after: int = 0) -> None:
        """Say something of a claim that runs on, and is to hold."""
        assert self.store.settle([(claim, keep)], NOW + after) == []

    def state(self, id: str) -> State:
        """The state of a job that is to be there."""
        return self.job(id).state
