"""The verbs of the contract over a State, for stores that keep one: decide, make durable, apply.

A store that mixes this in says how a change is made durable (``_commit``) and around what (``_changing``,
``_reading``); everything else about the verbs is here, once, so the memory store is a true fake of the JSON store.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import Final, TypeVar

from ...contract import Filter, Found, OnConflict, Stats
from ...errors import InvalidValue, TooManyPending
from ...job import Claim, Claims, Followed, Job, Outcome, bare
from ..fields import refuse_unsound
from ..keeping import FAILED_TTL_MS
from . import views
from .deciding import Wanted, choose, judge, plan_add, refuse_taken_key, unchoose
from .invariants import violations
from .limits import MOST_PAUSED, refuse_odd_name
from .records import (
    Cancelled,
    Claimed,
    Expired,
    Forgotten,
    Moved,
    Paused,
    Record,
    Renewed,
    Rescued,
    Resumed,
    Revived,
    Settled,
)
from .state import State, job_of

R = TypeVar("R")

_OWNER_MOST: Final = 150
"""Characters; some stores keep a file named after an owner."""


class StateVerbs(ABC):
    """Store verbs by way of a State."""

    max_pending: int | None = None
    """How many scheduled jobs there may be for more to be added; None for any number."""
    failed_ttl_ms: int = FAILED_TTL_MS
    """How long failed and expired jobs are kept, in milliseconds, unless their result_ttl is longer."""

    @abstractmethod
    def _changing(self, change: Callable[[State], R]) -> R:
        """What ``change`` returns, given the newest state, which it has for itself.

        On return what was committed in it is as durable as the store promises. (A function, not a block of ``with``:
        an exception from outside, such as Ctrl-C, can strike in ``__enter__`` and ``__exit__``, and leave a lock held.)
        """

    @abstractmethod
    def _reading(self, look: Callable[[State], R], *, one: bool = False) -> R:
        """What ``look`` returns, given the newest state, of which it changes nothing.

        With ``one`` it looks at one row and nothing else, so that it can be done in the midst of a change, too, by the
        handler of a signal that has interrupted it.
        """

    @abstractmethod
    def _commit(self, new: Sequence[Job], records: Sequence[Record]) -> None:
        """Write jobs to add and records as one indivisible change, then apply them, the records first."""

    def _watch(self, owner: str) -> None:  # noqa: B027 - a memory dies with its owners
        """Be able to tell from now on whether ``owner`` lives."""

    def _rescues(self, state: State, owner: str, now_ms: int) -> list[Record]:  # noqa: ARG002 - for who knows more
        """What becomes of running jobs whose owner is dead."""
        lapsed = state.dead_leases(now_ms)
        return [Rescued(now_ms, lapsed, f"its lease lapsed before {now_ms}")] if lapsed else []

    # ---- changing ----------------------------------------------------------------------------------------

    def add(self, jobs: Sequence[Job], *, on_conflict: OnConflict = "keep", fresh: bool = False) -> list[str]:
        """See Store.add."""
        if on_conflict not in ("keep", "replace", "raise"):
            raise InvalidValue.of("on_conflict", '"keep", "replace" or "raise"', on_conflict)
        if not fresh:
            for job in jobs:
                refuse_unsound(job)

        def change(state: State) -> list[str]:
            if fresh:
                self._refuse_too_many(state, len(jobs))
                self._commit(jobs, ())
                return [job.id for job in jobs]
            plan = plan_add(state, jobs, on_conflict)
            records = [] if not plan.replaced else [self._replacement(plan.replaced, plan.new)]
            self._refuse_too_many(state, len(plan.new) - len(plan.replaced))
            if plan.new or records:
                self._commit(plan.new, records)
            return plan.standing

        return self._changing(change)

    def _refuse_too_many(self, state: State, more: int) -> None:
        most, waiting = self.max_pending, state.counts.scheduled
        if most is not None and more > 0 and waiting + more > most:
            raise TooManyPending(
                f"{waiting} jobs wait to be run, and {more} more would be too many: max_pending is {most}; "
                "nothing was added"
            )

    def _replacement(self, replaced: list[str], new: list[Job]) -> Cancelled:
        now_ms = max((job.created_ms for job in new), default=0)
        return Cancelled(now_ms, replaced, "replaced by a newer job with the same key")

    def claim(
        self,
        owner: str,
        now_ms: int,
        limit: int,
        *,
        lease_ms: int | None = None,
        queues: Collection[str] | None = None,
        without: Collection[str] = (),
        ids: Collection[str] | None = None,
    ) -> list[Claim]:
        """See Store.claim."""
        if limit < 0:
            raise InvalidValue.of("limit", "0 or more", limit)
        if not 0 < len(owner) <= _OWNER_MOST:
            raise InvalidValue.of("owner", f"1 to {_OWNER_MOST} characters", owner)

        def change(state: State) -> list[Claim]:
            self._watch(owner)
            if rescues := self._rescues(state, owner, now_ms):
                self._commit((), rescues)
            state.take_due(now_ms)
            chosen, expired = choose(state, now_ms, Wanted(limit, queues, without, ids))
            if not chosen and not expired:
                return []
            taken = [job.id for job in chosen]
            token = state.token + 1
            lease_until_ms = None if lease_ms is None else now_ms + lease_ms
            records: list[Record] = [Expired(now_ms, expired)] if expired else []
            if taken:
                records.append(Claimed(owner, now_ms, token, taken, lease_until_ms))
            try:
                self._commit((), records)
            except BaseException:
                unchoose(state, taken + expired)
                raise
            rows = state.rows
            claims = [bare(Claim, (job_of(rows[id]), token + n, owner, lease_until_ms)) for n, id in enumerate(taken)]
            return Claims(claims, filter(None, map(state.get, expired))) if expired else claims

        return self._changing(change)

    def renew(self, claims: Sequence[Claim], now_ms: int, lease_ms: int) -> list[Claim]:
        """See Store.renew."""

        def change(state: State) -> list[Claim]:
            lapsed = set(state.dead_leases(now_ms))
            lost = [claim for claim in claims if not state.holds(claim) or claim.job.id in lapsed]
            held = [claim.job.id for claim in claims if claim not in lost]
            if held:
                self._commit((), [Renewed(held, now_ms + lease_ms)])
            return lost

        return self._changing(change)

    def settle(self, settlements: Sequence[tuple[Claim, Outcome]], now_ms: int) -> list[Claim]:
        """See Store.settle."""
        for _, outcome in settlements:
            if isinstance(outcome, Followed):
                refuse_unsound(outcome.job)

        def change(state: State) -> list[Claim]:
            items, lost, new = judge(state, settlements)
            if items:
                self._commit(new, [Settled(now_ms, items)])
            return lost

        return self._changing(change)

    def cancel(self, ids: Sequence[str], now_ms: int, *, reason: str | None = None) -> list[Found]:
        """See Store.cancel."""

        def change(state: State) -> list[Found]:
            found: list[Found] = []
            changed: dict[str, None] = {}
            for id in ids:
                stands = views.find(state, id)
                found.append(Found.FINISHED if id in changed and stands is Found.SCHEDULED else stands)
                if stands is Found.SCHEDULED or (stands is Found.RUNNING and job_of(state.rows[id]).cancel_ms is None):
                    changed[id] = None
            if changed:
                self._commit((), [Cancelled(now_ms, list(changed), reason)])
            return found

        return self._changing(change)

    def reschedule(self, id: str, due_ms: int, now_ms: int, *, finished: bool = False) -> Found:  # noqa: ARG002 - of the contract
        """See Store.reschedule."""

        def change(state: State) -> Found:
            found = views.find(state, id)
            if found is Found.SCHEDULED:
                self._commit((), [Moved(id, due_ms)])
            elif found is Found.FINISHED and finished:
                refuse_taken_key(state, id)
                self._commit((), [Revived(id, due_ms)])
            return found

        return self._changing(change)

    def forget(self, ids: Sequence[str]) -> list[Found]:
        """See Erasing.forget."""

        def change(state: State) -> list[Found]:
            found = {id: views.find(state, id) for id in ids}
            if over := [id for id, stands in found.items() if stands is Found.FINISHED]:
                self._commit((), [Forgotten(over)])
            return [found[id] for id in ids]

        return self._changing(change)

    def pause(self, names: Sequence[str]) -> list[str]:
        """See Pausable.pause."""
        for name in names:
            refuse_odd_name(name)

        def change(state: State) -> list[str]:
            paused = state.limits.paused
            new = [name for name in dict.fromkeys(names) if name not in paused]
            if len(paused) + len(new) > MOST_PAUSED:
                raise InvalidValue.of("names", f"no more than {MOST_PAUSED} with those that are paused", len(new))
            if new:
                self._commit((), [Paused(new)])
            return new

        return self._changing(change)

    def resume(self, names: Sequence[str]) -> list[str]:
        """See Pausable.resume."""

        def change(state: State) -> list[str]:
            held = [name for name in dict.fromkeys(names) if name in state.limits.paused]
            if held:
                self._commit((), [Resumed(held)])
            return held

        return self._changing(change)

    def paused(self) -> list[str]:
        """See Pausable.paused."""
        return self._reading(lambda state: sorted(state.limits.paused))

    # ---- reading -----------------------------------------------------------------------------------------

    def get(self, id: str) -> Job | None:
        """See Store.get."""
        return self._reading(lambda state: state.get(id), one=True)

    def scan(self, filter: Filter = Filter(), limit: int | None = None) -> list[Job]:  # noqa: B008 - a frozen value
        """See Store.scan."""
        return self._reading(lambda state: views.scan(state, filter, limit))

    def next_due(self, queues: Collection[str] | None = None, without: Collection[str] = ()) -> int | None:
        """See Store.next_due."""
        return self._reading(lambda state: views.next_due(state, queues, without))

    def stats(self, now_ms: int) -> Stats:
        """See Store.stats."""
        return self._reading(lambda state: views.stats(state, now_ms))

    def density(self, now_ms: int, horizon_s: int = 3600) -> list[int]:
        """See Store.density."""
        return self._reading(lambda state: views.density(state, now_ms, horizon_s))

    def check(self) -> list[str]:
        """See Store.check."""
        return self._reading(violations)
