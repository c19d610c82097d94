"""The first line of a snapshot: what is true of the whole store."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from simplejson.encoder import encode_basestring_ascii as quote

from ....errors import StoreCorrupt, StoreFormatError
from ...codec import loads
from ...state.counts import Counts
from ..system.system import System

VERSION: Final = 1
_HEADER: Final = 4096
_HEADER_MOST: Final = 1 << 24
_OVER_MOST: Final = 10**15 - 1
_NUMBERS: Final = ("epoch", "seq", "token", "hand", "length")
_QUOTED: Final = re.compile(r'["\\]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line of a snapshot."""

    store_id: str
    epoch: int
    seq: int
    """Everything up to this record is in the snapshot."""
    token: int
    hand: int
    counts: Counts
    paused: tuple[str, ...] = ()
    """Queues and tasks that are held back."""
    next_us: dict[str, int] = field(default_factory=dict)
    """Of rates that were used of late, when the next job may start."""
    whole: bool = False
    """This is all there is: nothing was ever written to the journal of this epoch, which may be missing."""
    over_ms: int | None = None
    """When the first of its finished jobs may be dropped, at the earliest; 0 if it has none, None if nobody knows."""
    length: int = 0
    crc: str = "00000000"

    def line(self, length: int, crc: bytes) -> bytes:
        """The header as it stands in the file."""
        counts = ",".join(f'"{name}":{value}' for name, value in asdict(self.counts).items())
        held = f'"paused":[{",".join(map(quote, self.paused))}],' if self.paused else ""
        if self.next_us:
            held += '"next_us":{' + ",".join(f"{quote(name)}:{at}" for name, at in self.next_us.items()) + "},"
        if self.whole:
            held += '"whole":true,'
        if self.over_ms is not None:
            held += f'"over_ms":{min(self.over_ms, _OVER_MOST):15d},'
        return (
            (
                f'{{"format":"hourwheel","version":{VERSION},"min_reader":{VERSION},"store_id":"{self.store_id}",'
                f'"epoch":{self.epoch},"seq":{self.seq},"token":{self.token},"hand":{self.hand},"counts":{{{counts}}},'
                f'{held}"length":{length:15d},"crc":"'
            ).encode("ascii")
            + crc
            + b'",\n'
        )


def read_header(fd: int, path: str, system: System) -> Header:
    """The header of an open snapshot.

    Raises:
        StoreFormatError: this is no snapshot of ours, or one of a newer Hourwheel.
        StoreCorrupt: it is damaged.
    """
    line, found = first_line(fd, system)
    if not line.lstrip(b" \xef\xbb\xbf").startswith(b'{"format":"hourwheel"'):
        raise StoreFormatError(f"{path} is not an Hourwheel store: it does not begin with " + '{"format":"hourwheel"')
    try:
        told = loads(line.rstrip(b", \r") + b"}")
    except ValueError as error:
        raise StoreCorrupt(path, 0, f"the header is not JSON: {error}") from None
    if not found:
        raise StoreCorrupt(path, len(line), "the file ends within its first line")
    if not isinstance(told.get("min_reader"), int) or told["min_reader"] > VERSION:
        raise StoreFormatError(
            f"{path} was written by a newer Hourwheel: it asks for format {told.get('min_reader')!r} or later, "
            f"this is {VERSION}"
        )
    try:
        counts = Counts(**told["counts"])
        held = limits_of(told)
        header = Header(counts=counts, **held, **{name: told[name] for name in (*_NUMBERS, "store_id", "crc")})
    except (KeyError, TypeError, ValueError) as error:
        raise StoreCorrupt(path, 0, f"the header is incomplete: {error}") from None
    wrong = [name for name in _NUMBERS if not is_number(told[name])]
    wrong += [name for name in Counts.__slots__ if not is_number(getattr(counts, name))]
    wrong += [name for name in ("store_id", "crc") if not is_plain(told[name])]
    if wrong:
        raise StoreCorrupt(path, 0, f"the header has a wrong value for {', '.join(wrong)}")
    return header


def first_line(fd: int, system: System) -> tuple[bytes, bool]:
    """The first line of a file, and whether a line feed ends it."""
    size = _HEADER
    while True:
        data = system.pread(fd, size, 0)
        line, found, _ = data.partition(b"\n")
        if found or len(data) < size or size >= _HEADER_MOST:
            return line, bool(found)
        size *= 16


def limits_of(told: dict[str, Any]) -> dict[str, Any]:
    """What a header tells that it need not tell, as arguments of Header.

    Raises:
        ValueError: that is not what a store writes.
    """
    paused, next_us, whole = told.get("paused", []), told.get("next_us", {}), told.get("whole", False)
    over_ms = told.get("over_ms")
    if type(paused) is not list or not all(type(name) is str for name in paused):
        raise ValueError("paused")
    if type(next_us) is not dict or not all(map(is_number, next_us.values())):
        raise ValueError("next_us")
    if type(whole) is not bool:
        raise ValueError("whole")
    if over_ms is not None and not is_number(over_ms):
        raise ValueError("over_ms")
    return {"paused": tuple(paused), "next_us": next_us, "whole": whole, "over_ms": over_ms}


def is_number(value: object) -> bool:
    """Whether a value of the header is a number as the store writes it."""
    return type(value) is int and value >= 0


def is_plain(value: object) -> bool:
    """Whether a value of the header is text that stands in JSON as it is."""
    return type(value) is str and value.isascii() and value.isprintable() and not _QUOTED.search(value)
