r"""The lines of a journal: how a record is framed, how lines are read, and what the end of a file can look like.

A line is

    crc32 mark length SP json LF          3d8f6660 000009 {"seq":1}

``crc32`` (8 hex digits) covers everything between itself and the line feed; ``length`` (6 hex digits) is that of the
JSON text; ``mark`` is a space, or ``+`` if the next line belongs to the same change, so that a change of many records
is there as a whole or not at all. Sequence numbers go up by one and never restart.
The first line is a header that binds the journal to its store and epoch.

The file is allocated ahead with line feeds, which records overwrite: a sync then has no new file size to write
(110 us instead of 150 us), and the file stays text. The data ends where a line is empty.

What the end of a journal can look like, and what is done about it (``classify``):

* blank to the end of the file: nothing happened.
* *torn*: an unfinished write. A killed process leaves a part of its line, then blanks. A power loss leaves any subset
  of the 512-byte sectors that were not yet synced, so a hole of blanks that begins where the line does, or at a
  sector. Such a record was never acknowledged. The tail is cut; if whole records follow a hole, the tail is kept in a
  file beside it.
* *unended*: a whole record without its line feed, followed by nothing or only zeros. It is kept.
* anything else is *damage*, such as a complete line with a wrong checksum. It may have been acknowledged, so the store
  refuses to open rather than lose it.

The last record of a journal that ends in order was acknowledged, or might have been; it is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple
from zlib import crc32

from ....errors import StoreError
from ...codec import loads

SECTOR: Final = 512
PREFIX: Final = 16
"""Bytes of a line before its JSON text."""
_LONGEST: Final = 0xFFFFFF
_BEGINNINGS: Final = (b'{"seq":', b'{"journal":')

Tail = Literal["clean", "torn", "unended", "damaged"]


def frame(text: str, more: bool = False) -> bytes:
    r"""A line of the journal.

    >>> frame('{"seq":1}')
    b'3d8f6660 000009 {"seq":1}\\n'
    """
    if len(text) > _LONGEST:
        raise _too_long(text)
    body = b"%b%06x %b" % (b"+" if more else b" ", len(text), text.encode("ascii"))
    return b"%08x%b\n" % (crc32(body), body)


def _too_long(text: str) -> StoreError:
    return StoreError(f"a record must have at most {_LONGEST} bytes, got {len(text)} for {text[:80]}...")


def frame_add(seq: int, job: bytes, mark: bytes = b" ") -> bytes:
    """The line of a record that adds a job, given as JSON text. In one step, as each call needs it."""
    text = b'{"seq":%d,"op":"add","job":%b}' % (seq, job)
    if len(text) > _LONGEST:
        raise _too_long(text.decode("ascii"))
    body = b"%b%06x %b" % (mark, len(text), text)
    return b"%08x%b\n" % (crc32(body), body)


def frame_change(texts: list[str], seq: int = 0, jobs: Sequence[bytes] = ()) -> bytes:
    """The lines of one atomic change: records as JSON text, then jobs to add, numbered from ``seq`` on."""
    last = len(texts) + len(jobs) - 1
    lines = [frame(text, more=n < last) for n, text in enumerate(texts)]
    lines += [frame_add(seq + n, job, b"+" if len(texts) + n < last else b" ") for n, job in enumerate(jobs)]
    return b"".join(lines)


class Batch(NamedTuple):
    """One atomic change as it was read: the JSON texts of its records, and where it ends."""

    texts: list[bytes]
    end: int


def is_sound(line: bytes) -> bool:
    """Whether a line, without its line feed, is whole and unharmed."""
    return b"%08x" % crc32(line[8:]) == line[:8] and len(line) > PREFIX


def split(data: bytes, offset: int) -> tuple[list[Batch], int]:
    """The whole changes at the start of ``data``, which is at ``offset`` in the file, and where the last one ends."""
    batches: list[Batch] = []
    texts: list[bytes] = []
    at = end = 0
    while True:
        stop = data.find(b"\n", at)
        if stop <= at:
            return batches, offset + end
        line = data[at:stop]
        if not is_sound(line):
            return batches, offset + end
        at = stop + 1
        texts.append(line[PREFIX:])
        if line[8] == 0x20:
            end = at
            batches.append(Batch(texts, offset + end))
            texts = []


def classify(data: bytes, offset: int) -> tuple[Tail, str]:
    """What is at the end of the records: (verdict, why). ``data`` is at ``offset``, and reaches the end of the file."""
    rest = data.replace(b"\0", b"\n")
    if not rest.strip(b"\n"):
        return "clean", ""
    at = 0
    while True:  # lines of a change that was not finished are sound, but not yet a change
        stop = rest.find(b"\n", at)
        if stop < 0 or stop == at or not is_sound(data[at:stop]):
            break
        if data[stop] == 0 and data[at + 8] == 0x20 and not rest[stop:].strip(b"\n"):
            return "unended", ""
        at = stop + 1
    if stop < 0 and is_sound(data[at:]):
        return ("unended", "") if data[at + 8] == 0x20 else ("torn", "an unfinished change")
    stop = len(rest) if stop < 0 else stop
    behind = rest[stop:].strip(b"\n")
    unfinished = stop == at or is_prefix(data[at:stop])
    at_a_seam = stop == at or (offset + stop) % SECTOR == 0
    if unfinished and at_a_seam and (not behind or _hole_is_sector_wide(rest, stop, offset)):
        return "torn", "unwritten sectors"
    if unfinished and not behind:
        return "torn", "an unfinished line"
    return "damaged", "the checksum of a record does not match" if stop - at > PREFIX else "this is not a record"


def _hole_is_sector_wide(rest: bytes, start: int, offset: int) -> bool:
    boundary = -(-(offset + start + 1) // SECTOR) * SECTOR - offset
    return not rest[start:boundary].strip(b"\n")


def is_prefix(line: bytes) -> bool:
    """Whether a line looks like the beginning of one: shorter than it says, and not a whole JSON text.

    The part that is there must look as it was written: bit rot over the length and the first characters of a record
    makes it too short and no JSON, too, but that record was acknowledged.
    """
    if len(line) <= PREFIX:
        return True
    text = line[PREFIX:]
    if line[15] != 0x20 or not any(text[: len(start)] == start[: len(text)] for start in _BEGINNINGS):
        return False
    try:
        length = int(line[9:15], 16)
    except ValueError:
        return False
    if len(text) >= length:
        return False
    try:
        loads(text)
    except ValueError:
        return True
    return False
