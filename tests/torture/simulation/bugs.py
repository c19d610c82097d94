"""Bugs that are sown into the ring, the store and the ticker, one at a time: the simulation must notice each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from hourwheel.contract import Claims
from hourwheel.errors import StoreError
from hourwheel.job import Claim
from hourwheel.job import State as JobState
from hourwheel.ring import Ring
from hourwheel.store import MemoryStore
from hourwheel.store.state import views
from hourwheel.store.state.leases import Leases
from hourwheel.store.state.ready import Ready
from hourwheel.store.state.records import Rescued
from hourwheel.store.state.state import State
from hourwheel.worker.asking import Asking
from hourwheel.worker.heart import Heart
from hourwheel.worker.ticker import Ticker

from .memory_stores import MemoryStores

Sown = Callable[[], Any]


def ring_loses_a_slot() -> Any:
    """Jobs of one slot of the ring are never found."""
    visit = Ring._visit
    return patch.object(Ring, "_visit", lambda self, slot, until: [] if slot == 1234 else visit(self, slot, until))


def ring_sweeps_only_the_current_slot() -> Any:
    """A late tick looks at its own second only."""

    def sweep(self: Ring[str], second: int, _real: Any = Ring._sweep) -> None:
        self._hand = max(self._hand, second - 1)
        _real(self, second)

    return patch.object(Ring, "_sweep", sweep)


def jobs_before_the_clock_was_set_back_are_forgotten() -> Any:
    """What was swept and is not due again, after the wall clock was set back, is dropped."""
    return patch.object(Ready, "put_back", lambda self, entries: None)


def settle_is_not_fenced() -> Any:
    """Any claim of a running job may settle it, whatever its token."""

    def holds(self: State, claim: Claim) -> bool:
        job = self.get(claim.job.id)
        return job is not None and job.state is JobState.RUNNING

    return patch.object(State, "holds", holds)


def token_is_given_again_after_a_rescue() -> Any:
    """A rescue takes the newest token back."""

    def rescued(self: State, record: Rescued, _real: Any = State._rescued) -> None:
        _real(self, record)
        self.token -= len(record.ids)

    from hourwheel.store.state import state

    return patch.dict(state._APPLY, {Rescued: rescued})


def rescue_is_forgotten() -> Any:
    """Jobs of the dead run for ever."""
    return patch.object(MemoryStores, "_rescues", lambda self, state, owner, now_ms: [])


def rescue_goes_by_time() -> Any:
    """Whoever has run for two minutes is taken for dead."""

    def rescues(self: MemoryStores, state: State, owner: str, now_ms: int, _real: Any = MemoryStores._rescues) -> Any:
        found = _real(self, state, owner, now_ms)
        named = {id for record in found for id in record.ids}
        old = [id for id in state.running if id not in named and (state.get(id).started_ms or 0) < now_ms - 120_000]
        return [*found, Rescued(now_ms, old, "too slow")] if old else found

    return patch.object(MemoryStores, "_rescues", rescues)


def due_is_rounded_down() -> Any:
    """What is due within this second is taken at its beginning."""

    def claim(self: MemoryStores, owner: str, now_ms: int, limit: int, **rest: Any) -> Claims:
        return super(MemoryStores, self).claim(owner, now_ms // 1000 * 1000 + 999, limit, **rest)

    return patch.object(MemoryStores, "claim", claim, create=True)


def claim_is_not_exclusive() -> Any:
    """A claim with room left over gives out what another one runs."""

    def claim(self: MemoryStores, owner: str, now_ms: int, limit: int, **rest: Any) -> Claims:
        claims = super(MemoryStores, self).claim(owner, now_ms, limit, **rest)
        others = [id for id, holder in self._state.running.items() if holder != owner]
        if len(claims) < limit and others:
            job = self._state.get(others[0])
            assert job is not None
            claims.append(Claim(job._replace(owner=owner), job.token, owner))
        return claims

    return patch.object(MemoryStores, "claim", claim, create=True)


def remove_then_push() -> Any:
    """A claim takes jobs out, and enters them as running by a second change: who dies between them takes them along."""

    def died(self: MemoryStores, owner: str) -> None:
        state = self._state
        for id in [id for id, holder in state.running.items() if holder == owner]:
            del state.running[id], state.rows[id]

    return patch.object(MemoryStores, "died", died)


def superseded_job_comes_back() -> Any:
    """A job that was replaced while it ran is scheduled again when it asks for another run."""
    return patch.object(State, "is_superseded", lambda self, job: False)


def outcomes_are_dropped_when_the_store_fails() -> Any:
    """The ticker forgets what it could not settle."""

    def settle(self: Ticker, _real: Any = Ticker._settle) -> None:
        try:
            _real(self)
        finally:
            self._unsettled = []

    return patch.object(Ticker, "_settle", settle)


def claims_that_were_not_answered_are_forgotten() -> Any:
    """The ticker never asks for what it was not told of; a bug that this campaign has found."""

    def claim(self: Asking, *args: Any, _real: Any = Asking.claim, **options: Any) -> Claims:
        self._ask = 1 << 60
        return _real(self, *args, **options)

    return patch.object(Asking, "claim", claim)


def ask_is_advanced_before_the_answer_is_there() -> Any:
    """The ticker takes what was claimed for heard of, although the answer was lost."""

    def claim(self: Asking, *args: Any, _real: Any = Asking.claim, **options: Any) -> Claims:
        try:
            return _real(self, *args, **options)
        except StoreError:
            self._ask = (self._ask or 0) + 1_000
            raise

    return patch.object(Asking, "claim", claim)


def ask_is_ignored() -> Any:
    """The store does not give again what its owner has not heard of."""
    return patch.object(views, "claimed_since", lambda state, owner, token: [])


def no_sign_of_life_while_draining() -> Any:
    """A ticker that is to stop beats no longer, while its jobs run."""

    def stop_claiming(self: Ticker, timeout_s: float, _real: Any = Ticker.stop_claiming) -> None:
        _real(self, timeout_s)
        self._heart = Heart(MemoryStore(), self._clock, "nobody")

    return patch.object(Ticker, "stop_claiming", stop_claiming)


def what_was_claimed_before_the_lease_lapsed_is_begun() -> Any:
    """A node that was taken for dead goes on with the claims that wait in its queue."""
    return patch.object(Heart, "_refuse_doubtful", lambda self, token: None)


def signs_of_life_count_for_nothing() -> Any:
    """A beat is answered, and does not make the lease any longer."""
    return patch.object(Leases, "beat", lambda self, owner, now_ms: self._until.get(owner, now_ms) > now_ms)


def next_due_is_asked_once_only() -> Any:
    """A ticker that was told that nothing is due believes it for ever, and ticks no more."""

    def claim(self: Ticker, _real: Any = Ticker._claim) -> tuple[int, int]:
        self._second = self._clock.now_ms() // 1000
        return _real(self)

    return patch.object(Ticker, "_claim", claim)


BUGS: Sequence[Sown] = (
    rescue_is_forgotten,
    due_is_rounded_down,
    claim_is_not_exclusive,
    ring_loses_a_slot,
    remove_then_push,
    token_is_given_again_after_a_rescue,
    jobs_before_the_clock_was_set_back_are_forgotten,
    rescue_goes_by_time,
    ring_sweeps_only_the_current_slot,
    superseded_job_comes_back,
    outcomes_are_dropped_when_the_store_fails,
    claims_that_were_not_answered_are_forgotten,
    next_due_is_asked_once_only,
    ask_is_advanced_before_the_answer_is_there,
    ask_is_ignored,
)
LEASE_BUGS: Sequence[Sown] = (
    signs_of_life_count_for_nothing,
    settle_is_not_fenced,
    no_sign_of_life_while_draining,
    what_was_claimed_before_the_lease_lapsed_is_begun,
)
"""Those that a store with leases brings to light, or much sooner."""


@contextmanager
def sown(bug: Sown) -> Iterator[None]:
    """For as long as the block runs the bug is there."""
    with bug():
        yield


def name_of(bug: Sown) -> str:
    return bug.__name__.replace("_", " ")
