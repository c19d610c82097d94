"""Stores with a bug in how they bear failures, one each; the sweep must notice every one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from hourwheel.errors import StoreError
from hourwheel.store.file import keeper
from hourwheel.store.file.format import journal
from hourwheel.store.file.format.journal import Journal
from hourwheel.store.file.keeper import Keeper
from hourwheel.store.file.newest import Newest
from hourwheel.store.file.system.failure import store_error

Sow = Callable[[pytest.MonkeyPatch], None]
SEEDS: Final[dict[str, Sow]] = {}


def _seed(sow: Sow) -> Sow:
    SEEDS[sow.__name__.replace("_", " ")] = sow
    return sow


@_seed
def a_failed_sync_is_tried_again(patch: pytest.MonkeyPatch) -> None:
    real = Keeper.failed

    def failed(self: Keeper, error: OSError) -> StoreError:
        answer = real(self, error)
        self._trouble = None
        self.newest.epoch.journal.broken = False
        return answer

    patch.setattr(Keeper, "failed", failed)
    patch.setattr(Newest, "seal_doubtful", lambda self: None)


@_seed
def a_failed_sync_is_kept_quiet(patch: pytest.MonkeyPatch) -> None:
    real = Journal.sync

    def sync(self: Journal, upto: int | None = None) -> None:
        try:
            real(self, upto)
        except OSError:
            self.broken = False

    patch.setattr(Journal, "sync", sync)


@_seed
def a_failed_write_is_kept_quiet(patch: pytest.MonkeyPatch) -> None:
    real = Journal.append

    def append(self: Journal, lines: bytes, records: int, *, reserve: bool) -> None:
        try:
            real(self, lines, records, reserve=reserve)
        except OSError:
            return

    patch.setattr(Journal, "append", append)


@_seed
def a_short_write_is_taken_for_a_whole_one(patch: pytest.MonkeyPatch) -> None:
    def append(self: Journal, lines: bytes, records: int, *, reserve: bool) -> None:
        del reserve
        self._pwrite(self.fd, lines, self.end)
        self.end += len(lines)
        self.seq += records

    patch.setattr(Journal, "append", append)


@_seed
def errors_of_the_system_reach_the_caller(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(keeper, "store_error", lambda error, what: error)


@_seed
def a_change_that_may_be_there_is_called_refused(patch: pytest.MonkeyPatch) -> None:
    real = Keeper.failed

    def failed(self: Keeper, error: OSError) -> StoreError:
        real(self, error)
        return store_error(error, "nothing was written")

    patch.setattr(Keeper, "failed", failed)


@_seed
def what_was_half_done_in_memory_is_worked_on_with(patch: pytest.MonkeyPatch) -> None:
    def failed(self: Keeper, error: OSError) -> StoreError:
        return store_error(error, "whether this change is on the disk is not known")

    patch.setattr(Keeper, "failed", failed)


@_seed
def a_journal_that_cannot_be_read_stays_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(journal, "close_file", lambda system, fd: None)


@_seed
def after_a_failure_the_store_never_works_again(patch: pytest.MonkeyPatch) -> None:
    def renew(self: Keeper) -> Any:
        raise StoreError("no new epoch is begun")

    patch.setattr(Keeper, "_renew", renew)
