"""The verbs of the contract over a State, for stores that keep one: decide, make durable, apply.

A subclass says how a change is made durable (``_commit``), and how the state is reached (``_changing``, ``_reading``).
All the rest is here, once, so the memory store is a true fake of the JSON store.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, TypeVar

from ...contract import Claims, Cursor, Filter, Found, OnConflict, Stats
from ...errors import InvalidValue, TooManyPending
from ...job import Claim, Job, bare
from ...turn import Effect, End
from ..effects import refuse_odd_effect
from ..fields import refuse_odd, refuse_odd_instant, refuse_unsound
from ..keeping import FAILED_TTL_MS
from . import views
from .deciding import Wanted, choose, join, judge, may_tidy, over_by, plan_add, refuse_taken_keys, unchoose
from .invariants import violations
from .leases import Leases
from .limits import MOST_PAUSED, refuse_odd_name
from .records import (
    Cancelled,
    Claimed,
    Expired,
    Forgotten,
    Moved,
    Paused,
    Record,
    Resumed,
    Revived,
    Settled,
    Tidied,
)
from .state import State, job_of

R = TypeVar("R")

_OWNER_MOST: Final = 150
"""Characters. Some stores keep a file named after an owner."""
_REPLACED: Final = "replaced by a newer job with the same key"
_REPLACED_TTL_MS: Final = 300_000
"""A replaced job is not kept longer: a debounced key leaves one each time."""


class StateVerbs(ABC):
    """The verbs of a Store over a State."""

    max_pending: int | None = None
    """How many scheduled jobs there may be; None for any number."""
    failed_ttl_ms: int = FAILED_TTL_MS
    """How long failed and expired jobs are kept, in milliseconds, unless their result_ttl is longer."""
    leases: Leases | None = None
    """Which owners live; None if the kernel tells."""

    @property
    def lease_ms(self) -> int | None:
        """See Store.lease_ms."""
        return None if self.leases is None else self.leases.lease_ms

    def now_ms(self) -> int | None:
        """See Store.now_ms."""
        return None

    @abstractmethod
    def _changing(self, change: Callable[[State], R]) -> R:
        """What ``change`` returns, given the newest state, which no other thread uses meanwhile.

        On return what was committed in it is as durable as the store promises. (This is not a context manager, as an
        exception from outside, such as Ctrl-C, can strike in ``__enter__`` or ``__exit__`` and leave a lock held.)
        """

    @abstractmethod
    def _reading(self, look: Callable[[State], R], *, one: bool = False) -> R:
        """What ``look`` returns, given the newest state, which it does not change.

        With ``one`` it looks at a single row, so that a signal handler may do it in the middle of a change.
        """

    @abstractmethod
    def _commit(self, new: Sequence[Job], records: Sequence[Record]) -> None:
        """Write records and jobs to add as one atomic change, then apply them, the records first."""

    def _watch(self, owner: str, now_ms: int) -> None:
        """An owner claims: from now on it must be known whether it lives."""
        if self.leases is not None:
            self.leases.begin(owner, now_ms)

    def _rescues(self, state: State, owner: str, now_ms: int) -> list[Record]:  # noqa: ARG002 - for a store that knows more
        """What happens to running jobs whose owner is dead."""
        return [] if self.leases is None else self.leases.rescues(state, now_ms)

    # ---- adding and running ------------------------------------------------------------------------------

    def add(
        self, jobs: Sequence[Job], now_ms: int, *, on_conflict: OnConflict = "keep", fresh: bool = False
    ) -> list[str]:
        """See Store.add."""
        if on_conflict not in ("keep", "replace", "raise"):
            raise InvalidValue.of("on_conflict", '"keep", "replace" or "raise"', on_conflict)
        refuse_odd_instant("now_ms", now_ms)
        if not fresh:
            for job in jobs:
                refuse_unsound(job)

        def change(state: State) -> list[str]:
            if fresh:
                self._refuse_too_many(state, len(jobs))
                self._commit(jobs, ())
                return [job.id for job in jobs]
            plan = plan_add(state, jobs, on_conflict)
            new, records = join(state, plan, now_ms)
            if plan.replaced:
                records.insert(0, Cancelled(now_ms, plan.replaced, _REPLACED, _REPLACED_TTL_MS))
            self._refuse_too_many(state, len(new) - len(plan.replaced))
            if new or records:
                self._commit(new, records)
            return plan.standing

        return self._changing(change)

    def _refuse_too_many(self, state: State, more: int) -> None:
        most, waiting = self.max_pending, state.counts.scheduled
        if most is not None and more > 0 and waiting + more > most:
            raise TooManyPending(
                f"{waiting} jobs wait to be run, and {more} more would be too many: max_pending is {most}; "
                "nothing was added"
            )

    def claim(
        self,
        owner: str,
        now_ms: int,
        limit: int,
        *,
        queues: Collection[str] | None = None,
        without: Collection[str] = (),
        ids: Collection[str] | None = None,
        ask: int | None = None,
    ) -> Claims:
        """See Store.claim."""
        refuse_odd_instant("now_ms", now_ms)
        if limit < 0:
            raise InvalidValue.of("limit", "0 or more", limit)
        if not 0 < len(owner) <= _OWNER_MOST:
            raise InvalidValue.of("owner", f"1 to {_OWNER_MOST} characters", owner)

        def change(state: State) -> Claims:
            if rescues := self._rescues(state, owner, now_ms):
                self._commit((), rescues)
            self._watch(owner, now_ms)
            unheard = [] if ask is None else views.claimed_since(state, owner, ask)
            chosen, expired = choose(state, now_ms, Wanted(limit, queues, without, ids))
            taken = [job.id for job in chosen]
            if taken or expired:
                records: list[Record] = [Expired(now_ms, expired)] if expired else []
                if taken:
                    records.append(Claimed(owner, now_ms, state.token + 1, taken))
                try:
                    self._commit((), records)
                except BaseException:
                    unchoose(state, taken + expired)
                    raise
            rows: Any = state.rows  # of what runs they are jobs, not text
            return Claims(
                [bare(Claim, ((job := rows[id]), job.token, owner)) for id in (*unheard, *taken)],
                next_ms=now_ms if limit and len(taken) == limit else views.next_due(state, queues, without),
                ask=state.token,
                unrun=filter(None, map(state.get, expired)),
            )

        return self._changing(change)

    def beat(self, owner: str, now_ms: int) -> bool:
        """See Store.beat."""
        return self.leases is None or self._changing(lambda _: self.leases is None or self.leases.beat(owner, now_ms))

    def settle(self, settlements: Sequence[tuple[Claim, Effect]], now_ms: int) -> list[Claim]:
        """See Store.settle."""
        refuse_odd_instant("now_ms", now_ms)
        for _, effect in settlements:
            if type(effect) is not End or effect.changes or effect.returned != "null":
                refuse_odd_effect(effect)

        def change(state: State) -> list[Claim]:
            items, lost, new = judge(state, settlements)
            if items:
                self._commit(new, [Settled(now_ms, items)])
            return lost

        return self._changing(change)

    # ---- changing ----------------------------------------------------------------------------------------

    def cancel(
        self, ids: Sequence[str], now_ms: int, *, reason: str | None = None, tokens: Sequence[int] | None = None
    ) -> list[Found]:
        """See Store.cancel."""
        refuse_odd_instant("now_ms", now_ms)
        refuse_odd("reason", reason)
        expected = _by_id(ids, tokens)

        def change(state: State) -> list[Found]:
            found: list[Found] = []
            changed: dict[str, None] = {}
            for id in ids:
                stands = views.find(state, id, expected.get(id))
                found.append(Found.FINISHED if id in changed and stands is Found.SCHEDULED else stands)
                if stands is Found.SCHEDULED or (stands is Found.RUNNING and job_of(state.rows[id]).cancel_ms is None):
                    changed[id] = None
            if changed:
                self._commit((), [Cancelled(now_ms, list(changed), reason)])
            return found

        return self._changing(change)

    def reschedule(self, ids: Sequence[str], due_ms: int, now_ms: int) -> list[Found]:  # noqa: ARG002 - of the contract
        """See Store.reschedule."""
        refuse_odd_instant("due_ms", due_ms)
        return self._changing_some(ids, Found.SCHEDULED, lambda _, some: Moved(some, due_ms))

    def revive(
        self,
        ids: Sequence[str],
        due_ms: int,
        now_ms: int,  # noqa: ARG002 - of the contract
        *,
        tokens: Sequence[int] | None = None,
    ) -> list[Found]:
        """See Store.revive."""
        refuse_odd_instant("due_ms", due_ms)

        def record(state: State, some: list[str]) -> Record:
            refuse_taken_keys(state, some)
            return Revived(some, due_ms)

        return self._changing_some(ids, Found.FINISHED, record, tokens)

    def forget(self, ids: Sequence[str], *, tokens: Sequence[int] | None = None) -> list[Found]:
        """See Store.forget."""
        return self._changing_some(ids, Found.FINISHED, lambda _, some: Forgotten(some), tokens)

    def _changing_some(
        self,
        ids: Sequence[str],
        wanted: Found,
        record: Callable[[State, list[str]], Record],
        tokens: Sequence[int] | None = None,
    ) -> list[Found]:
        """Change the jobs that are found as wanted; returns for each id where it was found."""
        expected = _by_id(ids, tokens)

        def change(state: State) -> list[Found]:
            found = {id: views.find(state, id, expected.get(id)) for id in ids}
            if some := [id for id, stands in found.items() if stands is wanted]:
                self._commit((), [record(state, some)])
            return [found[id] for id in ids]

        return self._changing(change)

    def tidy(self, now_ms: int, limit: int = 10_000) -> int:
        """See Store.tidy. One short record drops all that was over at an instant; jobs of one instant go together."""
        refuse_odd_instant("now_ms", now_ms)
        if not self._reading(lambda state: may_tidy(state, now_ms)):
            return 0

        def change(state: State) -> int:
            before, upto_ms = state.dropped, -1
            while upto_ms < now_ms and state.dropped - before < limit:
                upto_ms = over_by(state, now_ms, limit)
                self._commit((), [Tidied(upto_ms, self.failed_ttl_ms)])
            return state.dropped - before

        return self._changing(change)

    def pause(self, names: Sequence[str]) -> list[str]:
        """See Store.pause."""
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
        """See Store.resume."""

        def change(state: State) -> list[str]:
            held = [name for name in dict.fromkeys(names) if name in state.limits.paused]
            if held:
                self._commit((), [Resumed(held)])
            return held

        return self._changing(change)

    def paused(self) -> list[str]:
        """See Store.paused."""
        return self._reading(lambda state: sorted(state.limits.paused))

    # ---- reading -----------------------------------------------------------------------------------------

    def get(self, ids: Sequence[str]) -> list[Job | None]:
        """See Store.get."""
        return self._reading(lambda state: [state.get(id) for id in ids], one=len(ids) == 1)

    def scan(self, filter: Filter = Filter(), limit: int | None = None, *, after: Cursor | None = None) -> list[Job]:  # noqa: B008 - a frozen value
        """See Store.scan."""
        return self._reading(lambda state: views.scan(state, filter, limit, after))

    def next_due(self, queues: Collection[str] | None = None, without: Collection[str] = ()) -> int | None:
        """See Store.next_due."""
        return self._reading(lambda state: views.next_due(state, queues, without))

    def stats(self, now_ms: int) -> Stats:
        """See Store.stats."""
        return self._reading(lambda state: views.stats(state, now_ms))

    def density(self, now_ms: int, horizon_s: int = 3600) -> list[int]:
        """See Density.density."""
        return self._reading(lambda state: views.density(state, now_ms, horizon_s))

    def check(self) -> list[str]:
        """See Store.check."""
        return self._reading(violations)


def _by_id(ids: Sequence[str], tokens: Sequence[int] | None) -> dict[str, int]:
    """The token that each job must have."""
    return {} if tokens is None else dict(zip(ids, tokens, strict=True))
