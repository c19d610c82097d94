r"""The snapshot: the whole store as one JSON document that you can read, diff and edit.

    {"format":"hourwheel","version":1,"min_reader":1,"store_id":"5f0c...","epoch":3,"seq":1041,...,"crc":"9a3e..",
    "ring":{
    "17":{
    "489916":[
    {"id":"0193...","due_ms":1763697617250,"task":"app.remind","created_ms":1763696717243,"payload":[[1,"x"],{}]},
    {"id":"0193...",...}
    ]
    }
    },
    "running":[
    ],
    "finished":[
    ]}

{slot: {cycle: [job, ...]}}, one job a line, slots and cycles in order, jobs by due_ms and id. The header is the first
line; its ``crc`` covers everything after that line, then the line itself with a crc of zeros, and ``length`` is the
size of the whole file. Scheduled jobs stay on the disk until they are due: the index says where each slot begins, and
within a slot they are in due order, so a sweep reads the lines that are due and one more.

A snapshot is written beside the old one and renamed over it. It is never changed in place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Set
from heapq import merge
from typing import Final
from zlib import crc32

from ....errors import StoreCorrupt
from ....job import Job
from ...codec import decode_job, peek
from ...state.frozen import Frozen, Hidden
from ..system.system import READ, System, close_file, pread_all
from .header import Header, first_line, read_header
from .index import NEVER, SLOTS, Index, key_name

ZEROS: Final = b"00000000"
_READ: Final = 1 << 16
JOB_HEAD: Final = re.compile(rb'^\{"id":"([^"\\]+)","due_ms":(\d{1,18}),', re.M)
_SLOT_LINE: Final = re.compile(rb'"(\d+)":\{\n')


def index_job(index: Index, raw: bytes, offset: int) -> None:
    """Note a job's id, and its key if it has one."""
    id, _ = peek(raw)
    index.add(id.encode("utf-8", "surrogatepass"), offset)
    if b',"key":' in raw:
        job = decode_job(raw)
        if job.key is not None:
            index.add(key_name(job.key), offset)


def verify(fd: int, path: str, system: System, header: Header) -> None:
    """Raise StoreCorrupt if the checksum of the whole file is wrong: it was damaged, or edited by hand."""
    line, _ = first_line(fd, system)
    at, crc = len(line) + 1, 0
    while piece := system.pread(fd, 1 << 20, at):
        crc = crc32(piece, crc)
        at += len(piece)
    found = f"{crc32(header.line(header.length, ZEROS), crc):08x}"
    if at != header.length:
        raise StoreCorrupt(path, min(at, header.length), f"the file has {at} bytes, its header says {header.length}")
    if found != header.crc or line + b"\n" != header.line(header.length, header.crc.encode("ascii", "replace")):
        raise StoreCorrupt(
            path, 0, "the checksum does not match; if you have edited the file, see `hourwheel check --accept-edit`"
        )


def scan_index(fd: int, system: System) -> Index:
    """Make the index of a snapshot, by reading it line by line."""
    index = Index()
    section, slot = b"", -1
    for offset, line in lines_of(fd, system, 0):
        if line.startswith(b'{"id":'):
            raw = line.rstrip(b",\n")
            index_job(index, raw, offset)
            if section == b"ring" and index.heads[slot] == NEVER:
                index.heads[slot] = peek(raw)[1]
        elif section == b"ring" and (found := _SLOT_LINE.match(line)):
            slot = int(found[1])
            index.starts[slot] = offset + len(line)
        elif section == b"ring" and line.startswith(b"}") and slot >= 0:
            index.ends[slot] = offset
            slot = -1
        if line.startswith(b'"ring":'):
            section = b"ring"
        elif line.startswith(b'"running":'):
            section, index.running_at = b"running", offset + len(line)
        elif b'"finished":[' in line and not line.startswith(b"{"):
            section, index.finished_at = b"finished", offset + len(line)
    for _ in index.seal():
        pass
    return index


def lines_of(fd: int, system: System, at: int, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """(offset, line with its line feed) from ``at`` on, up to ``end``."""
    held = b""
    size = _READ
    while True:
        if end is not None:
            size = min(size, end - at - len(held))
        piece = system.pread(fd, size, at + len(held)) if size > 0 else b""
        held += piece
        start = 0
        while (stop := held.find(b"\n", start)) >= 0:
            yield at + start, held[start : stop + 1]
            start = stop + 1
        at += start
        held = held[start:]
        if not piece:
            if held:
                yield at, held
            return
        size = _READ if len(held) < _READ else 1 << 20


class SnapshotFile(Frozen):
    """The jobs of a snapshot, left on the disk."""

    def __init__(self, fd: int, path: str, system: System, header: Header, index: Index) -> None:
        self.fd = fd
        self.path = path
        self._system = system
        self.header = header
        self.index = index
        self._cursors = list(index.starts)
        self._heads = list(index.heads)
        self._next = min(self._heads)
        self._head_id: str | None = None

    def close(self) -> None:
        """Close the file."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            close_file(self._system, fd)

    def is_at(self, path: str) -> bool:
        """Whether this is the file that has the name ``path`` now."""
        return os.path.samestat(self._system.fstat(self.fd), self._system.stat(path))

    @property
    def over_ms(self) -> int | None:
        """See Frozen.over_ms."""
        return 0 if self.header.over_ms is None else self.header.over_ms or None

    def get(self, id: str) -> Job | None:
        """See Frozen.get."""
        for offset in self.index.candidates(id.encode("utf-8", "surrogatepass")):
            raw = self._line_at(offset)
            if peek(raw)[0] == id:
                return decode_job(raw)
        return None

    def find_key(self, key: str) -> list[str]:
        """See Frozen.find_key."""
        return [peek(self._line_at(offset))[0] for offset in self.index.candidates(key_name(key))]

    def _line_at(self, offset: int) -> bytes:
        data, size = b"", 1024
        while (stop := data.find(b"\n")) < 0:
            piece = self._system.pread(self.fd, size, offset + len(data))
            if not piece:
                return data.rstrip(b",")
            data += piece
            size *= 8
        return data[:stop].rstrip(b",")

    # ---- scheduled jobs, in due order --------------------------------------------------------------------

    def take_due(self, until_ms: int, hidden: Hidden) -> list[Job]:
        """See Frozen.take_due."""
        if self._next > until_ms:
            return []
        taken: list[Job] = []
        for slot, head in enumerate(self._heads):
            if head <= until_ms:
                taken.extend(self._take_slot(slot, until_ms, hidden))
        self._next = min(self._heads)
        self._head_id = None
        return taken

    def _take_slot(self, slot: int, until_ms: int, hidden: Hidden) -> Iterator[Job]:
        for offset, raw in self._slot_jobs(slot):
            id, due_ms = peek(raw)
            if due_ms > until_ms:
                self._cursors[slot], self._heads[slot] = offset, due_ms
                return
            if not hidden(id):
                yield decode_job(raw)
        self._cursors[slot], self._heads[slot] = self.index.ends[slot], NEVER

    def next_due(self, hidden: Hidden) -> int | None:
        """See Frozen.next_due."""
        while self._next != NEVER:
            if self._head_id is None:
                slot = self._heads.index(self._next)
                self._head_id = peek(self._first(self._slot_jobs(slot))[1])[0]
            if not hidden(self._head_id):
                return self._next
            self._drop_head()
        return None

    def _drop_head(self) -> None:
        slot = self._heads.index(self._next)
        jobs = self._slot_jobs(slot)
        self._first(jobs)
        offset, raw = next(jobs, (self.index.ends[slot], b""))
        self._cursors[slot] = offset
        self._heads[slot] = peek(raw)[1] if raw else NEVER
        self._next = min(self._heads)
        self._head_id = None

    def _first(self, jobs: Iterator[tuple[int, bytes]]) -> tuple[int, bytes]:
        found = next(jobs, None)
        if found is None:
            raise StoreCorrupt(self.path, 0, "a slot does not have the jobs that its index says")
        return found

    def _slot_jobs(self, slot: int) -> Iterator[tuple[int, bytes]]:
        return self._jobs_in(self._cursors[slot], self.index.ends[slot])

    def _jobs_in(self, at: int, end: int | None) -> Iterator[tuple[int, bytes]]:
        for offset, line in lines_of(self.fd, self._system, at, end):
            if line.startswith(b'{"id":'):
                yield offset, line.rstrip(b",\n")

    def slot_lines(self, slot: int) -> Iterator[bytes]:
        """All jobs of a slot as text, including those that were taken."""
        return (raw for _, raw in self._jobs_in(self.index.starts[slot], self.index.ends[slot]))

    def held(self) -> list[int]:
        """The slots that had jobs when the snapshot was made."""
        ranges = zip(self.index.starts, self.index.ends, strict=True)
        return [slot for slot, (start, end) in enumerate(ranges) if start < end]

    def slot_text(self, slot: int, hidden: Set[bytes]) -> bytes | None:
        """The text of a slot, if it can be copied: none of its jobs is hidden, has a key or an unusual id."""
        start, end = self.index.starts[slot], self.index.ends[slot]
        text = pread_all(self._system, self.fd, start, end)
        if b',"key":' in text:
            return None
        ids = [id for id, _ in JOB_HEAD.findall(text)]
        return text if hidden.isdisjoint(ids) and len(ids) == text.count(b'\n{"id":') else None

    def scheduled(self, slot: int | None = None) -> Iterator[tuple[int, str, Job | None]]:
        """See Frozen.scheduled."""
        slots = range(SLOTS) if slot is None else (slot,)
        runs = [self._slot_entries(slot) for slot in slots if self._heads[slot] != NEVER]
        return merge(*runs)

    def _slot_entries(self, slot: int) -> Iterator[tuple[int, str, None]]:
        for _, raw in self._slot_jobs(slot):
            id, due_ms = peek(raw)
            yield due_ms, id, None

    # ---- all jobs ----------------------------------------------------------------------------------------

    def jobs(self) -> Iterator[Job]:
        """See Frozen.jobs."""
        return (decode_job(raw) for _, raw in self._jobs_in(0, None))

    def running(self) -> list[Job]:
        """The jobs that were running when the snapshot was made."""
        return [decode_job(raw) for raw in self._section(self.index.running_at)]

    def finished_lines(self) -> Iterator[bytes]:
        """The finished jobs as text."""
        return self._section(self.index.finished_at)

    def _section(self, at: int) -> Iterator[bytes]:
        for _, line in lines_of(self.fd, self._system, at):
            if not line.startswith(b'{"id":'):
                return
            yield line.rstrip(b",\n")


def open_snapshot(path: str, index_path: Callable[[int], str], system: System, *, check: bool = True) -> SnapshotFile:
    """Open a snapshot and its index.

    ``index_path`` makes the path of an index from its epoch. With ``check`` the checksum of the snapshot is verified.

    Raises:
        FileNotFoundError: there is none.
        StoreFormatError, StoreCorrupt: see read_header and verify.
    """
    fd = system.open(path, READ)
    try:
        header = read_header(fd, path, system)
        if check:
            verify(fd, path, system, header)
        index = Index.load(index_path(header.epoch), system, header.crc)
        if index is None:
            index = scan_index(fd, system)
    except BaseException:
        close_file(system, fd)
        raise
    return SnapshotFile(fd, path, system, header, index)
