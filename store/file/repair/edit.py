"""Edit: accept a snapshot that was changed by hand, if what it says can be true.

The edited document becomes the state of its epoch, the journal since is applied to it, and a new epoch begins with the
result, by the same steps as any compaction: a process that is killed in between leaves the edited file and its journal
as they were. The edited file is kept under another name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from ....errors import HourwheelError, StoreBusy, StoreCorrupt, StoreError, StoreFormatError, StoreIncomplete
from ...codec import loads
from ...state.invariants import violations
from ..compaction import Compaction, claim_work
from ..epoch import Epoch, open_journal
from ..format.header import read_header
from ..format.lines import Batch
from ..format.noted import write_rows
from ..format.snapshot import open_snapshot, verify
from ..system.lock import FileLock, LifeSigns
from ..system.place import Place, place_at, refuse_unsafe
from ..system.system import SYSTEM, System, opened
from .document import Document, EditRefused, read_document
from .reading import read_file
from .salvage import balance

_KEEP_EVERYTHING: Final = 0
"""The present, for a compaction that is to drop no results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An edit that was accepted."""

    path: str
    kept_as: str
    """Where the edited file is now, unchanged."""
    jobs: int
    epoch: int


def accept_edit(
    path: str | os.PathLike[str], *, lock_timeout_s: float = 2.0, system: System = SYSTEM
) -> Accepted | None:
    """Accept an edited snapshot: begin a new epoch with it, with a new checksum, counts and index.

    Args:
        path: of the store.
        lock_timeout_s: how long to wait for processes that are writing, in seconds.
        system: the system calls; for tests.

    Returns:
        None if nothing was edited.

    Raises:
        FileNotFoundError: there is no store.
        EditRefused: it cannot be accepted; the message has line, column and reason. Nothing was changed.
        StoreBusy: a worker is running on the store.
        StoreError: the store cannot be written.
    """
    place = place_at(path)
    system.lstat(place.path)
    refuse_unsafe(place, system, allow_network_fs=False, allow_shared_directory=False, links=True)
    with _alone(place, system, lock_timeout_s):
        if _is_as_written(place, system):
            return None
        data = read_file(place.path, system)
        if b'"hourwheel"' not in data:
            raise StoreFormatError(f"{place.path} is not an Hourwheel store")
        document = read_document(data, place.path)
        try:
            return _accept(place, system, document)
        except OSError as error:
            raise StoreError(f"{place.path}: {error.strerror or error}; the edited file is as it was") from error


@contextmanager
def _alone(place: Place, system: System, timeout_s: float) -> Iterator[None]:
    lock = FileLock(place.lock, system, timeout_s=timeout_s)
    try:
        lock.acquire()
        lock.check()
        for owner in LifeSigns(system).living(place):
            raise StoreBusy(f"the worker {owner} is running on {place.path}; stop it before its store is edited")
        yield
    finally:
        lock.close()


def _is_as_written(place: Place, system: System) -> bool:
    with opened(system, place.path) as fd:
        try:
            verify(fd, place.path, system, read_header(fd, place.path, system))
        except HourwheelError:
            return False
    return True


def _accept(place: Place, system: System, document: Document) -> Accepted:
    _refuse_other_epoch(place, system, document)
    draft = Place(f"{place.path}.edited")
    if os.path.lexists(draft.path):
        system.unlink(draft.path)  # of an attempt that was killed
    rows = document.jobs
    token = max([document.header.token, *(job.token for job in rows.values())])
    header = replace(document.header, counts=balance(document.header.counts, rows.values()), token=token)
    write_rows(draft.path, system, header, rows)
    try:
        epoch = _open_draft(place, draft, system)
        try:
            _follow(epoch, document)
            violated = violations(epoch.state)
            if violated:
                raise EditRefused(place.path, 1, 1, "; ".join(violated))
            return _begin_epoch(place, system, epoch, len(rows))
        finally:
            epoch.close()
    finally:
        system.unlink(draft.path)


def _refuse_other_epoch(place: Place, system: System, document: Document) -> None:
    """If the epoch's number was edited, the changes in the real journal would be lost."""
    names = place.siblings(system, "journal")
    if names and os.path.basename(place.journal(document.header.epoch)) not in names:
        raise EditRefused(
            place.path, 1, 1,
            f"the header says epoch {document.header.epoch}, but the journal is {names[-1]}: leave epoch as it was",
        )  # fmt: skip


def _open_draft(place: Place, draft: Place, system: System) -> Epoch:
    snapshot = open_snapshot(draft.path, draft.index, system)
    header = snapshot.header
    try:
        try:
            journal = open_journal(place, system, header, make=True)
        except StoreIncomplete:
            raise
        except StoreCorrupt as error:
            what = f"the header does not fit the journal ({error.path}: {error.reason})"
            reason = f"{what}; leave store_id and seq as they were"
            raise EditRefused(place.path, 1, 1, reason) from error
        return Epoch(place, system, snapshot, journal)
    except BaseException:
        snapshot.close()
        raise


def _follow(epoch: Epoch, document: Document) -> None:
    """Apply the journal to the edited document, and refuse an edit that contradicts it."""
    while batches := epoch.journal.read():
        for batch in batches:
            _refuse_second(batch, document)
            try:
                epoch.apply(batch)
            except StoreCorrupt as error:
                reason = (
                    f"the edit does not fit what has happened since ({error.path}, byte {error.offset}: {error.reason})"
                    "; leave jobs that have run, been moved or been cancelled since as they were"
                )
                raise EditRefused(document.path, 1, 1, reason) from error
    epoch.mend_tail()


def _refuse_second(batch: Batch, document: Document) -> None:
    for text in batch.texts:
        fields = loads(text)
        if fields.get("op") == "add" and fields["job"]["id"] in document.jobs:
            id = fields["job"]["id"]
            raise document.refusal(id, f"job {id!r} is in the journal already (record {fields['seq']})")


def _begin_epoch(place: Place, system: System, epoch: Epoch, jobs: int) -> Accepted:
    fd = claim_work(place, system)
    if fd is None:
        raise StoreBusy(f"another process is writing {place.next}")
    work = Compaction(place, system, fd, epoch, _KEEP_EVERYTHING)
    try:
        for _ in work.prepare():
            pass
        kept_as = _keep(place)
        new = work.finish()
    except BaseException:
        work.abandon()
        raise
    work.clean_up()
    new.close()
    return Accepted(path=place.path, kept_as=kept_as, jobs=jobs, epoch=work.number)


def _keep(place: Place) -> str:
    """Give the edited file a second name, which it keeps when the new snapshot takes the first."""
    for number in count(1):
        path = f"{place.path}.before-edit" + (f".{number}" if number > 1 else "")
        with suppress(FileExistsError):
            os.link(place.path, path, follow_symlinks=False)
            break
    return path
