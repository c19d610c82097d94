"""Bugs that are sown into the store, one at a time, before the processes are forked: each must be noticed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from hourwheel.contract import Claims
from hourwheel.errors import StoreBusy
from hourwheel.job import Claim, Job
from hourwheel.store import JsonStore
from hourwheel.store.file.compaction import Compaction
from hourwheel.store.file.epoch import Epoch
from hourwheel.store.file.keeper import Keeper
from hourwheel.store.file.newest import Newest
from hourwheel.store.file.system.lock import FileLock
from hourwheel.store.file.system.place import Place
from hourwheel.store.state.records import Claimed, Record, Rescued
from hourwheel.store.state.state import State
from hourwheel.store.state.verbs import StateVerbs
from hourwheel.turn import Effect


def _locks_the_replaced_file() -> None:
    """The lock is on the snapshot, which each compaction replaces, and nobody looks whether it has its name still."""
    Place.lock = property(lambda self: self.path)  # type: ignore[misc, assignment]
    FileLock.check = lambda self: None  # type: ignore[method-assign]


def _does_not_write_claims() -> None:
    """A claim is applied in the memory of whoever claims, and is in no journal."""
    right = Keeper.commit

    def commit(self: Keeper, new: Sequence[Job], records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record, Claimed):
                self.newest.epoch.state.apply(record)
        right(self, new, [record for record in records if not isinstance(record, Claimed)])

    Keeper.commit = commit  # type: ignore[method-assign]


def _does_not_catch_up() -> None:
    """Once in fifty times whoever has the lock does not look for what others have written."""
    right, chance = Newest.catch_up, random.Random(1)

    def catch_up(self: Newest) -> Epoch:
        return self.epoch if chance.random() < 0.02 else right(self)

    Newest.catch_up = catch_up  # type: ignore[method-assign]


def _judges_death_by_time() -> None:
    """Who has had a claim for 200 ms is taken for dead; a stopped process is not."""

    def rescues(self: JsonStore, state: State, owner: str, now_ms: int) -> list[Record]:
        slow = [
            id
            for id, holder in state.running.items()
            if holder != owner and (job := state.get(id)) is not None and (job.started_ms or 0) < now_ms - 200
        ]
        return [Rescued(now_ms, slow, "too slow")] if slow else []

    JsonStore._rescues = rescues  # type: ignore[method-assign]


def _shows_its_life_sign_late() -> None:
    """An owner's sign is shown after its first claim."""
    claim, show = StateVerbs.claim, JsonStore._watch

    def claim_then_show(self: Any, owner: str, now_ms: int, *args: Any, **kwargs: Any) -> Claims:
        claims = claim(self, owner, now_ms, *args, **kwargs)
        show(self, owner, now_ms)
        return claims

    JsonStore._watch = lambda self, owner, now_ms: None  # type: ignore[method-assign]
    JsonStore.claim = claim_then_show  # type: ignore[method-assign, assignment]


def _unlocks_in_a_child() -> None:
    """A forked child unlocks what it has from its parent."""
    right = Keeper.forget_parent

    def forget(self: Keeper) -> None:
        self.newest.lock.release()
        right(self)

    Keeper.forget_parent = forget  # type: ignore[method-assign]


def _compacts_without_the_latest() -> None:
    """What is written while a compaction is under way is not taken over into the new epoch."""

    def forget_the_rest(self: Compaction, most: int | None = None) -> None:
        self._copied = self._old.journal.end

    Compaction._copy = forget_the_rest  # type: ignore[method-assign]


def _takes_busy_for_done() -> None:
    """settle() of a store that is busy says that nothing was lost."""
    right = StateVerbs.settle

    def settle(self: Any, settlements: Sequence[tuple[Claim, Effect]], now_ms: int) -> list[Claim]:
        try:
            return right(self, settlements, now_ms)
        except StoreBusy:
            return []

    JsonStore.settle = settle  # type: ignore[method-assign, assignment]


def _does_not_rescue() -> None:
    """Jobs of the dead run for ever."""
    JsonStore._rescues = lambda self, state, owner, now_ms: []  # type: ignore[method-assign]


def _claims_early() -> None:
    """A claim rounds the present up to the next second."""
    right = StateVerbs.claim

    def claim(self: Any, owner: str, now_ms: int, *args: Any, **kwargs: Any) -> Claims:
        return right(self, owner, -(-now_ms // 1000) * 1000, *args, **kwargs)

    JsonStore.claim = claim  # type: ignore[method-assign, assignment]


BUGS: dict[str, Callable[[], None]] = {
    "claim not journalled": _does_not_write_claims,
    "catch-up skipped after the lock": _does_not_catch_up,
    "lock on the replaced file": _locks_the_replaced_file,
    "death judged by time": _judges_death_by_time,
    "life sign shown after the first claim": _shows_its_life_sign_late,
    "a child unlocks what it inherits": _unlocks_in_a_child,
    "a compaction forgets what came meanwhile": _compacts_without_the_latest,
    "a busy store is taken for done": _takes_busy_for_done,
    "jobs of the dead are not rescued": _does_not_rescue,
    "claimed up to a second early": _claims_early,
}
