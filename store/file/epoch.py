"""Epoch: one snapshot, the journal after it, and the state that both come to.

A store lives in one epoch until the journal has grown long; then a new snapshot is written beside it, and a new epoch
begins (compaction.py). The last record of the old journal is a *seal*: a process that still follows that journal finds
it before it can append, and looks by name for the snapshot of the next epoch. If that never came, since the process
that wrote the seal died, the next writer lifts the seal. A *doubtful* seal is written after a failed sync; the process
that finds it begins the next epoch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from copy import copy
from typing import Final

from ...errors import StoreCorrupt
from ...job import Job
from ..codec import UnreadableJob, decode_job, encode_job, loads, may_have_priority
from ..state.limits import Limits
from ..state.records import Record, decode_record, encode_record, portions
from ..state.state import State
from .format.header import Header
from .format.journal import Journal, Unbegun
from .format.lines import Batch, classify, frame, frame_add, frame_change
from .format.snapshot import SnapshotFile, open_snapshot
from .incomplete import missing_journal, refuse_older_snapshot
from .system.ended import is_named
from .system.place import Place
from .system.system import MAKE, System, opened, sync_directory, write_all

_ADD: Final = re.compile(rb'\{"seq":(\d+),"op":"add","job":(\{"id":"([^"\\\x80-\xff]+)","due_ms":(\d{1,18}),.*\})\}')

LEAST_JOURNAL: Final = 32 << 20
"""Bytes. At 8 MiB, adding without a pause paid a third of its rate to compactions."""
_SHARE: Final = 0.2
"""How long a journal may become, as a part of its snapshot."""
_TO_THE_END: Final = 1 << 62
_NOT_A_RECORD: Final = (
    ValueError,
    LookupError,
    TypeError,
    AssertionError,
    AttributeError,
    OverflowError,
    RecursionError,
)


class Epoch:
    """An open epoch. Not safe for threads: the owner locks around it."""

    def __init__(self, place: Place, system: System, snapshot: SnapshotFile, journal: Journal) -> None:
        header = snapshot.header
        self._place = place
        self._system = system
        self.snapshot = snapshot
        self.journal = journal
        self.store_id = header.store_id
        self.number = header.epoch
        self.sealed: int | None = None
        """The epoch that is to come after this one, once it has been announced."""
        self.doubtful = header.whole
        """The next epoch is to be begun before anything is done here.

        A sync of this journal has failed, so that what is read from it may not be on the disk; or the snapshot says
        that there is nothing in it, which must stay true.
        """
        self.dropped = 0
        """Bytes of an unfinished write that were cut from the journal."""
        self._room = max(LEAST_JOURNAL, int(_SHARE * header.length))
        self.most = self._room
        """How long the journal may become, in bytes, before the next epoch is to be begun."""
        self.state = State(
            snapshot,
            counts=copy(header.counts),
            hand=header.hand,
            token=header.token,
            running=snapshot.running(),
            limits=Limits(header.paused, header.next_us),
        )

    @classmethod
    def open(
        cls,
        place: Place,
        system: System,
        *,
        check: bool = True,
        ahead: Epoch | None = None,
        refuse: Callable[[Epoch], None] = lambda _: None,
    ) -> Epoch:
        """Open the newest epoch, and bring its state up to date. The caller holds the writers' lock.

        Args:
            place: where it is.
            system: the system calls.
            check: verify the checksum of the snapshot.
            ahead: one that was opened by ``read``; it is used if it is still the newest, and closed if not.
            refuse: raises if this is not the store that was opened before; called before anything is mended.

        Raises:
            FileNotFoundError: there is no snapshot.
            StoreFormatError: not a store, or a newer format.
            StoreIncomplete: the journal is missing, or the snapshot is older than a journal that is there.
            StoreCorrupt: damage; nothing was changed.
        """
        epoch = ahead
        if epoch is None or not epoch._is_newest():
            if epoch is not None:
                epoch.close()
            epoch = cls.read(place, system, check=check, make=True)
        try:
            refuse(epoch)
            refuse_older_snapshot(place, system, epoch.number)
            sync_directory(system, place.directory)  # the process that began this epoch may have died before it did
            epoch.follow()
            epoch.mend_tail(after_power_loss=True)
        except BaseException:
            epoch.close()
            raise
        return epoch

    @classmethod
    def read(cls, place: Place, system: System, *, check: bool = True, make: bool = False, write: bool = True) -> Epoch:
        """Open the newest epoch as far as it is written, with or without the lock.

        Args:
            place: where it is.
            system: the system calls.
            check: verify the checksum of the snapshot.
            make: make the journal, if a whole snapshot has none; the caller holds the lock.
            write: False to open the journal for reading only.

        Raises:
            FileNotFoundError, StoreFormatError, StoreCorrupt: as ``open``; without the lock also if the next epoch is
                just being begun.
        """
        snapshot = open_snapshot(place.path, place.index, system, check=check)
        journal: Journal | None = None
        try:
            journal = open_journal(place, system, snapshot.header, make=make, write=write)
            epoch = cls(place, system, snapshot, journal)
            epoch.follow(until=journal.size)
        except BaseException as error:
            if journal is not None:
                journal.close()
            snapshot.close()
            if isinstance(error, UnreadableJob):
                raise StoreCorrupt(place.path, 0, str(error)) from error
            raise
        return epoch

    def _is_newest(self) -> bool:
        """Whether this, read a while ago, is still the newest epoch. The caller holds the lock."""
        try:
            if self.journal.size == 0 or not self.snapshot.is_at(self._place.path):
                return False
            return is_named(self.journal.path, self.journal.fd, self._system)  # a whole snapshot loses its journal
        except OSError:  # opening it by its name will tell
            return False

    def close(self) -> None:
        """Close the files."""
        self.journal.close()
        self.snapshot.close()

    # ---- reading -----------------------------------------------------------------------------------------

    def follow(self, *, until: int = _TO_THE_END) -> int:
        """Apply what others have appended since, up to an offset at least; how many records that was."""
        before = self.journal.seq
        while self.journal.end < until and (batches := self.journal.read()):
            for batch in batches:
                self.apply(batch)
        return self.journal.seq - before

    def apply(self, batch: Batch) -> None:
        """Apply one change that was read from the journal.

        Raises:
            StoreCorrupt: a record does not follow from those before it.
        """
        seq = self.journal.seq
        for text in batch.texts:
            seq += 1
            try:
                self._apply_text(text, seq)
            except _NOT_A_RECORD as error:
                raise StoreCorrupt(self.journal.path, self.journal.end, f"record {seq}: {error!r}") from error
        self.journal.seq = seq
        self.journal.end = batch.end

    def _apply_text(self, text: bytes, seq: int) -> None:
        found = _ADD.fullmatch(text)
        if found is not None:
            told, raw, id, due_ms = found.groups()
            if int(told) != seq:
                raise ValueError(f"its number is {int(told)}")
            key = decode_job(raw).key if b',"key":' in raw else None
            self.state.insert(id.decode("ascii"), int(due_ms), raw, key, ranked=may_have_priority(raw, int(due_ms)))
            return
        fields = loads(text)
        if fields["seq"] != seq:
            raise ValueError(f"its number is {fields['seq']!r}")
        match fields["op"]:
            case "seal":
                self.sealed = fields["epoch"]
                self.doubtful = self.doubtful or fields.get("doubtful", False)
            case "unseal":
                self.sealed = None
            case "add":
                self._insert_parsed(text)
            case _:
                self.state.apply(decode_record(fields))

    def _insert_parsed(self, text: bytes) -> None:
        raw = text[text.index(b'"job":') + 6 : -1]
        job = decode_job(raw)
        self.state.insert(job.id, job.due_ms, raw, job.key, ranked=job.priority != 0)

    def mend_tail(self, *, after_power_loss: bool = False) -> None:
        """Cut an unfinished write off the end of the journal. The caller holds the lock, so its writer is dead.

        With ``after_power_loss`` it looks at everything up to the end of the file, even if the next byte is blank: a
        power loss may leave a hole followed by the rest of the write, which would show up once records fill the hole.

        Raises:
            StoreCorrupt: what is there is not an unfinished write.
        """
        if self.journal.is_blank() if after_power_loss else not self.journal.has_more():
            return
        rest = self.journal.rest()
        verdict, why = classify(rest, self.journal.end)
        if verdict == "damaged":
            raise StoreCorrupt(self.journal.path, self.journal.end, why)
        if verdict == "unended":
            self.journal.end_line(len(rest.rstrip(b"\n\0")))
            self.follow()
        elif verdict == "torn":  # pragma: no branch - what is not blank is not clean
            length = len(rest.rstrip(b"\n\0"))
            self._keep(rest[:length])
            self.journal.cut()
            self.dropped += length

    def _keep(self, dropped: bytes) -> None:
        """Keep a copy of whole records behind a hole: they were never acknowledged as synced, but may be of use."""
        lines = dropped.split(b"\n")
        if sum(1 for line in lines if line.strip(b"\0")) < 2:
            return
        path = f"{self._place.path}.dropped.{self.number}.{self.journal.end}"
        with opened(self._system, path, MAKE | os.O_TRUNC) as fd:
            write_all(self._system, fd, dropped, 0)
            self._system.fsync(fd)

    # ---- writing -----------------------------------------------------------------------------------------

    def put_off(self) -> None:
        """The next epoch could not be begun: try again when the journal has grown by as much once more."""
        self.most = self.journal.end + self._room

    def add(self, lot: Sequence[tuple[Job, bytes]]) -> None:
        """Write jobs to add, each with its text and each a change of its own; then apply them."""
        journal = self.journal
        if len(lot) == 1:
            lines = frame_add(journal.seq + 1, lot[0][1])
        else:
            lines = b"".join([frame_add(n, text) for n, (_, text) in enumerate(lot, journal.seq + 1)])
        journal.append(lines, len(lot), reserve=True)
        insert = self.state.insert
        for job, text in lot:
            insert(job.id, job.due_ms, text, job.key, ranked=job.priority != 0)

    def commit(self, new: Sequence[Job], records: Sequence[Record]) -> None:
        """Write jobs to add and records as one indivisible change; then apply them, the records first."""
        journal, state = self.journal, self.state
        seq = journal.seq
        parts = [part for record in records for part in portions(record)]
        texts = [encode_record(seq + n, part) for n, part in enumerate(parts, 1)]
        jobs = [encode_job(job).encode("ascii") for job in new]
        if not texts and not jobs:
            return
        lines = frame_change(texts, seq + len(texts) + 1, jobs)
        journal.append(lines, len(texts) + len(jobs), reserve=bool(jobs))
        for record in records:
            state.apply(record)  # which may have to read the snapshot, and fail at that
        for job, text in zip(new, jobs, strict=True):
            state.insert(job.id, job.due_ms, text, job.key, ranked=job.priority != 0)

    def seal(self, next_epoch: int, *, doubtful: bool = False) -> None:
        """Announce the next epoch: from now on a process looks for it before it appends here.

        With ``doubtful`` a sync has failed, and a process that does not find the next epoch begins it.
        """
        seq = self.journal.seq + 1
        doubt = ',"doubtful":true' if doubtful else ""
        self.journal.append(frame(f'{{"seq":{seq},"op":"seal","epoch":{next_epoch}{doubt}}}'), 1, reserve=False)
        self.sealed = next_epoch
        self.doubtful = doubtful

    def unseal(self) -> None:
        """Take the announcement back: that epoch never came."""
        seq = self.journal.seq + 1
        self.journal.append(frame(f'{{"seq":{seq},"op":"unseal"}}'), 1, reserve=False)
        self.sealed = None


def open_journal(place: Place, system: System, header: Header, *, make: bool, write: bool = True) -> Journal:
    """The journal of the snapshot with that header; with ``make`` also where a whole one has none.

    Raises:
        StoreIncomplete: it is missing.
        StoreCorrupt, StoreFormatError: see Journal.open.
    """
    path = place.journal(header.epoch)
    blank = False
    try:
        return Journal.open(path, system, store_id=header.store_id, epoch=header.epoch, seq=header.seq, write=write)
    except Unbegun:
        blank = True
    except FileNotFoundError:
        pass
    if not header.whole:
        raise missing_journal(place, system, header.epoch, blank=blank)
    if not make:
        return Journal.nothing(path, seq=header.seq)
    return Journal.create(path, system, store_id=header.store_id, epoch=header.epoch, seq=header.seq, over=blank)
