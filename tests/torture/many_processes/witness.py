"""The witness: one file to which every process appends what it is about to do, and what it was told has been done.

All processes write through one open file in append mode, so the order of the records is the order of the writes, and
what was written is there although the writer is killed at once. A record is 64 bytes long: a write that is torn by a
kill is torn where a page ends, which is where a record ends.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

_PACKED: Final = Struct("<BxHHHIQQqq20x")


class Kind(IntEnum):
    """What a record says."""

    START = 1
    """A job's function begins."""
    WILL_SETTLE = 2
    SETTLED = 3
    """settle() has returned, and the claim was not among the lost ones."""
    LOST = 4
    WILL_ADD = 5
    ADDED = 6
    WILL_CANCEL = 7
    CANCELLED = 8
    WILL_MOVE = 9
    KILL = 10
    """A process is going to be killed; written before, so it stands before whatever follows from its death."""
    STOP = 11
    CONTINUE = 12
    BUSY = 13
    """A verb has raised StoreBusy after ``ms``; ``detail`` is its timeout in hundredths, 0 for a compaction."""
    COMPACTED = 14


class Ending(IntEnum):
    """How a claim is settled; the ``detail`` of WILL_SETTLE and SETTLED."""

    SUCCEEDED = 1
    FAILED = 2
    RETRIED = 3
    SNOOZED = 4
    RELEASED = 5


FINAL: Final = frozenset({Ending.SUCCEEDED, Ending.FAILED})


class Line(NamedTuple):
    """A record."""

    kind: int
    detail: int
    attempt: int
    crashes: int
    who: int
    """The number of the process, never used twice."""
    job: int
    token: int
    at_ns: int
    """Monotonic."""
    ms: int
    """START: wall time; WILL_SETTLE, WILL_ADD and WILL_MOVE: the due instant."""


class Witness:
    """Writes records for one process.

    Args:
        fd: open for appending.
        who: the number of the process.
    """

    def __init__(self, fd: int, who: int) -> None:
        self._fd = fd
        self.who = who

    def tell(self, kind: Kind, job: int = 0, *, who: int | None = None, **fields: int) -> None:
        """Append one record."""
        os.write(self._fd, self.packed(kind, job, who=who, **fields))

    def packed(
        self,
        kind: Kind,
        job: int = 0,
        *,
        who: int | None = None,
        detail: int = 0,
        attempt: int = 0,
        crashes: int = 0,
        token: int = 0,
        ms: int = 0,
    ) -> bytes:
        """One record, to be appended with others at once."""
        number = self.who if who is None else who
        return _PACKED.pack(kind, detail, attempt, crashes, number, job, token, time.monotonic_ns(), ms)

    def tell_all(self, packed: list[bytes]) -> None:
        """Append several records at once."""
        if packed:
            os.write(self._fd, b"".join(packed))


def read(path: str) -> Iterator[Line]:
    """Every record, in the order in which they were written."""
    with open(path, "rb") as file:
        data = file.read()
    yield from map(Line._make, _PACKED.iter_unpack(data))
