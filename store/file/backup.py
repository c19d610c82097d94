"""Backup: copy a store into one whole file, while others go on writing; and move a store to another place.

A backup reads like ReadOnlyStore, without a lock, and writes like compaction, a slot at a time, so that its memory is
bounded by the journal and a few bytes a job. The copy is written under another name, synced, read back as a whole, and
then renamed; it has no journal. It is a store with an id of its own: if a journal of the copied store is put beside it,
that is refused, not replayed.

A move is made under the writers' lock, as a copy under the same id, which begins the next epoch:

    1. check that no process has the store open             if one has, nothing was done
    2. write the copy, sync it, read it back                TO.next is there
    3. seal the journal, for processes that still use it    (lifted by the next writer, if the move ends here)
    4. rename the snapshot to ``tasks.json.moved``          from here on it opens nowhere, until 5, or a second move
    5. rename the copy to its name, sync the directory      moved
    6. remove the old files
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from typing import Final

from ...errors import InvalidValue, StoreBusy, StoreError
from .compaction import claim_work
from .epoch import Epoch
from .format.header import Header
from .format.noted import note, write_noted
from .readonly import ReadOnlyStore
from .system.failure import store_error
from .system.kernel import holders_of
from .system.lock import FileLock, LifeSigns
from .system.place import Place, place_at, refuse_unsafe
from .system.system import SYSTEM, System, close_file, opened, sync_directory

_LOCK_TIMEOUT_S: Final = 10.0
_BESIDE: Final = ("dropped", "before-edit")
"""Kinds of files beside a store that no process opens, but that you may want to keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was copied."""

    path: str
    """Of the copy."""
    bytes: int
    scheduled: int
    running: int
    finished: int


def backup(
    path: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    now_ms: int,
    replace: bool = False,
    system: System = SYSTEM,
) -> Copied:
    """Copy a store, as it is now, into one file that is a store itself. Others may write to the store meanwhile.

    Args:
        path: of the store.
        to: of the copy.
        now_ms: the present, in milliseconds since the epoch; results whose time is over are left out.
        replace: replace a file of that name, once the copy is whole.
        system: the system calls; for tests.

    Raises:
        InvalidValue: ``to`` exists, or is the store itself.
        StoreCorrupt: the store is damaged; no copy was made.
        StoreError: the store cannot be read, or the copy not be written; what was at ``to`` is as it was.

    >>> JsonStore("tasks.json").close()
    >>> backup("tasks.json", "copy.json", now_ms=0).scheduled
    0
    """
    target = place_at(to)
    with ReadOnlyStore(path, system=system) as store:
        _refuse_target(target, Place(store.path), replace=replace)
        with _written(target, system, store.path) as written:
            copied = written(store.newest(), now_ms, secrets.token_hex(8), 1)
            if not replace and os.path.lexists(target.path):
                raise InvalidValue.of("to", "the path of no file", target.path)
            system.replace(target.next, target.path)
            sync_directory(system, target.directory)
            return copied


def move(path: str | os.PathLike[str], to: str | os.PathLike[str], *, now_ms: int, system: System = SYSTEM) -> Copied:
    """Move a store that no process has open, also to another file system.

    If it is killed, the store is in one of the two places, or, between two renames, in neither until you call it again.

    Args:
        path: of the store.
        to: its new path.
        now_ms: the present, in milliseconds since the epoch.
        system: the system calls; for tests.

    Raises:
        InvalidValue: ``to`` exists.
        StoreBusy: a process has the store open; nothing was done.
        StoreCorrupt: the store is damaged; nothing was done.
        StoreError: it cannot be read, or the new one not be written; the store is where it was.

    >>> JsonStore("tasks.json").close()
    >>> move("tasks.json", "elsewhere.json", now_ms=0).path == os.path.abspath("elsewhere.json")
    True
    """
    old, target = place_at(path), place_at(to)
    _refuse_target(target, old, replace=False)
    refuse_unsafe(target, system, allow_network_fs=False, allow_shared_directory=False)
    if not os.path.lexists(old.path) and not os.path.lexists(_moved(old)):
        raise StoreError(f"there is no store at {old.path}")
    lock = FileLock(old.lock, system, timeout_s=_LOCK_TIMEOUT_S)
    try:
        lock.acquire()
        lock.check()
        _refuse_open(old, system)
        if not os.path.lexists(old.path):
            system.replace(_moved(old), old.path)  # an earlier move died between its two renames
        copied = _move_alone(old, target, system, now_ms)
        lock.release()
    finally:
        lock.close()
    return copied


def _move_alone(old: Place, target: Place, system: System, now_ms: int) -> Copied:
    epoch = Epoch.open(old, system)
    try:
        with _written(target, system, old.path) as written:
            copied = written(epoch, now_ms, epoch.store_id, epoch.number + 1)
            epoch.seal(epoch.number + 1)
            epoch.journal.sync()
            system.replace(old.path, _moved(old))
            try:
                sync_directory(system, old.directory)
                system.replace(target.next, target.path)
                sync_directory(system, target.directory)
            except OSError:
                if not os.path.lexists(target.path):
                    system.replace(_moved(old), old.path)
                raise
        _carry(old, target, system)
        _remove(old, system)
        return copied
    finally:
        epoch.close()


def _moved(place: Place) -> str:
    return place.path + ".moved"


# ---- before ----------------------------------------------------------------------------------------------


def _refuse_target(target: Place, source: Place, *, replace: bool) -> None:
    if os.path.isdir(target.path):
        raise InvalidValue.of("to", "the path of a file, not of a directory", target.path)
    if os.path.lexists(target.path):
        if os.path.exists(source.path) and os.path.exists(target.path) and os.path.samefile(source.path, target.path):
            raise InvalidValue.of("to", "another file than the store", target.path)
        if not replace:
            raise InvalidValue.of("to", "the path of no file (or have it replaced by --force)", target.path)
    if not os.path.isdir(target.directory):
        raise InvalidValue.of("to", "in a directory that exists", target.path)
    company = [name for kind in ("journal", "owner") for name in target.siblings(SYSTEM, kind)]
    if os.path.lexists(target.lock):
        company.append(os.path.basename(target.lock))
    if company:
        raise InvalidValue.of("to", f"where no store is or was: there is {company[0]}", target.path)


def _refuse_open(place: Place, system: System) -> None:
    """Raise if a process has the store open, as far as can be seen. One that cannot be seen finds the seal."""
    for owner in LifeSigns(system).living(place):
        raise StoreBusy(f"the worker {owner} is running on {place.path}; stop it first, nothing was done")
    directory = os.path.realpath(place.directory)
    journals = [os.path.join(directory, name) for name in place.siblings(system, "journal")]
    holders = holders_of({os.path.realpath(place.lock), *journals})
    if holders is None and any(_is_shared(path, system) for path in journals):
        raise StoreBusy(f"{place.path} is open in a process; stop it first, nothing was done")
    if holders:
        shown = ", ".join(map(str, holders))
        raise StoreBusy(f"{place.path} is open in other processes ({shown}); stop them first, nothing was done")


def _is_shared(path: str, system: System) -> bool:
    """Whether a process shows that it has a journal open (Journal.share)."""
    try:
        with opened(system, path) as fd:
            system.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    return False


# ---- the copy --------------------------------------------------------------------------------------------


@contextmanager
def _written(target: Place, system: System, source: str) -> Iterator[Callable[[Epoch, int, str, int], Copied]]:
    """A function that writes an epoch to ``target.next`` and reads it back; the file is removed at the end, if left."""
    try:
        fd = claim_work(target, system)
    except OSError as error:
        raise store_error(error, f"{target.next} cannot be made") from error
    if fd is None:
        raise StoreBusy(f"{target.next} is being written by another process")

    def write(epoch: Epoch, now_ms: int, store_id: str, number: int) -> Copied:
        noted = note(epoch, now_ms)
        system.ftruncate(fd, 0)
        _like(source, fd)
        header = replace_fields(noted.header, store_id=store_id, epoch=number, whole=True)
        for _ in write_noted(fd, system, header, noted, now_ms):
            pass
        system.fsync(fd)
        return _read_back(target, header, system.fstat(fd).st_size, system)

    try:
        yield write
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise store_error(error, f"{target.path} cannot be written") from error
    finally:
        try:
            with suppress(OSError):
                system.unlink(target.next)
        finally:
            close_file(system, fd)


def _like(source: str, fd: int) -> None:
    """Give the copy the mode of the store, and its owner where this user may."""
    with suppress(OSError):
        status = os.stat(source)
        os.fchmod(fd, status.st_mode & 0o777)
        os.fchown(fd, status.st_uid, status.st_gid)


def _read_back(target: Place, header: Header, size: int, system: System) -> Copied:
    with ReadOnlyStore(target.next, system=system) as copy:
        violations = copy.check()
        if violations:
            raise StoreError(f"the copy would not be sound, so none was made: {violations[0]}")
        finished = sum(1 for _ in copy.newest().snapshot.finished_lines())
    counts = header.counts
    return Copied(path=target.path, bytes=size, scheduled=counts.scheduled, running=counts.running, finished=finished)


# ---- behind ----------------------------------------------------------------------------------------------


def _carry(old: Place, target: Place, system: System) -> None:
    """Move the files that a crash or an edit has left beside the store."""
    for kind in _BESIDE:
        start = f"{os.path.basename(old.path)}.{kind}"
        for name in system.listdir(old.directory):
            if name.startswith(start):
                source = os.path.join(old.directory, name)
                shutil.copy2(source, target.path + name[len(os.path.basename(old.path)) :])
                os.unlink(source)


def _remove(old: Place, system: System) -> None:
    names = [name for kind in ("journal", "index", "owner") for name in old.siblings(system, kind)]
    paths = [_moved(old), *(os.path.join(old.directory, name) for name in names), old.next, old.lock]
    for path in paths:
        with suppress(FileNotFoundError):
            system.unlink(path)
    sync_directory(system, old.directory)
