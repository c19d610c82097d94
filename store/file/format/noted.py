"""Noted: the state of a store after one record, kept as it is and written as a snapshot while the store goes on.

Compaction begins a new epoch with it, a backup writes it somewhere else. A new store and a repaired one are written by
the same code, from rows alone.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from itertools import groupby
from typing import Final, NamedTuple

from ....job import Job
from ....job import State as JobState
from ...codec import decode_job, peek
from ...keeping import FAILED_TTL_MS, is_over, over_ms, was_over
from ...state.state import Row
from ..epoch import Epoch
from ..system.system import MAKE, System, opened
from .header import Header
from .index import NEVER, SLOTS, Index
from .snapshot import SnapshotFile
from .snapshot_writer import Content, text_of, write_snapshot

_PIECE: Final = 512


class Noted(NamedTuple):
    """A state after one record. Rows are values, so a shallow copy does not change."""

    snapshot: SnapshotFile
    rows: dict[str, Row]
    header: Header
    """For a snapshot of this epoch."""
    end: int
    """Where in the journal the record ends."""
    tidied: tuple[tuple[int, int], ...]


def note(epoch: Epoch, now_ms: int) -> Noted:
    """Note the state of an epoch, quickly. The caller holds the epoch."""
    state = epoch.state
    state.fold()
    header = Header(
        store_id=epoch.store_id,
        epoch=epoch.number,
        seq=epoch.journal.seq,
        token=state.token,
        hand=state.ring.hand,
        counts=copy(state.counts),
        paused=tuple(sorted(state.limits.paused)),
        next_us=state.limits.ahead(now_ms),
    )
    return Noted(epoch.snapshot, dict(state.rows), header, epoch.journal.end, state.tidied)


def write_noted(
    fd: int, system: System, header: Header, noted: Noted, now_ms: int, failed_ttl_ms: int = FAILED_TTL_MS
) -> Iterator[Index | None]:
    """Write what was noted into an empty file, without finished jobs whose time is over. See write_snapshot."""
    yield from _write(
        fd, system, header, noted.snapshot, _Sorting(noted.rows, noted.snapshot, noted.tidied, now_ms, failed_ttl_ms)
    )


def write_rows(path: str, system: System, header: Header, rows: Mapping[str, Row], *, over: bool = False) -> None:
    """Write a snapshot of all these jobs into a file, and sync it.

    Raises:
        FileExistsError: the file exists, and ``over`` is not given; it is left alone.
        OSError: the file cannot be written; a new one is removed again.
    """
    with opened(system, path, MAKE | (os.O_TRUNC if over else os.O_EXCL)) as fd:
        try:
            for _ in _write(fd, system, header, None, _Sorting(rows, None, (), -1, 0)):
                pass
            system.fsync(fd)
        except BaseException:
            if not over:
                system.unlink(path)
            raise


def _write(
    fd: int, system: System, header: Header, old: SnapshotFile | None, sorting: _Sorting
) -> Iterator[Index | None]:
    for _ in sorting.run():
        yield None
    content = Content(
        slots=_slots(old, sorting),
        running=map(text_of, sorting.running),
        finished=_finished(old, sorting),
        over_ms=lambda: sorting.over_ms,
    )
    yield from write_snapshot(fd, system, header, content)


def _slots(
    old: SnapshotFile | None, sorting: _Sorting
) -> Iterator[tuple[int, Iterable[tuple[int, list[bytes]]] | bytes]]:
    rows = sorting.rows
    for slot in sorted({*(old.held() if old else ()), *sorting.slots}):
        added = sorting.slots.get(slot, ())
        text = old.slot_text(slot, sorting.changed) if old and not added else None
        if text is None:
            lines = old.slot_lines(slot) if old else ()
            jobs = [(due_ms, id, raw) for raw in lines for id, due_ms in (peek(raw),) if id not in rows]
            jobs.extend((due_ms, id, text_of(rows[id])) for due_ms, id in added)
            jobs.sort()
            if jobs:
                yield slot, ((cycle, [raw for _, _, raw in group]) for cycle, group in groupby(jobs, key=_cycle))
        elif text:
            yield slot, text


class _Sorting:
    """Sorts the rows of a state into the sections of a snapshot."""

    def __init__(
        self,
        rows: Mapping[str, Row],
        old: SnapshotFile | None,
        tidied: tuple[tuple[int, int], ...],
        now_ms: int,
        failed_ttl_ms: int,
    ) -> None:
        self.rows = rows
        self._old = old
        self.tidied = tidied
        self._now_ms = now_ms
        self._failed_ttl_ms = failed_ttl_ms
        self.slots: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        self.running: list[Job] = []
        self.finished: list[Job] = []
        self.over_ms = NEVER
        """When the first of the finished jobs that are kept is over."""
        self.changed: set[bytes] = set()
        """Ids of rows that may hide a job of the snapshot. A row that is still text is new, and hides none."""

    def run(self) -> Iterator[None]:
        for n, (id, row) in enumerate(self.rows.items()):
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
        if self.is_over(job, is_over(job, self._now_ms, self._failed_ttl_ms)):
            return False
        self.over_ms = min(self.over_ms, over_ms(job, self._failed_ttl_ms))
        return True

    def is_over(self, job: Job, over: bool) -> bool:
        """Whether a job need not be kept, whose time is ``over``: nobody waits for it who has not finished."""
        return over and not any(map(self._is_unfinished, job.wakes))

    def _is_unfinished(self, id: str) -> bool:
        """Whether there is such a job, and it may still be given the result of another one."""
        row = self.rows.get(id) or (None if self._old is None else self._old.get(id))
        return row is not None and (isinstance(row, bytes) or not row.finished)


def _finished(old: SnapshotFile | None, sorting: _Sorting) -> Iterator[bytes]:
    for raw in old.finished_lines() if old else ():
        if peek(raw)[0] not in sorting.rows:
            job = decode_job(raw)
            if not sorting.is_over(job, was_over(job, sorting.tidied)) and sorting.keeps(
                job
            ):  # rows that were over are dropped already
                yield raw
    for job in sorting.finished:
        yield text_of(job)


def _cycle(entry: tuple[int, str, bytes]) -> int:
    return entry[0] // (SLOTS * 1000)
