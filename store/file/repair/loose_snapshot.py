"""Reading a damaged snapshot: every job that can still be read, and where each damage is.

Pure: bytes in, jobs out. Lines are read one by one, so a destroyed line costs no other. If the checksum of the file is
right, it proves what is read; if not, each job must at least be whole and sound in every field. A single flipped bit is
no loss: the checksum tells which one it was (bitrot.py), and it is flipped back in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

import simplejson

from ....errors import HourwheelError, StoreFormatError
from ....job import Job, State
from ...codec import decode_job
from ..format.header import Header, header_in
from .bitrot import flip, flipped_bit, is_telling
from .damage import Damage, id_in, short
from .document import EditRefused, read_document
from .shape import is_canonical, read_job

_ZEROS: Final = b"00000000"
_START: Final = b'{"format":"hourwheel"'
_REGION: Final = 512
_FRAME: Final = re.compile(rb'"(\d+)":([{\[])|(?:\],)?"(?:ring|running|finished)":[{\[]|[\]}]{0,2},?')
"""Every line of a snapshot that is neither the header nor a job."""
_SCAN: Final = simplejson.JSONDecoder().scan_once
_GAP: Final = 4


@dataclass(slots=True, kw_only=True)
class LooseSnapshot:
    """What could be read of a snapshot; ``header`` is None if that could not."""

    header: Header | None = None
    jobs: dict[str, Job | bytes] = field(default_factory=dict)
    """By id: the text of a scheduled job that is as the store writes it, else the Job."""
    damages: list[Damage] = field(default_factory=list)
    proved: bool = False
    """Whether the checksum proves what was read. If not, a value may have changed unnoticed."""


def read_snapshot(data: bytes, path: str) -> LooseSnapshot:
    """Everything that can be read of a snapshot; StoreFormatError if a newer Hourwheel wrote it."""
    try:
        flipped = _flipped_bit(data, path)
    except _Unexplained:
        return _read_changed(data, path)
    if flipped is None:
        found = _read_proved(data, path)
    else:
        data, at = flip(data, flipped), flipped // 8
        found = _read_proved(data, path)
        line = data[data.rfind(b"\n", 0, at) + 1 : at + _REGION]
        found.damages.append(
            Damage(path=path, offset=at, length=1, reason="one bit was flipped", kind="mended", job=id_in(line))
        )
    found.header = _header_of(data, path)
    found.proved = True
    return found


def _read_changed(data: bytes, path: str) -> LooseSnapshot:
    """A snapshot whose checksum is wrong, and not by one bit: it was damaged, or edited."""
    found = _read_lines(data, path)
    found.header = _header_of(data, path)
    try:
        document = read_document(data, path)
    except EditRefused:
        if not found.damages:
            found.damages.append(Damage(path=path, offset=0, length=len(data), reason="the checksum does not match"))
        return found
    reason = (
        "the checksum does not match, although everything can be read: either the file was edited (then see "
        "`hourwheel check --accept-edit`), or a value was damaged, and there is no telling which"
    )
    damage = Damage(path=path, offset=0, length=len(data), reason=reason)
    return LooseSnapshot(header=document.header, jobs={**document.jobs}, damages=[damage])


def _header_of(data: bytes, path: str) -> Header | None:
    """The header, if it can be read. That of a newer Hourwheel raises StoreFormatError."""
    line, end, _ = data[: 2 * _REGION].partition(b"\n")
    try:
        return header_in(line, path, ended=bool(end))
    except StoreFormatError:
        if data.lstrip(b" \xef\xbb\xbf").startswith(_START):
            raise
        return None
    except HourwheelError:
        return None


# ---- one flipped bit -------------------------------------------------------------------------------------


class _Unexplained(Exception):
    """No single flipped bit explains the checksum."""


def _flipped_bit(data: bytes, path: str) -> int | None:
    """The bit that was flipped since the file was written; None if the file is as it was."""
    size = data.find(b"\n") + 1
    header = _canonical(data[:size], path, len(data))
    if header is None:
        return _flip_in_header(data, path)
    zeroed = header.line(header.length, _ZEROS)
    found = crc32(zeroed, crc32(memoryview(data)[size:]))
    written = header.crc.encode("ascii", "replace")
    differing = [bit for bit in range(64) if (written[bit // 8] ^ (b"%08x" % found)[bit // 8]) >> bit % 8 & 1]
    if not differing:
        return None
    if len(differing) == 1:
        return (size - len(b'00000000",\n')) * 8 + differing[0]
    if not re.fullmatch(rb"[0-9a-f]{8}", written):
        raise _Unexplained
    bit = flipped_bit(found, int(written, 16), len(data))
    if bit is None:
        raise _Unexplained
    bit = (bit + size * 8) % (len(data) * 8)  # the header was checksummed last
    if bit < size * 8:
        believed = _canonical(flip(data[:size], bit), path, len(data)) is not None
    else:
        believed = is_telling(len(data)) or _heals_a_line(data, bit)
    if not believed:
        raise _Unexplained
    return bit


def _canonical(line: bytes, path: str, length: int) -> Header | None:
    """The header in a line, if it is as the store writes it and tells the length of the file."""
    try:
        header = _header_of(line, path)
    except StoreFormatError:
        return None
    if header is None or type(header.crc) is not str or len(header.crc) != len(_ZEROS) or header.length != length:
        return None
    try:
        return header if line == header.line(length, header.crc.encode("ascii", "replace")) else None
    except (TypeError, ValueError):
        return None


def _flip_in_header(data: bytes, path: str) -> int:
    """The bit of the first line that, flipped back, makes the whole file right."""
    crcs: dict[int, int] = {}
    for bit in range(min(len(data), _REGION) * 8):
        head = flip(data[: 2 * _REGION], bit)
        size = head.find(b"\n") + 1
        if bit // 8 >= size or not head.startswith(_START):
            continue
        header = _canonical(head[:size], path, len(data))
        if header is None:
            continue
        if size not in crcs:
            crcs[size] = crc32(memoryview(data)[size:])
        if f"{crc32(header.line(header.length, _ZEROS), crcs[size]):08x}" == header.crc:
            return bit
    raise _Unexplained


def _heals_a_line(data: bytes, bit: int) -> bool:
    """Whether flipping the bit makes an unreadable line readable, which is reason enough in a large file."""
    at = bit // 8
    start, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at + 1)
    line = data[start : end if end >= 0 else len(data)]
    return _is_odd(line) and not any(map(_is_odd, flip(line, bit - start * 8).split(b"\n")))


def _is_odd(line: bytes) -> bool:
    if _FRAME.fullmatch(line):
        return False
    try:
        read_job(line.rstrip(b","))
    except ValueError:
        return True
    return False


# ---- line by line ----------------------------------------------------------------------------------------


def _read_proved(data: bytes, path: str) -> LooseSnapshot:
    """The jobs of a snapshot whose checksum is right, which need not be examined one by one."""
    found = LooseSnapshot()
    try:
        for _, line in _split_lines(data):
            if line.startswith(b'{"id":'):
                raw = line.rstrip(b",")
                job = decode_job(raw)
                found.jobs[job.id] = raw if job.state is State.SCHEDULED else job
    except ValueError:
        return _read_lines(data, path)
    return found


class Reader:
    """Takes the lines of a snapshot one after the other."""

    def __init__(self, found: LooseSnapshot, path: str) -> None:
        self._found = found
        self._path = path
        self._place: tuple[int | None, int | None] = (None, None)
        """The slot and cycle of the lines that follow; None where not known."""

    def take(self, at: int, line: bytes) -> None:
        """The line at an offset, without its line feed."""
        if at == 0 and line.lstrip(b"\xef\xbb\xbf ").startswith(_START):
            return
        frame = _FRAME.fullmatch(line)
        if frame is None:
            self._take_jobs(at, line)
        elif frame[2] == b"{":
            self._place = int(frame[1]), None
        elif frame[2] == b"[":
            self._place = self._place[0], int(frame[1])
        elif not line.startswith(b"]"):
            self._place = None, None

    def _take_jobs(self, at: int, line: bytes) -> None:
        end = 0
        for start, end in _objects_in(line):
            if reason := self._take_job(line[start:end]):
                self._note(at + start, line[start:end], reason)
        if line[end:].strip(b", \0"):
            self._note(at + end, line[end:], "this cannot be read")
        if end == 0:
            self._place = None, None  # this may have been the line of a slot or cycle

    def _take_job(self, raw: bytes) -> str | None:
        """Keep a job if it can be read; what is wrong with it."""
        try:
            job = read_job(raw)
        except ValueError as error:
            return f"this job cannot be read: {error}"
        if job.id in self._found.jobs:
            return "this job is in the file before; the first one is kept"
        scheduled = job.state is State.SCHEDULED
        self._found.jobs[job.id] = raw if scheduled and is_canonical(raw, job) else job
        slot, cycle = self._place
        if scheduled and None not in self._place and (slot, cycle) != (job.slot, job.cycle):
            return f"this job is in slot {slot}, cycle {cycle}, but is due at {job.due_ms}, which is kept"
        return None

    def _note(self, offset: int, raw: bytes, reason: str) -> None:
        self._found.damages.append(
            Damage(path=self._path, offset=offset, length=len(raw), reason=short(reason), job=id_in(raw))
        )


def _read_lines(data: bytes, path: str) -> LooseSnapshot:
    found = LooseSnapshot()
    reader = Reader(found, path)
    for at, line in _split_lines(data):
        reader.take(at, line)
    return found


def _split_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        stop = data.find(b"\n", at)
        stop = len(data) if stop < 0 else stop
        yield at, data[at:stop].rstrip(b"\r")
        at = stop + 1


def _objects_in(line: bytes) -> Iterator[tuple[int, int]]:
    """Where the JSON objects in a line are: several if the line feed between two was destroyed.

    Only what follows a whole object counts: an object inside a broken one is not a job.
    """
    text = line.decode("latin-1")
    at = 0
    while text.startswith("{", at):
        try:
            _, end = _SCAN(text, at)
        except (ValueError, StopIteration, RecursionError, MemoryError):
            return
        yield at, end
        at = text.find("{", end, end + _GAP)
        if at < 0:
            return
