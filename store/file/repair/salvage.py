"""Salvage: everything that can be proved of a damaged store, from all the files that are left of it. Reads only.

    tasks.json              read leniently; if it is missing, a whole tasks.json.next that fits the journal replaces it
    tasks.json.journal.*    all of them: while a new epoch begins, two journals hold copies of the same records

Records are sorted by number, so a missing number is a lost change.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Final

from ....errors import StoreBusy, StoreFormatError
from ....job import FINISHED, Job
from ....job import State as JobState
from ...state.counts import Counts
from ...state.limits import Limits
from ...state.state import State
from ..format.header import Header
from ..system.place import Place, epoch_of
from ..system.system import System
from .completing import complete
from .damage import Damage
from .loose_journal import LooseJournal, LooseRecord, read_journal
from .loose_snapshot import LooseSnapshot, read_snapshot
from .reading import read_file
from .replay import Replay
from .rewiring import rewire

_SHORTEST_JOB: Final = len('{"id":"a","due_ms":0,"task":"t"}')
_TRIES: Final = 8


@dataclass(slots=True, kw_only=True)
class Salvage:
    """What could be read of a damaged store, and what is lost."""

    state: State
    header: Header
    """For a new snapshot: an epoch after all others, and counts that balance."""
    damages: list[Damage]
    lost_changes: list[int] = field(default_factory=list)
    """Numbers of the journal records that are lost."""
    lost_jobs: dict[str, str] = field(default_factory=dict)
    """Jobs of which only the id is left: id -> what is known of them."""
    lost_pending: int | None = None
    """How many pending jobs of the snapshot cannot be read, by its own count; None if the count is lost, too."""
    lost_unknown: int = 0
    """Unreadable places of the snapshot that may each have held a finished job."""
    lost_journal: str | None = None
    """The path of a missing journal, which held all that was accepted since the snapshot was written."""
    notes: list[str] = field(default_factory=list)

    @property
    def harmed(self) -> bool:
        """Whether anything is not as it was written. An unfinished write does no harm."""
        damaged = any(damage.kind != "unfinished" for damage in self.damages)
        return bool(self.lost_changes or self.notes or self.lost_journal or damaged)

    @property
    def lost(self) -> bool:
        """Whether anything could not be brought back."""
        blind = self.lost_pending is None and any(damage.kind == "damaged" for damage in self.damages)
        lost = self.lost_changes or self.lost_jobs or self.lost_pending or self.lost_unknown or self.lost_journal
        return bool(lost or blind)


def salvage(place: Place, system: System) -> Salvage:
    """Read what is left of a store.

    Raises:
        FileNotFoundError: there is neither a snapshot nor a journal.
        StoreFormatError: it is not an Hourwheel store, or that of a newer Hourwheel.
        StoreBusy: the store is in use, and new epochs begin faster than one can be read.
        OSError: a file cannot be opened. (Around bad sectors the rest is read.)
    """
    journals, snapshot, notes = _read_one_epoch(place, system)
    _refuse_strangers(place, snapshot, journals)
    notes += _set_right(snapshot, journals)
    ours, ignored = _of_this_store(snapshot.header, journals)
    notes += ignored + _later(snapshot.header, ours) + _unproved(place, snapshot)
    records = _in_order(ours, snapshot.header)
    replay = _replay(snapshot, records)
    notes += complete(replay.state)
    notes += rewire(replay.state)
    result = Salvage(
        state=replay.state,
        header=_new_header(snapshot.header, journals, replay.state),
        damages=[*snapshot.damages, *(damage for journal in journals for damage in journal.damages)],
        notes=[*notes, *replay.contradictions, *_share_out_keys(replay.state), *_history_lost(replay)],
    )
    result.lost_changes = _missing(records, snapshot.header, ours)
    result.lost_jobs = _lost_jobs(result, replay)
    result.lost_pending = _lost_pending(snapshot)
    result.lost_journal = _lost_journal(place, snapshot.header, ours)
    result.lost_unknown = _lost_unknown(snapshot, result.lost_pending or 0)
    return result


# ---- the files -------------------------------------------------------------------------------------------


def _read_one_epoch(place: Place, system: System) -> tuple[list[LooseJournal], LooseSnapshot, list[str]]:
    """Journals and snapshot of the same epoch: in a store in use the next one may begin between two reads."""
    for _ in range(_TRIES):
        before = _files_of(place, system)
        try:
            journals = _read_journals(place, system)
            snapshot, notes = _read_best_snapshot(place, system, journals)
        except FileNotFoundError:
            if _files_of(place, system) == before:
                raise
            continue
        if _files_of(place, system) == before:
            return journals, snapshot, notes
    raise StoreBusy(f"{place.path} begins new epochs faster than it can be read; try again, or stop its schedulers")


def _files_of(place: Place, system: System) -> tuple[int | None, list[str]]:
    try:
        inode: int | None = system.stat(place.path).st_ino
    except FileNotFoundError:
        inode = None
    return inode, place.siblings(system, "journal")


def _read_journals(place: Place, system: System) -> list[LooseJournal]:
    names = sorted(place.siblings(system, "journal"), key=epoch_of)
    paths = [os.path.join(place.directory, name) for name in names if epoch_of(name) >= 0]
    return [_read_journal(path, system) for path in paths]


def _read_journal(path: str, system: System) -> LooseJournal:
    try:
        return read_journal(read_file(path, system, around=True), path)
    except (FileNotFoundError, PermissionError):
        raise
    except OSError as error:  # a link, say; the other files are still read
        journal = LooseJournal(path=path)
        journal.note(0, 0, f"it cannot be read: {error.strerror}")
        return journal


def _read_best_snapshot(place: Place, system: System, journals: list[LooseJournal]) -> tuple[LooseSnapshot, list[str]]:
    try:
        return read_snapshot(read_file(place.path, system, around=True), place.path), []
    except FileNotFoundError:
        if not journals:
            raise
    damage = Damage(path=place.path, offset=0, length=0, reason="the snapshot is missing")
    spare = _spare(place, system, journals)
    if spare is None:
        return LooseSnapshot(damages=[damage]), []
    spare.damages.append(damage)
    return spare, [f"{place.next} is whole, and was used in place of the missing snapshot"]


def _spare(place: Place, system: System, journals: list[LooseJournal]) -> LooseSnapshot | None:
    """The snapshot that was being written, if it is whole and the journals go on where it ends."""
    try:
        spare = read_snapshot(read_file(place.next, system, around=True), place.next)
    except (FileNotFoundError, StoreFormatError):
        return None
    if spare.header is None or spare.damages:
        return None
    seqs = {record.seq for journal in journals for record in journal.records}
    seq = spare.header.seq
    return spare if seq == max(seqs, default=seq) or seq + 1 in seqs else None


def _refuse_strangers(place: Place, snapshot: LooseSnapshot, journals: list[LooseJournal]) -> None:
    if snapshot.header is None and not snapshot.jobs and not any(journal.header for journal in journals):
        raise StoreFormatError(f"{place.path} is not an Hourwheel store: there is nothing in it that a store has")


def _set_right(snapshot: LooseSnapshot, journals: list[LooseJournal]) -> list[str]:
    """Correct the one value in which an unproved header differs from its journal's; returns what was done.

    Otherwise one damaged digit would make the journal look like another store's, or like one already applied.
    """
    header = snapshot.header
    if header is None or snapshot.proved:
        return []
    here = {"store_id": header.store_id, "epoch": header.epoch, "after": header.seq}
    for told in (journal.header for journal in journals if journal.header is not None):
        differ = [name for name, value in here.items() if told.get(name) != value]
        if len(differ) == 1 and type(told.get(differ[0])) is type(here[differ[0]]):
            there = {**here, differ[0]: told[differ[0]]}
            snapshot.header = replace(header, store_id=there["store_id"], epoch=there["epoch"], seq=there["after"])
            said = f"the header says {here[differ[0]]!r} where its journal says {told[differ[0]]!r}"
            return [f"{said}, which was taken ({differ[0]})"]
    return []


def _of_this_store(header: Header | None, journals: list[LooseJournal]) -> tuple[list[LooseJournal], list[str]]:
    """The journals that belong to the snapshot, that of its epoch first; and notes about the others."""
    ours: list[LooseJournal] = []
    ignored: list[str] = []
    for journal in journals:
        if header is not None and journal.header is not None and journal.header.get("store_id") != header.store_id:
            ignored.append(f"{journal.path} is the journal of another store, and was left alone")
        elif header is not None and epoch_of(journal.path) == header.epoch:
            ours.insert(0, journal)
        else:
            ours.append(journal)
    return ours, ignored


def _unproved(place: Place, snapshot: LooseSnapshot) -> list[str]:
    if snapshot.proved or not snapshot.jobs:
        return []
    return [f"the checksum of {place.path} does not match, so a value in what was read may have changed unseen"]


def _later(header: Header | None, ours: list[LooseJournal]) -> list[str]:
    """Notes about journals with later records than the journal of the snapshot, which is an older copy then."""
    if header is None or not ours:
        return []
    known = {header.seq} | {record.seq for record in ours[0].records if epoch_of(ours[0].path) == header.epoch}
    return [
        f"{journal.path} goes on after the snapshot and its journal, so the snapshot is an older copy; both were read"
        for journal in ours
        if epoch_of(journal.path) > header.epoch and any(record.seq > max(known) for record in journal.records)
    ]


# ---- the records -----------------------------------------------------------------------------------------


def _in_order(journals: list[LooseJournal], header: Header | None) -> list[LooseRecord]:
    """The records after the snapshot, by number; if two journals have a record, that of the first counts."""
    known = -1 if header is None else header.seq
    found: dict[int, LooseRecord] = {}
    for journal in journals:
        for record in journal.records:
            if record.seq > known:
                found.setdefault(record.seq, record)
    return [found[seq] for seq in sorted(found)]


def _missing(records: list[LooseRecord], header: Header | None, journals: list[LooseJournal]) -> list[int]:
    have = {record.seq for record in records}
    first = min(have, default=1) if header is None else header.seq + 1
    wanted = set(range(first, max(have, default=first - 1) + 1))
    ended = max(have, default=first - 1)
    for damage in (damage for journal in journals[:1] for damage in journal.damages if damage.kind == "damaged"):
        if damage.offset > 0 and (not have if damage.seq is None else damage.seq > ended):
            wanted.add(ended + 1)  # damage behind the last record that can be read
    return sorted(wanted - have)


def _replay(snapshot: LooseSnapshot, records: Iterable[LooseRecord]) -> Replay:
    header = snapshot.header
    if header is None:
        replay = Replay(counts=_held(snapshot.jobs.values()))
    else:
        limits = Limits(header.paused, header.next_us)
        replay = Replay(counts=copy(header.counts), hand=header.hand, token=header.token, limits=limits)
    for row in snapshot.jobs.values():
        replay.hold(row)
    for record in records:
        replay.apply(record.fields, record.text)
    return replay


# ---- what it comes to ------------------------------------------------------------------------------------


def _held(rows: Iterable[Job | bytes]) -> Counts:
    """The counts of these jobs."""
    counts = Counts()
    for row in rows:
        counts.add(row.state if isinstance(row, Job) else JobState.SCHEDULED)
        counts.accepted += 1
    return counts


def balance(counted: Counts, rows: Iterable[Job | bytes]) -> Counts:
    """Counts that balance: the pending jobs that are there, and no fewer finished ones than were counted."""
    counts = _held(rows)
    for state in FINISHED:
        more = max(0, getattr(counted, state.value) - getattr(counts, state.value))
        counts.add(state, more)
        counts.accepted += more
    return counts


def _new_header(old: Header | None, journals: list[LooseJournal], state: State) -> Header:
    epochs = [epoch_of(journal.path) for journal in journals] + ([] if old is None else [old.epoch])
    seqs = [record.seq for journal in journals for record in journal.records] + ([] if old is None else [old.seq])
    return Header(
        store_id="" if old is None else old.store_id,
        epoch=max(epochs, default=0) + 1,
        seq=max(seqs, default=0) + 1,
        token=state.token,
        hand=state.ring.hand,
        counts=balance(state.counts, state.rows.values()),
        paused=tuple(sorted(state.limits.paused)),
        next_us=dict(state.limits.next_us),
    )


def _share_out_keys(state: State) -> list[str]:
    """Where a lost cancellation has left two pending jobs with one key, the newer keeps it; returns what was done."""
    notes: list[str] = []
    holders: dict[str, Job] = {}
    for id, row in list(state.rows.items()):
        if isinstance(row, bytes) and b',"key":' not in row:
            continue
        job = state.get(id)
        if job is None or job.key is None or job.state is not JobState.SCHEDULED:
            continue
        older, newer = sorted((job, holders.get(job.key, job)), key=lambda job: (job.created_ms, job.id))
        holders[job.key] = newer
        if older is not newer:
            state.rows[older.id] = older._replace(key=None)
            notes.append(f"job {older.id} lost its key {job.key!r} to the newer job {newer.id}; both stay scheduled")
    return notes


def _history_lost(replay: Replay) -> list[str]:
    return [
        f"job {id} is not on record, but it had {word}: only its history is lost"
        for id, word in replay.unknown.items()
        if word in FINISHED
    ]


def _lost_jobs(result: Salvage, replay: Replay) -> dict[str, str]:
    lost = {
        id: f"its arguments are not on record; the last that is known of it: {word}"
        for id, word in replay.unknown.items()
        if word not in FINISHED
    }
    for damage in result.damages:
        id = damage.job
        if damage.kind != "damaged" or id is None or id in replay.state.rows:
            continue
        if id in replay.forgotten or replay.unknown.get(id) in FINISHED:
            continue
        known = f"; the last that is known of it: {replay.unknown[id]}" if id in replay.unknown else ""
        lost[id] = f"it was in {damage.path} at byte {damage.offset}{known}"
    return lost


def _lost_journal(place: Place, header: Header | None, ours: list[LooseJournal]) -> str | None:
    """The path of the snapshot's journal, if nothing is left of it and no journal of a later epoch follows."""
    if header is None or header.whole:
        return None
    begun = (journal for journal in ours if journal.header is not None or journal.records)
    return None if any(epoch_of(journal.path) >= header.epoch for journal in begun) else place.journal(header.epoch)


def _lost_pending(snapshot: LooseSnapshot) -> int | None:
    if snapshot.header is None:
        return None
    told = snapshot.header.counts.scheduled + snapshot.header.counts.running
    held = _held(snapshot.jobs.values())
    return max(0, told - held.scheduled - held.running)


def _lost_unknown(snapshot: LooseSnapshot, lost_pending: int) -> int:
    """How many damaged places are long enough for a job and do not name one, beyond the missing pending jobs.

    The number of finished jobs in a snapshot is not recorded: they are counted for ever, and kept for a while.
    """
    nameless = [
        damage
        for damage in snapshot.damages
        if damage.kind == "damaged" and damage.job is None and damage.offset > 0 and damage.length >= _SHORTEST_JOB
    ]
    named = sum(1 for damage in snapshot.damages if damage.kind == "damaged" and damage.job is not None)
    return max(0, len(nameless) - max(0, lost_pending - named))
