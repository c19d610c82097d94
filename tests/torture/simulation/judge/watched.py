"""Watched: a store that tells the ledger of every call and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hourwheel.contract import Found, OnConflict, Store
from hourwheel.job import Claim, Job, Outcome

from .ledger import Ledger

_COMPARE_EVERY = 8


class Watched:
    """The verbs that tickers and producers use."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger
        self._changes = 0
        self.next_due, self.scan, self.stats, self.check = store.next_due, store.scan, store.stats, store.check

    # ---- tickers -----------------------------------------------------------------------------------------

    def claim(self, owner: str, now_ms: int, limit: int, **options: Any) -> list[Claim]:
        claims = self._store.claim(owner, now_ms, limit, **options)
        self._ledger.claimed(owner, now_ms, limit, claims)
        return claims

    def settle(self, settlements: Sequence[tuple[Claim, Outcome]], now_ms: int) -> list[Claim]:
        lost = self._store.settle(settlements, now_ms)
        self._ledger.settled(settlements, lost)
        return lost

    # ---- producers ---------------------------------------------------------------------------------------

    def add(self, jobs: Sequence[Job], *, on_conflict: OnConflict = "keep") -> list[str]:
        standing = self._store.add(jobs, on_conflict=on_conflict)
        for job, stands in zip(jobs, standing, strict=True):
            self._ledger.added(job, on_conflict, stands)
        self._compare_now_and_then(jobs[0].created_ms)
        return standing

    def cancel(self, ids: Sequence[str], now_ms: int) -> list[Found]:
        found = self._store.cancel(ids, now_ms)
        for id, each in zip(ids, found, strict=True):
            self._ledger.cancelled(id, each)
        self._compare_now_and_then(now_ms)
        return found

    def reschedule(self, id: str, due_ms: int, now_ms: int) -> Found:
        found = self._store.reschedule(id, due_ms, now_ms)
        self._ledger.moved(id, due_ms, found)
        self._compare_now_and_then(now_ms)
        return found

    def _compare_now_and_then(self, now_ms: int) -> None:
        self._changes += 1
        if self._changes % (_COMPARE_EVERY + len(self._ledger.entries) // 100) == 0:
            self._ledger.compare(self._store.stats(now_ms))
