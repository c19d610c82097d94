"""Compaction: begin a new epoch, with everything that has happened so far in its snapshot.

Most of it is done in the background, while the store goes on in the old epoch:

    1. lock ``tasks.json.next``, so that no other process does this, then,
       under the writers' lock, note the state as it is after record S   (milliseconds)
    2. write that as ``tasks.json.next``, and its index, and sync both   (background, in small pieces)
    3. make ``journal.<epoch+1>`` with the records since S, sync it      (background, until few are left)
    4. under the lock: copy the last records, sync, seal the old journal, rename ``next`` over the snapshot,
       sync the directory                                                (milliseconds)
    5. only then unlink the old journal and index

A process that dies in between leaves the old epoch whole: until the rename no process reads the new one. Nothing is
acknowledged in the new one before the directory is synced, if necessary by the next process that opens it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final, Literal

from ...errors import StoreError, StoreMoved
from ..codec import loads
from ..keeping import FAILED_TTL_MS
from .epoch import Epoch
from .format.header import Header, read_header
from .format.index import Index
from .format.journal import Journal
from .format.lines import Batch, split
from .format.noted import note, write_noted
from .format.snapshot import SnapshotFile
from .system.ended import clear_the_way, is_named, remove_ended
from .system.place import Place
from .system.system import MAKE, READ, System, close_file, sync_directory

_NEARLY: Final = 1 << 16
_LARGEST: Final = 1 << 23
Stage = Literal["preparing", "sealing", "sealed", "renamed"]


def claim_work(place: Place, system: System) -> int | None:
    """Lock ``tasks.json.next``: its descriptor, or None if another process has it.

    Call this before the state is noted. Otherwise another process could begin the epoch in between, and this one would
    begin it again, over a journal that is in use.
    """
    system.note_owner(place.path)
    try:
        fd = system.open(place.next, MAKE, 0o600)
    except (
        PermissionError
    ):  # another user's; a process that is still writing it will find that its file has lost the name
        system.unlink(place.next)
        fd = system.open(place.next, MAKE, 0o600)
    try:
        system.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(system.fstat(fd), system.stat(place.next)):
            return fd
    except (BlockingIOError, FileNotFoundError):
        close_file(system, fd)
        return None
    except BaseException:
        close_file(system, fd)
        raise
    close_file(system, fd)  # it was renamed before we had the lock
    return None


class Compaction:
    """One attempt to begin a new epoch. ``prepare`` runs in the background, ``finish`` under the lock."""

    def __init__(
        self,
        place: Place,
        system: System,
        fd: int,
        old: Epoch,
        now_ms: int,
        failed_ttl_ms: int = FAILED_TTL_MS,
        *,
        whole: bool = False,
    ) -> None:
        """Note the state of ``old``, which the caller holds; ``fd`` is from claim_work(), for ``whole`` see Header."""
        self._place = place
        self._system = system
        self._fd = fd
        self._old = old
        self._now_ms = 0 if old.snapshot.header.whole else now_ms  # opening a store drops nothing
        self._noted = note(old, self._now_ms)
        self._whole = whole
        self._failed_ttl_ms = failed_ttl_ms
        self.number = old.number + 1
        self._copied = self._noted.end
        self.new: Epoch | None = None
        self._overtaken = False
        """A job that the new snapshot leaves out, as its result_ttl was over, was scheduled again."""
        self.stage: Stage = "preparing"
        """How far finish() has come."""

    # ---- in the background -------------------------------------------------------------------------------

    def prepare(self) -> Iterator[None]:
        """Write the new snapshot, its index, and the journal so far; yields between pieces."""
        noted, system = self._noted, self._system
        system.ftruncate(self._fd, 0)
        header = replace(noted.header, epoch=self.number, whole=self._whole)
        index: Index | None = None
        for index in write_noted(self._fd, system, header, noted, self._now_ms, self._failed_ttl_ms):
            if index is None:
                yield
        assert index is not None
        system.fsync(self._fd)
        header = read_header(self._fd, self._place.next, system)
        self._save_index(index, header)
        fd = system.open(self._place.next, READ)
        self.new = self._begin_epoch(SnapshotFile(fd, self._place.path, system, header, index))
        yield from self._copy_until_near()
        self.new.journal.sync()
        sync_directory(system, self._place.directory)

    def _save_index(self, index: Index, header: Header) -> None:
        """Save the index. A snapshot can be read without it, so a failure does not stop the compaction."""
        path = self._place.index(self.number)
        if self._whole:
            return  # the snapshot is small, and is to be the only file
        with suppress(OSError, StoreError):
            clear_the_way(path, self._system, header.store_id)
            index.save(path, self._system, header)

    def _begin_epoch(self, snapshot: SnapshotFile) -> Epoch:
        header, path = snapshot.header, self._place.journal(self.number)
        journal: Journal | None = None
        try:
            clear_the_way(path, self._system, header.store_id)
            journal = Journal.create(path, self._system, store_id=header.store_id, epoch=header.epoch, seq=header.seq)
            return Epoch(self._place, self._system, snapshot, journal)
        except BaseException:
            if journal is not None:
                journal.close()
            snapshot.close()
            raise

    def _copy_until_near(self) -> Iterator[None]:
        """Copy records until few are left, in larger and larger pieces if more come than were copied."""
        most, left = _NEARLY, self._old.journal.end - self._copied
        while left > _NEARLY and not self._overtaken:
            self._copy(most)
            yield
            before, left = left, self._old.journal.end - self._copied
            if left >= before:
                most = min(2 * most, _LARGEST)

    def _copy(self, most: int | None = None) -> None:
        """Copy whole changes from the old journal to the new one, and apply them there."""
        assert self.new is not None
        end = self._old.journal.end
        data = self._old.journal.between(self._copied, end if most is None else min(end, self._copied + most))
        batches, stop = split(data, self._copied)
        if not batches and most is not None:
            self._copy()
            return
        if any(map(self._brings_back, batches)):
            self._overtaken = True
            return
        journal = self.new.journal
        start = journal.end
        journal.append(data[: stop - self._copied], 0, reserve=False)
        journal.end = start
        for batch in batches:
            self.new.apply(Batch(batch.texts, batch.end - self._copied + start))
        self._copied = stop

    def _brings_back(self, batch: Batch) -> bool:
        """Whether a change revives or waits for a job that the new epoch does not hold."""
        assert self.new is not None
        named = [text for text in batch.texts if b'"op":"revive"' in text or b'"op":"await"' in text]
        records = map(loads, named)  # it may also be in a payload
        needed = [id for fields in records if fields["op"] in ("revive", "await") for id in fields["ids"]]
        return any(self.new.state.get(id) is None for id in needed)

    # ---- under the lock ----------------------------------------------------------------------------------

    def catch_up(self, epoch: Epoch) -> bool:
        """Copy the rest; False if ``epoch`` is another one by now. The caller holds the lock and is up to date."""
        if epoch is self._old and self._copied < epoch.journal.end and not self._overtaken:
            self._copy()
        return epoch is self._old and not self._overtaken

    def finish(self) -> Epoch:
        """Switch, when everything has been copied; returns the new epoch. The caller still holds the lock."""
        assert self.new is not None
        place, system, new = self._place, self._system, self.new
        assert self._copied == self._old.journal.end
        new.journal.sync()
        self._refuse_strangers(new)
        self.stage = "sealing"
        self._old.seal(self.number)
        self.stage = "sealed"
        self._refuse_strangers(new)  # once more: a seal whose epoch never comes is lifted by the next writer
        system.replace(place.next, place.path)
        self.stage = "renamed"
        try:
            sync_directory(system, place.directory)
        except OSError:
            new.seal(self.number + 1, doubtful=True)  # in case this process dies before it begins another epoch
            raise
        self._let_go()
        return new

    def _refuse_strangers(self, new: Epoch) -> None:
        """Raise StoreMoved if one of the files that are renamed or replaced now is not the one that is open here."""
        old = self._old
        files = {journal.path: journal.fd for journal in (old.journal, new.journal)}
        files |= {self._place.next: self._fd, old.snapshot.path: old.snapshot.fd}  # what is replaced is looked at last
        for path, fd in files.items():
            if not is_named(path, fd, self._system):
                raise StoreMoved(
                    f"{path} was removed or replaced while a new snapshot was written; nothing was changed"
                )

    def _let_go(self) -> None:
        fd = self._fd
        if fd >= 0:
            with suppress(OSError):
                self._system.flock(fd, fcntl.LOCK_UN)  # first, so that an exception after it leaves nothing locked
            self._fd = -1
            close_file(self._system, fd)

    def clean_up(self) -> None:
        """Remove the files of earlier epochs, before ``new`` is closed. If that fails it does no harm."""
        with suppress(OSError):
            if (new := self.new) is not None:  # if an older copy was put back meanwhile, its files must stay
                ours = partial(is_named, self._place.path, new.snapshot.fd, self._system)
                remove_ended(self._place, self._system, self._old.store_id, self.number, ours)

    def abandon(self) -> None:
        """Give up, unless it is finished; the old epoch stays as it is."""
        if self._fd >= 0 and self.new is not None:
            self.new.close()
        self._let_go()
