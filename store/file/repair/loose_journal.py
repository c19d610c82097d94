"""Reading a damaged journal: every record that can still be proved, also after a damaged one.

Pure: bytes in, records out. Each line has its own checksum, so a damaged line costs no other; if a single bit was
flipped, the checksum tells which one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Final
from zlib import crc32

from ....errors import StoreFormatError
from ...codec import loads
from ..format.lines import classify, is_sound
from .bitrot import flip, flipped_bit
from .damage import Damage, Kind, id_in, short

_PREFIX: Final = 16
_CRC: Final = 8
_BLANKS: Final = b"\n\0"
_BLANK: Final = re.compile(rb"[\n\0]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LooseRecord:
    """A record that can be read."""

    seq: int
    fields: dict[str, Any]
    text: bytes
    more: bool
    """Whether it belongs to one change with the record after it."""
    offset: int
    end: int


@dataclass(slots=True, kw_only=True)
class LooseJournal:
    """What could be read of a journal; ``header`` is None if that could not."""

    path: str
    header: dict[str, Any] | None = None
    records: list[LooseRecord] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)

    def note(self, offset: int, length: int, reason: str, kind: Kind = "damaged", line: bytes = b"") -> None:
        """Note a damage. The record that must have been there is the one after the last that was read."""
        before = self.records[-1].seq if self.records else (self.header or {}).get("after")
        seq = before + 1 if type(before) is int and kind == "damaged" else None
        self.damages.append(
            Damage(
                path=self.path, offset=offset, length=length, reason=short(reason), kind=kind, job=id_in(line), seq=seq
            )
        )


def read_journal(data: bytes, path: str) -> LooseJournal:
    """Every record of a journal that can be read; StoreFormatError if a newer Hourwheel wrote it."""
    found = LooseJournal(path=path)
    at, end = 0, len(data.rstrip(_BLANKS))
    while at < end:
        if blank := _BLANK.match(data, at):
            size = len(blank[0])
            found.note(at, size, f"{size} blank bytes where a record should be")
            at += size
            continue
        line, size, flipped = _line_at(data, at)
        if flipped is not None:
            found.note(at + flipped // 8, 1, "one bit was flipped", "mended", line or b"")
        if line is None:
            reason = "the checksum of a record does not match" if size > _PREFIX else "this is not a record"
            found.note(at, size, reason, "damaged", data[at : at + size])
        else:
            _take_line(found, line, at)
            if at + size < end and data[at + size] != 0x0A:
                found.note(at + size, 1, "the line feed behind a record was changed", "mended", line)
        at += size + 1
    _judge_tail(found, data)
    return found


# ---- one line --------------------------------------------------------------------------------------------


def _line_at(data: bytes, at: int) -> tuple[bytes | None, int, int | None]:
    """(the line as it was written, or None; its length; which bit of it was flipped, if one was)."""
    stop = data.find(b"\n", at)
    stop = len(data) if stop < 0 else stop
    line = data[at:stop]
    if is_sound(line):
        return line, len(line), None
    pieces = [line]
    told = _told_length(line)
    if told != len(line) and at + told <= len(data):
        pieces.insert(0, data[at : at + told])  # the line feed at its end is gone, or there is one inside
    for piece in pieces:
        if is_sound(piece):
            return piece, len(piece), None
        bit = _flipped_bit(piece)
        if bit is not None:
            return flip(piece, bit), len(piece), bit
    return None, len(line), None


def _told_length(line: bytes) -> int:
    return _PREFIX + _hex(line[9:15], len(line) - _PREFIX)


def _flipped_bit(line: bytes) -> int | None:
    """The one bit that, flipped back, makes the line sound."""
    if len(line) <= _PREFIX:
        return None
    found = crc32(line[_CRC:])
    right = b"%08x" % found
    candidates = [bit for bit in range(_CRC * 8) if (line[bit // 8] ^ right[bit // 8]) >> bit % 8 & 1]
    if len(candidates) > 1:
        bit = flipped_bit(found, _hex(line[:_CRC], found), len(line) - _CRC)
        candidates = [] if bit is None else [bit + _CRC * 8]
    for bit in candidates:
        fixed = flip(line, bit)
        if is_sound(fixed) and _told_length(fixed) == len(fixed):
            return bit
    return None


def _hex(text: bytes, otherwise: int) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return otherwise


def _take_line(found: LooseJournal, line: bytes, at: int) -> None:
    text = line[_PREFIX:]
    try:
        fields = loads(text)
        if "journal" in fields:
            if fields.get("version") != 1:
                version = fields.get("version")
                raise StoreFormatError(f"{found.path} was written by a newer Hourwheel (journal version {version!r})")
            found.header = fields
            return
        seq = fields["seq"]
        if type(seq) is not int or type(fields["op"]) is not str:
            raise ValueError("seq must be a number, op a string")
    except (ValueError, KeyError, TypeError) as error:
        found.note(at, len(line), f"this is not a record: {error!r}", "damaged", line)
        return
    more = line[_CRC : _CRC + 1] == b"+"
    found.records.append(LooseRecord(seq=seq, fields=fields, text=text, more=more, offset=at, end=at + len(line) + 1))


# ---- the end ---------------------------------------------------------------------------------------------


def _judge_tail(found: LooseJournal, data: bytes) -> None:
    """What the strict reader would cut off the end is no damage, as it was never acknowledged."""
    end = found.records[-1].end if found.records else 0
    behind = [damage for damage in found.damages if damage.offset >= end and _may_be_unfinished(damage, data)]
    if behind and data[end] not in _BLANKS and classify(data[end:], end)[0] == "damaged":
        return
    for n, damage in enumerate(found.damages):
        if damage in behind:
            reason = "a write that was not finished, and never acknowledged"
            found.damages[n] = replace(damage, kind="unfinished", reason=reason, seq=None)
    while found.records and found.records[-1].more:
        record = found.records.pop()
        reason = "part of a change that was not finished, and never acknowledged"
        found.note(record.offset, record.end - record.offset, reason, "unfinished", record.text)


def _may_be_unfinished(damage: Damage, data: bytes) -> bool:
    return damage.kind == "damaged" and not is_sound(data[damage.offset : damage.offset + damage.length])
