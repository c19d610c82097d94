"""Stores with a bug in how they look at their files, one each; the cases must notice every one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import pytest
from hourwheel.store.file import compaction, epoch, newest
from hourwheel.store.file.compaction import Compaction
from hourwheel.store.file.format.journal import Journal
from hourwheel.store.file.identity import Identity
from hourwheel.store.file.system import ended, lock, within
from hourwheel.store.file.system.system import System

Sow = Callable[[pytest.MonkeyPatch], None]


class Seed(NamedTuple):
    """A bug, and the mischief that brings it out soonest."""

    sow: Sow
    kinds: tuple[str, ...]
    during: str


SEEDS: Final[dict[str, Seed]] = {}


def _seed(*kinds: str, during: str = "") -> Callable[[Sow], Sow]:
    def keep(sow: Sow) -> Sow:
        SEEDS[sow.__name__.replace("_", " ")] = Seed(sow, kinds, during)
        return sow

    return keep


@_seed("all files are removed", "the journal is replaced by an older copy")
def nothing_is_looked_at_before_a_job_is_acknowledged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Identity, "stirred", lambda self: False)
    patch.setattr(Identity, "confirm", lambda self, epoch: None)


@_seed("the snapshot is replaced by that of another store", "all files are moved and another store stands there")
def a_compaction_renames_whatever_has_the_name(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Compaction, "_refuse_strangers", lambda self, new: None)
    patch.setattr(Identity, "confirm", lambda self, epoch: None)


@_seed("the directory is renamed and another store begun", "a link to the directory is switched", during="compact")
def names_are_looked_up_by_their_whole_path(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(newest, "within", lambda directory, system: system)
    patch.setattr(Identity, "confirm", lambda self, epoch: None)
    patch.setattr(Identity, "check", lambda self, lock: None)
    patch.setattr(Identity, "refuse_other", lambda self, epoch: None)


@_seed("the journal is removed")
def a_journal_that_is_missing_is_made(patch: pytest.MonkeyPatch) -> None:
    real = epoch.open_journal

    def open_journal(place: Any, system: Any, header: Any, *, make: bool, write: bool = True) -> Journal:
        try:
            return Journal.open(
                place.journal(header.epoch), system, store_id=header.store_id, epoch=header.epoch, seq=header.seq
            )
        except FileNotFoundError:
            if not make:
                return real(place, system, header, make=make, write=write)
        return Journal.create(
            place.journal(header.epoch), system, store_id=header.store_id, epoch=header.epoch, seq=header.seq
        )

    patch.setattr(epoch, "open_journal", open_journal)
    patch.setattr(Identity, "stirred", lambda self: False)
    patch.setattr(Identity, "confirm", lambda self, epoch: None)


@_seed("a journal of another store stands in the way")
def clean_up_goes_by_the_name_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ended, "store_of", lambda path, system: _mine["id"])
    real = compaction.remove_ended

    def remove_ended(place: Any, system: Any, store_id: str, before: int) -> None:
        _mine["id"] = store_id
        real(place, system, store_id, before)

    patch.setattr(compaction, "remove_ended", remove_ended)


_mine: dict[str, str] = {"id": ""}


@_seed("the store is given to another user", "the store is opened to a group")
def what_is_made_belongs_to_whoever_makes_it(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(within.Within, "note_owner", lambda self, path: None)


@_seed("the journal is written over by an older copy", "the journal is cut to nothing")
def the_end_of_the_journal_is_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    def has_more(self: Journal) -> bool:
        return self._pread(self.fd, 1, self.end) not in (b"\n", b"\0", b"")

    patch.setattr(Journal, "has_more", has_more)


@_seed("the life signs are removed")
def a_sign_is_not_shown_again(patch: pytest.MonkeyPatch) -> None:
    real = lock.is_named

    def is_named(path: str, fd: int, system: System) -> bool:
        return ".owner." in path or real(path, fd, system)

    patch.setattr(lock, "is_named", is_named)
