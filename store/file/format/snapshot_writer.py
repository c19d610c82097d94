"""Writing a snapshot in pieces, so that a background thread can rest between them. snapshot.py has the format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple
from zlib import crc32

from ....job import Job
from ...codec import encode_job, peek
from ..system.system import System, write_all
from .header import Header
from .index import Index
from .snapshot import JOB_HEAD, ZEROS, index_job

_WRITE: Final = 1 << 16


class Content(NamedTuple):
    """The jobs of a snapshot that is to be written."""

    slots: Iterable[tuple[int, Iterable[tuple[int, list[bytes]]] | bytes]]
    """For each slot with jobs, its lines by cycle, or the text between its braces in an older snapshot."""
    running: Iterable[bytes]
    finished: Iterable[bytes]
    over_ms: Callable[[], int] = lambda: 1
    """When the first finished job may be dropped, at the earliest; called after all of them have been written."""


class _Writer:
    """Writes a snapshot in pieces, and makes its index and checksum on the way."""

    def __init__(self, fd: int, system: System, start: int) -> None:
        self._fd = fd
        self._system = system
        self._pieces: list[bytes] = []
        self._flushed = start
        self._held = 0
        self.crc = 0
        self.index = Index()

    @property
    def at(self) -> int:
        return self._flushed + self._held

    def put(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._held += len(piece)

    def flush(self) -> None:
        data = b"".join(self._pieces)
        write_all(self._system, self._fd, data, self._flushed)
        self.crc = crc32(data, self.crc)
        self._flushed += len(data)
        self._pieces, self._held = [], 0

    def flush_when_full(self) -> bool:
        if self._held < _WRITE:
            return False
        self.flush()
        return True


def write_snapshot(fd: int, system: System, header: Header, content: Content) -> Iterator[Index | None]:
    """Write a snapshot into an empty file; not synced.

    Yields None after each piece of work, where the caller may pause, and in the end the index.
    """
    header = replace(header, over_ms=0)
    size = len(header.line(0, ZEROS))
    out = _Writer(fd, system, size)
    out.put(b'"ring":{\n')
    first = True
    for slot, cycles in content.slots:
        out.put(b'"%d":{\n' % slot if first else b',\n"%d":{\n' % slot)
        first = False
        out.index.starts[slot] = out.at
        if isinstance(cycles, bytes):
            _write_as_it_is(out, slot, cycles)
        else:
            yield from _write_slot(out, slot, cycles)
        out.index.ends[slot] = out.at
        out.put(b"}")
        if out.flush_when_full():
            yield None
    out.put(b'\n},\n"running":[\n')
    out.index.running_at = out.at
    yield from _write_jobs(out, content.running)
    out.put(b'],\n"finished":[\n')
    out.index.finished_at = out.at
    before = out.at
    yield from _write_jobs(out, content.finished)
    header = replace(header, over_ms=content.over_ms() if out.at > before else 0)
    out.put(b"]}\n")
    out.flush()
    zeroed = header.line(out.at, ZEROS)
    write_all(system, fd, header.line(out.at, b"%08x" % crc32(zeroed, out.crc)), 0)
    for _ in out.index.seal():
        yield None
    yield out.index


def _write_slot(out: _Writer, slot: int, cycles: Iterable[tuple[int, list[bytes]]]) -> Iterator[None]:
    first = True
    for cycle, jobs in cycles:
        if first:
            out.index.heads[slot] = peek(jobs[0])[1]
        out.put(b'"%d":[\n' % cycle if first else b',\n"%d":[\n' % cycle)
        first = False
        yield from _write_jobs(out, jobs)
        out.put(b"]")
    out.put(b"\n")


def _write_as_it_is(out: _Writer, slot: int, text: bytes) -> None:
    found = JOB_HEAD.search(text)
    if found is not None:
        out.index.heads[slot] = int(found[2])
    at, add = out.at, out.index.add
    for found in JOB_HEAD.finditer(text):
        add(found[1], at + found.start())
    out.put(text)


def _write_jobs(out: _Writer, jobs: Iterable[bytes]) -> Iterator[None]:
    first = True
    for raw in jobs:
        if not first:
            out.put(b",\n")
        first = False
        index_job(out.index, raw, out.at)
        out.put(raw)
        if out.flush_when_full():
            yield None
    if not first:
        out.put(b"\n")


def text_of(row: Job | bytes) -> bytes:
    """A job's line in the snapshot."""
    return row if type(row) is bytes else encode_job(row).encode("ascii")  # type: ignore[arg-type]
