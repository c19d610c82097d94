"""Protocols with a bug in them, one each: a campaign that finds none of these proves nothing about the right one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hourwheel.errors import StoreError
from hourwheel.job import Claim, Job
from hourwheel.job import State as JobState
from hourwheel.store.file import epoch
from hourwheel.store.file.compaction import Compaction
from hourwheel.store.file.epoch import Epoch
from hourwheel.store.file.format import journal, lines
from hourwheel.store.file.format.journal import Journal
from hourwheel.store.file.format.lines import Batch
from hourwheel.store.file.keeper import Keeper
from hourwheel.store.file.newest import Newest
from hourwheel.store.file.store import Durability
from hourwheel.store.file.system.ended import remove_ended
from hourwheel.store.file.system.system import sync_directory
from hourwheel.store.state.records import Claimed
from hourwheel.store.state.state import State

from .disk import Process
from .workload import USUAL

Sow = Callable[[pytest.MonkeyPatch], Callable[[Process], None] | None]


@dataclass(frozen=True, slots=True)
class Seed:
    """A bug. ``sow`` patches the store for the length of a test, or returns a handicap for its processes."""

    sow: Sow
    kinds: str = USUAL
    """The steps that bring it out soonest."""
    durability: Durability = "sync"
    nested: float = 0.01
    """The share of states in which the power fails a second time."""


SEEDS: dict[str, Seed] = {}


def _seed(kinds: str = USUAL, **options: Any) -> Callable[[Sow], Sow]:
    def keep(sow: Sow) -> Sow:
        SEEDS[sow.__name__.replace("_", " ")] = Seed(sow, kinds, **options)
        return sow

    return keep


# ---- syncs that are missing ------------------------------------------------------------------------------


@_seed()
def acknowledged_before_the_sync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Journal, "sync", lambda self, upto=None: setattr(self, "synced", self.end))


@_seed()
def the_new_snapshot_is_not_synced(patch: pytest.MonkeyPatch) -> Callable[[Process], None]:
    return lambda process: _without_sync(process, lambda path: path.endswith(".next"))


@_seed()
def the_directory_is_never_synced(patch: pytest.MonkeyPatch) -> Callable[[Process], None]:
    return lambda process: _without_sync(process, lambda path: path == "directory")


def _without_sync(process: Process, chosen: Callable[[str], bool]) -> None:
    real = process.fsync

    def fsync(fd: int) -> None:
        if not chosen(process.path_of(fd)):
            real(fd)

    process.fsync = fsync  # type: ignore[method-assign]


@_seed("add other_adds other_dies_after_the_rename")
def who_opens_does_not_sync_the_directory_for_one_who_died(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(epoch, "sync_directory", lambda system, path: None)


@_seed("add sync_fails")
def a_failed_sync_is_tried_again(patch: pytest.MonkeyPatch) -> None:
    real = Keeper.failed

    def failed(self: Keeper, error: OSError) -> StoreError:
        answer = real(self, error)
        self._trouble = None
        self.newest.epoch.journal.broken = False
        return answer

    patch.setattr(Keeper, "failed", failed)
    patch.setattr(Newest, "seal_doubtful", lambda self: None)


@_seed("add other_adds sync_fails")
def nobody_else_is_told_of_a_failed_sync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Newest, "seal_doubtful", lambda self: None)


# ---- the thread of "interval" ----------------------------------------------------------------------------


@_seed(durability="interval")
def the_thread_of_interval_never_syncs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Keeper, "_sync_quietly", lambda self: None)


@_seed("add add sync_fails", durability="interval")
def a_failed_sync_of_interval_is_left_to_whoever_calls_next(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Keeper, "_sync_quietly", _sync_of_its_own_only)


@_seed("add other_adds_and_dies", durability="interval")
def what_a_dead_process_wrote_is_synced_by_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Keeper, "_sync_quietly", _sync_of_its_own_only)


def _sync_of_its_own_only(keeper: Keeper) -> None:
    if keeper._trouble is None:
        with suppress(StoreError):
            keeper._sync((keeper.newest.epoch, keeper.newest.epoch.journal.end))


# ---- the order of a compaction ---------------------------------------------------------------------------


def _finish(patch: pytest.MonkeyPatch, body: Callable[[Compaction], None]) -> None:
    def finish(self: Compaction) -> Epoch:
        assert self.new is not None
        body(self)
        self._let_go()
        return self.new

    patch.setattr(Compaction, "finish", finish)


def _copy_rest(work: Compaction) -> None:
    if work._copied < work._old.journal.end:
        work._copy()


def _rename(work: Compaction) -> None:
    work._system.replace(work._place.next, work._place.path)
    sync_directory(work._system, work._place.directory)


@_seed("compact_while_adding add")
def renamed_before_the_new_journal_is_complete(patch: pytest.MonkeyPatch) -> None:
    def body(work: Compaction) -> None:
        work._old.seal(work.number)
        _rename(work)
        _copy_rest(work)
        work.new.journal.sync()  # type: ignore[union-attr]

    _finish(patch, body)


@_seed("add other_adds compact compact_while_adding")
def the_new_journal_is_not_synced(patch: pytest.MonkeyPatch) -> Callable[[Process], None]:
    def handicap(process: Process) -> None:
        real, renamed = process.fdatasync, process.replace
        begun: set[str] = set()

        def fdatasync(fd: int) -> None:
            path = process.path_of(fd)
            if path.endswith(".journal.1") or path in begun:
                real(fd)

        def replace(old: str, new: str) -> None:
            renamed(old, new)
            begun.update(process.paths())

        process.fdatasync, process.replace = fdatasync, replace  # type: ignore[method-assign]

    return handicap


@_seed()
def the_old_journal_is_removed_before_the_rename(patch: pytest.MonkeyPatch) -> None:
    def body(work: Compaction) -> None:
        _copy_rest(work)
        work.new.journal.sync()  # type: ignore[union-attr]
        remove_ended(work._place, work._system, work._old.store_id, work.number)
        _rename(work)

    _finish(patch, body)


@_seed()
def the_old_journal_is_emptied_first(patch: pytest.MonkeyPatch) -> None:
    def body(work: Compaction) -> None:
        _copy_rest(work)
        work.new.journal.sync()  # type: ignore[union-attr]
        work._system.ftruncate(work._old.journal.fd, 0)
        work._system.fdatasync(work._old.journal.fd)
        _rename(work)

    _finish(patch, body)


@_seed()
def the_snapshot_is_written_in_place(patch: pytest.MonkeyPatch) -> None:
    def body(work: Compaction) -> None:
        system = work._system
        _copy_rest(work)
        work.new.journal.sync()  # type: ignore[union-attr]
        work._old.seal(work.number)
        size = system.fstat(work._fd).st_size
        fd = system.open(work._place.path, 2)
        system.ftruncate(fd, 0)
        system.pwrite(fd, system.pread(work._fd, size, 0), 0)
        system.fsync(fd)
        system.close(fd)

    _finish(patch, body)


@_seed("add other_compacts")
def the_old_journal_is_not_sealed(patch: pytest.MonkeyPatch) -> None:
    def body(work: Compaction) -> None:
        _copy_rest(work)
        work.new.journal.sync()  # type: ignore[union-attr]
        _rename(work)

    _finish(patch, body)


# ---- what is believed of a file --------------------------------------------------------------------------


@_seed("add add_many")
def half_of_a_change_is_taken_for_a_whole_one(patch: pytest.MonkeyPatch) -> None:
    real = journal.split

    def split(data: bytes, offset: int) -> tuple[list[Batch], int]:
        batches, end = real(data, offset)
        stop = data.find(b"\n", end - offset)
        while stop > end - offset and journal.is_sound(line := data[end - offset : stop]):
            end = offset + stop + 1
            batches.append(Batch([line[16:]], end))
            stop = data.find(b"\n", end - offset)
        return batches, end

    patch.setattr(journal, "split", split)


@_seed("add add_many")
def remains_behind_a_hole_are_left_there(patch: pytest.MonkeyPatch) -> None:
    real = Epoch.mend_tail
    patch.setattr(Epoch, "mend_tail", lambda self, *, after_power_loss=False: real(self))


@_seed("add_many", nested=0.5)
def what_is_cut_off_is_blanked_over(patch: pytest.MonkeyPatch) -> None:
    def cut(self: Journal) -> None:
        self._pwrite(self.fd, b"\n" * (self.size - self.end), self.end)
        self._fdatasync(self.fd)

    patch.setattr(Journal, "cut", cut)


@_seed()
def an_unfinished_write_is_taken_for_damage(patch: pytest.MonkeyPatch) -> None:
    real = lines.classify
    patch.setattr(
        epoch,
        "classify",
        lambda data, offset: ("damaged", "") if real(data, offset)[0] == "torn" else real(data, offset),
    )


# ---- what is decided -------------------------------------------------------------------------------------


@_seed("add claim settle settle_stale")
def the_token_is_not_compared(patch: pytest.MonkeyPatch) -> None:
    def holds(self: State, claim: Claim) -> bool:
        row = self.rows.get(claim.job.id)
        return isinstance(row, Job) and row.state is JobState.RUNNING

    patch.setattr(State, "holds", holds)


@_seed("add claim settle")
def a_claim_is_not_written(patch: pytest.MonkeyPatch) -> None:
    real = Keeper.commit

    def commit(self: Keeper, new: Any, records: Any) -> None:
        for record in records:
            if isinstance(record, Claimed):
                self.newest.epoch.state.apply(record)
        real(self, new, [record for record in records if not isinstance(record, Claimed)])

    patch.setattr(Keeper, "commit", commit)
