"""Watched: a store that tells the ledger of every call and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hourwheel.contract import Beginning, Claims, Found, OnConflict, Store
from hourwheel.job import Claim, Job
from hourwheel.turn import Effect

from .ledger import Ledger

_COMPARE_EVERY = 8


class Watched:
    """The verbs that tickers and producers use."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger
        self._changes = 0
        self.next_due, self.scan, self.stats, self.check = store.next_due, store.scan, store.stats, store.check
        self.lease_ms = store.lease_ms
        if isinstance(store, Beginning):
            self._begin, self.begin = store.begin, self._begun

    # ---- tickers -----------------------------------------------------------------------------------------

    def claim(self, owner: str, now_ms: int, limit: int, *, ask: int | None = None, **options: Any) -> Claims:
        claims = self._store.claim(owner, now_ms, limit, ask=ask, **options)
        self._ledger.claimed(owner, now_ms, limit, claims, ask)
        return claims

    def beat(self, owner: str, now_ms: int) -> bool:
        alive = self._store.beat(owner, now_ms)
        self._ledger.beaten(owner, alive)
        return alive

    def settle(self, settlements: Sequence[tuple[Claim, Effect]], now_ms: int) -> list[Claim]:
        lost = self._store.settle(settlements, now_ms)
        self._ledger.settled(settlements, lost)
        return lost

    def tidy(self, now_ms: int, limit: int = 10_000) -> int:
        return self._store.tidy(now_ms, limit)

    def _begun(self, owner: str, token: int) -> None:
        self._begin(owner, token)
        self._ledger.marked(owner, token)

    # ---- producers ---------------------------------------------------------------------------------------

    def add(self, jobs: Sequence[Job], now_ms: int, *, on_conflict: OnConflict = "keep") -> list[str]:
        standing = self._store.add(jobs, now_ms, on_conflict=on_conflict)
        for job, stands in zip(jobs, standing, strict=True):
            self._ledger.added(job, on_conflict, stands)
        self._compare_now_and_then(now_ms)
        return standing

    def cancel(self, ids: Sequence[str], now_ms: int) -> list[Found]:
        found = self._store.cancel(ids, now_ms)
        for id, each in zip(ids, found, strict=True):
            self._ledger.cancelled(id, each)
        self._compare_now_and_then(now_ms)
        return found

    def reschedule(self, ids: Sequence[str], due_ms: int, now_ms: int) -> list[Found]:
        found = self._store.reschedule(ids, due_ms, now_ms)
        for id, each in zip(ids, found, strict=True):
            self._ledger.moved(id, due_ms, each)
        self._compare_now_and_then(now_ms)
        return found

    def _compare_now_and_then(self, now_ms: int) -> None:
        self._changes += 1
        if self._changes % (_COMPARE_EVERY + len(self._ledger.entries) // 100) == 0:
            self._ledger.compare(self._store.stats(now_ms))
