"""Noted: the state of a store at one record, held still, and written as a snapshot while the store goes on.

For compaction, which begins a new epoch with it, and for backups, which put it somewhere else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from copy import copy
from itertools import groupby
from typing import Final, NamedTuple

from ....job import Job
from ....job import State as JobState
from ...codec import decode_job, peek
from ...keeping import FAILED_TTL_MS, is_over, over_ms, was_over
from ...state.counts import Counts
from ...state.limits import Limits
from ...state.state import Row
from ..epoch import Epoch
from ..system.system import System
from .header import Header
from .index import SLOTS, Index
from .snapshot import SnapshotFile
from .snapshot_writer import Content, text_of, write_snapshot

_PIECE: Final = 512
_NEVER: Final = 1 << 62


class Noted(NamedTuple):
    """A state as it was at one record; rows are values, so a shallow copy holds still."""

    snapshot: SnapshotFile
    rows: dict[str, Row]
    counts: Counts
    token: int
    hand: int
    seq: int
    end: int
    limits: Limits
    tidied: tuple[tuple[int, int], ...]


def note(epoch: Epoch) -> Noted:
    """Note the state of an epoch. Quick; the caller holds the epoch."""
    state = epoch.state
    state.fold()
    return Noted(
        epoch.snapshot,
        dict(state.rows),
        copy(state.counts),
        state.token,
        state.ring.hand,
        epoch.journal.seq,
        epoch.journal.end,
        state.limits.copy(),
        state.tidied,
    )


def header_of(noted: Noted, now_ms: int, *, store_id: str, epoch: int, whole: bool = False) -> Header:
    """The header of a snapshot with what was noted; ``whole`` if it says that no journal goes on after it."""
    return Header(
        store_id=store_id,
        epoch=epoch,
        seq=noted.seq,
        token=noted.token,
        hand=noted.hand,
        counts=noted.counts,
        paused=tuple(sorted(noted.limits.paused)),
        next_us=noted.limits.ahead(now_ms),
        whole=whole,
    )


def write_noted(
    fd: int, system: System, header: Header, noted: Noted, now_ms: int, failed_ttl_ms: int = FAILED_TTL_MS
) -> Iterator[Index | None]:
    """Write what was noted as a snapshot into an empty file, without finished jobs whose time is over; not synced.

    Yields None after each piece, in the end the index, as write_snapshot does.
    """
    sorting = _Sorting(noted, now_ms, failed_ttl_ms)
    for _ in sorting.run():
        yield None
    yield from write_snapshot(fd, system, header, _content(noted, sorting))


def _content(noted: Noted, sorting: _Sorting) -> Content:
    return Content(
        slots=_slots(noted, sorting),
        running=[text_of(job) for job in sorting.running],
        finished=_chain_finished(noted, sorting),
        over_ms=lambda: sorting.over_ms,
    )


def _slots(noted: Noted, sorting: _Sorting) -> Iterator[tuple[int, Iterable[tuple[int, list[bytes]]] | bytes]]:
    old, rows = noted.snapshot, noted.rows
    for slot in sorted({*old.held(), *sorting.slots}):
        added = sorting.slots.get(slot, ())
        text = None if added else old.slot_text(slot, sorting.changed)
        if text is None:
            jobs = [(due_ms, id, raw) for raw in old.slot_lines(slot) for id, due_ms in (peek(raw),) if id not in rows]
            jobs.extend((due_ms, id, text_of(rows[id])) for due_ms, id in added)
            jobs.sort()
            if jobs:
                yield slot, ((cycle, [raw for _, _, raw in group]) for cycle, group in groupby(jobs, key=_cycle))
        elif text:
            yield slot, text


class _Sorting:
    """The rows of a state by where they go in a snapshot."""

    def __init__(self, noted: Noted, now_ms: int, failed_ttl_ms: int) -> None:
        self._rows = noted.rows
        self._now_ms = now_ms
        self._failed_ttl_ms = failed_ttl_ms
        self.slots: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        self.running: list[Job] = []
        self.finished: list[Job] = []
        self.over_ms = _NEVER
        """When the first of those finished jobs that are kept is over."""
        self.changed: set[bytes] = set()
        """Ids of rows that may hide a job of the snapshot; one that was added and not yet looked into cannot."""

    def run(self) -> Iterator[None]:
        for n, (id, row) in enumerate(self._rows.items()):
            if type(row) is bytes:
                due_ms = peek(row)[1]
                self.slots[due_ms // 1000 % SLOTS].append((due_ms, id))
            else:
                self._sort_job(id, row)  # type: ignore[arg-type]
            if n % _PIECE == 0:
                yield
        for entries in self.slots.values():
            entries.sort()

    def _sort_job(self, id: str, job: Job) -> None:
        self.changed.add(id.encode("utf-8", "surrogatepass"))
        if job.state is JobState.SCHEDULED:
            self.slots[job.slot].append((job.due_ms, job.id))
        elif job.state is JobState.RUNNING:
            self.running.append(job)
        elif self.keeps(job):
            self.finished.append(job)

    def keeps(self, job: Job) -> bool:
        """Whether a finished job goes into the snapshot."""
        if is_over(job, self._now_ms, self._failed_ttl_ms):
            return False
        self.over_ms = min(self.over_ms, over_ms(job, self._failed_ttl_ms))
        return True


def _chain_finished(noted: Noted, sorting: _Sorting) -> Iterator[bytes]:
    for raw in noted.snapshot.finished_lines():
        if peek(raw)[0] not in noted.rows:
            job = decode_job(raw)
            if not was_over(job, noted.tidied) and sorting.keeps(job):  # rows that were over are dropped already
                yield raw
    for job in sorting.finished:
        yield text_of(job)


def _cycle(entry: tuple[int, str, bytes]) -> int:
    return entry[0] // (SLOTS * 1000)
