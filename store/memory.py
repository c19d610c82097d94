"""MemoryStore: a state behind a gate. It lasts as long as the process; in tests it is a verified fake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

from ..contract import OnConflict
from ..errors import HourwheelError, SoftTimeLimitExceeded, StoreClosed, StoreReentered
from ..job import Job
from ..job import State as JobState
from ..safety.gate import Gate
from .doorbell import Doorbell
from .keeping import FAILED_TTL_S, checked_failed_ttl_ms, checked_lease_ms, checked_max_pending
from .state.counts import Counts
from .state.leases import Leases
from .state.limits import Limits
from .state.records import Record
from .state.state import Row, State, job_of
from .state.verbs import StateVerbs

R = TypeVar("R")


class MemoryStore(StateVerbs):
    """A ring in the memory of this process.

    >>> store = MemoryStore()
    >>> store.add([Job(id="a", task="app.remind", due_ms=1000)], 0)
    ['a']
    >>> [claim.token for claim in store.claim("me", 1000, 10)]
    [1]
    """

    def __init__(
        self,
        *,
        max_pending: int | None = None,
        failed_ttl: float | timedelta = FAILED_TTL_S,
        lease_ms: int | None = None,
    ) -> None:
        """An empty store.

        Args:
            max_pending: while so many jobs are scheduled, adding one raises TooManyPending.
            failed_ttl: how long failed and expired jobs are kept at least, in seconds or as a timedelta.
            lease_ms: an owner without a sign of life for so many milliseconds is dead, as in a store on a server; None
                if all live, being in this process.

        Raises:
            InvalidValue: an argument breaks its rule.
        """
        self.max_pending = checked_max_pending(max_pending)
        self.failed_ttl_ms = checked_failed_ttl_ms(failed_ttl)
        if lease_ms is not None:
            self.leases = Leases(checked_lease_ms(lease_ms))
        self._state = State(rows=_Rows())
        self._gate = Gate("the store in memory")
        self._before: _Before | None = None
        """The state before the change in progress, which an exception from outside (Ctrl-C) may leave half made."""
        self._bell = Doorbell()
        self._closed = False

    def __repr__(self) -> str:
        return "MemoryStore()"

    def _changing(self, change: Callable[[State], R]) -> R:
        return self._gate.run(self._change, change)

    def _change(self, change: Callable[[State], R]) -> R:
        state = self._whole()
        self._before = before = _Before.of(state)
        before.rows.changed = before.changed
        try:
            result = change(state)
        except HourwheelError as error:  # raised before anything is changed, except a job's time limit
            if not isinstance(error, SoftTimeLimitExceeded):
                self._before = None
            raise
        self._before = None
        return result

    def _reading(self, look: Callable[[State], R], *, one: bool = False) -> R:
        try:
            return self._gate.run(lambda: look(self._whole()))
        except StoreReentered:  # a signal's handler, which must not wait for the thread that it has interrupted
            if not one:
                raise
            return look(self._state)

    def _whole(self) -> State:
        """The state, without a change that was left half made."""
        if self._closed:
            raise StoreClosed("the store is closed")
        if self._before is not None:
            self._state = self._before.restored()
            self._before = None
        return self._state

    def add(
        self, jobs: Sequence[Job], now_ms: int, *, on_conflict: OnConflict = "keep", fresh: bool = False
    ) -> list[str]:
        """See Store.add."""
        try:
            return super().add(jobs, now_ms, on_conflict=on_conflict, fresh=fresh)
        except StoreReentered:
            if not fresh:
                raise
        # done by the thread that the signal handler has interrupted
        self._gate.defer(lambda: self.add(jobs, now_ms, fresh=True))
        return [job.id for job in jobs]

    def _commit(self, new: Sequence[Job], records: Sequence[Record]) -> None:
        state = self._state
        for record in records:
            state.apply(record)
        for job in new:
            state.insert(job.id, job.due_ms, job, job.key, ranked=job.priority != 0)

    def wait(self, timeout_s: float) -> bool:
        """See Wakeup.wait."""
        return self._bell.wait(timeout_s)

    def notify(self) -> None:
        """See Wakeup.notify."""
        self._bell.ring()

    def close(self) -> None:
        """See Store.close."""
        self._closed = True
        self._bell.ring()


class _Rows(dict[str, Row]):
    """Rows that remember what they were before a change."""

    changed: dict[str, Row | None]

    def __init__(self) -> None:
        super().__init__()
        self.changed = {}

    def __setitem__(self, id: str, row: Row) -> None:
        self.changed.setdefault(id, self.get(id))
        super().__setitem__(id, row)

    def __delitem__(self, id: str) -> None:
        self.changed.setdefault(id, self.get(id))
        super().__delitem__(id)


class _Before(NamedTuple):
    """A state before a change. Rows are values; everything else follows from them and from these."""

    rows: _Rows
    changed: dict[str, Row | None]
    counts: Counts
    token: int
    hand: int
    limits: Limits
    left: dict[str, int]

    @classmethod
    def of(cls, state: State) -> _Before:
        rows: Any = state.rows
        return cls(rows, {}, copy(state.counts), state.token, state.ring.hand, state.limits.copy(), dict(state.left))

    def restored(self) -> State:
        """Make the state again. If an exception strikes in here, this can be called again."""
        rows = _Rows()
        rows.update({id: row for id, row in self.rows.items() if id not in self.changed})
        rows.update({id: row for id, row in self.changed.items() if row is not None})
        jobs = list(map(job_of, rows.values()))
        running = [job for job in jobs if job.state is JobState.RUNNING]
        state = State(
            rows=rows, counts=copy(self.counts), hand=self.hand, token=self.token, running=running,
            limits=self.limits.copy(),
        )  # fmt: skip
        for job in jobs:
            state.place(job)
        state.left = dict(self.left)
        return state
