"""The index of a snapshot: where in it each job is, by id and by key, and where each slot begins.

It is made from the snapshot, and made again whenever it is missing or does not fit, so you can edit the snapshot and
delete the index. It takes 8 bytes a job: ids are hashed to 32 bits; the first 8 pick one of 256 sorted arrays, whose
entries are the other 24 bits and a 40-bit offset. Jobs with equal hashes are told apart by reading them.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final
from zlib import crc32

from ...codec import loads
from ..system.system import MAKE, System, opened, pread_all, write_all
from .header import Header

SLOTS: Final = 3600
NEVER: Final = 1 << 62
_OFFSET_BITS: Final = 40
_OFFSET_MASK: Final = (1 << _OFFSET_BITS) - 1
_LOW: Final = 0xFFFFFF
_HEAD: Final = len('{"crc":"00000000",')
"""The first bytes of the file, which hold its checksum, and which the checksum does not cover."""


class Index:
    """Offsets into one snapshot."""

    __slots__ = ("ends", "finished_at", "heads", "rows", "running_at", "starts")

    def __init__(self) -> None:
        self.rows = [array("Q") for _ in range(256)]
        self.starts = array("Q", bytes(8 * SLOTS))
        """Where each slot's lines begin, in bytes; ``ends`` is where they end."""
        self.ends = array("Q", bytes(8 * SLOTS))
        self.heads = array("Q", [NEVER]) * SLOTS
        """The due_ms of each slot's first job."""
        self.running_at = 0
        self.finished_at = 0

    def add(self, name: bytes, offset: int) -> None:
        """Note that the job with this id (or key, see ``key_name``) is at ``offset``. Call ``seal`` at the end."""
        hashed = crc32(name)
        self.rows[hashed >> 24].append((hashed & _LOW) << _OFFSET_BITS | offset)

    def seal(self) -> Iterator[None]:
        """Sort, one part at a time; the caller may pause after each."""
        for n, row in enumerate(self.rows):
            self.rows[n] = array("Q", sorted(row))
            yield

    def candidates(self, name: bytes) -> list[int]:
        """Offsets of the jobs whose id or key has the same hash."""
        hashed = crc32(name)
        row = self.rows[hashed >> 24]
        low = hashed & _LOW
        found: list[int] = []
        at = bisect_left(row, low << _OFFSET_BITS)
        while at < len(row) and row[at] >> _OFFSET_BITS == low:
            found.append(row[at] & _OFFSET_MASK)
            at += 1
        return found

    # ---- in a file ---------------------------------------------------------------------------------------

    def save(self, path: str, system: System, header: Header) -> None:
        """Write the index of the snapshot with that header, where no file is. Not synced: a torn one is made again."""
        body = b"".join(
            [self.starts.tobytes(), self.ends.tobytes(), self.heads.tobytes(), *(row.tobytes() for row in self.rows)]
        )
        sizes = ",".join(str(len(row)) for row in self.rows)
        told = (
            f'"index":"hourwheel","version":1,"store_id":"{header.store_id}","of":"{header.crc}",'
            f'"running_at":{self.running_at},"finished_at":{self.finished_at},"sizes":[{sizes}]}}\n'
        ).encode("ascii")
        head = b'{"crc":"%08x",%b' % (crc32(body, crc32(told)), told)
        with opened(system, path, MAKE | os.O_EXCL) as fd:  # nothing is written over
            write_all(system, fd, head + body, 0)

    @classmethod
    def load(cls, path: str, system: System, snapshot_crc: str) -> Index | None:
        """The index at ``path``, or None if there is none that belongs to the snapshot."""
        try:
            with opened(system, path) as fd:
                data = pread_all(system, fd)
        except OSError:
            return None
        if data[:_HEAD] != b'{"crc":"%08x",' % crc32(memoryview(data)[_HEAD:]):
            return None
        head, _, body = data.partition(b"\n")
        try:
            told = loads(head)
            if told.get("version") != 1 or told.get("of") != snapshot_crc:
                return None
            return cls._of(told, memoryview(body))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    @classmethod
    def _of(cls, told: dict[str, object], body: memoryview) -> Index:
        index = cls()
        index.running_at, index.finished_at = told["running_at"], told["finished_at"]  # type: ignore[assignment]
        at = 0
        parts: list[array[int]] = []
        for size in [SLOTS, SLOTS, SLOTS, *told["sizes"]]:  # type: ignore[misc]
            part = array("Q")
            part.frombytes(body[at : at + 8 * size])
            parts.append(part)
            at += 8 * size
        index.starts, index.ends, index.heads, *index.rows = parts
        return index


def key_name(key: str) -> bytes:
    """The name by which a key is indexed, which cannot be an id."""
    return b"\0key:" + key.encode("utf-8", "surrogatepass")
