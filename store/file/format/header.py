"""Header: the first line of a snapshot, with what is true of the whole store."""

from __future__ import annotations

import re
from collections.abc import Callable
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
_QUOTED: Final = re.compile(r'["\\]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the first line of a snapshot says."""

    store_id: str
    epoch: int
    seq: int
    """The number of the last record that is in the snapshot."""
    token: int
    hand: int
    counts: Counts
    paused: tuple[str, ...] = ()
    """Queues and tasks that are held back."""
    next_us: dict[str, int] = field(default_factory=dict)
    """By name of a rate that was used recently, when its next job may start, in microseconds."""
    whole: bool = False
    """The snapshot is complete: nothing was ever written to the journal of this epoch, which may be missing."""
    over_ms: int | None = None
    """When the first of its finished jobs may be dropped, at the earliest; 0 if it has none, None if not known."""
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
        StoreFormatError: it is not a store, or that of a newer Hourwheel.
        StoreCorrupt: it is damaged.
    """
    line, ended = first_line(fd, system)
    return header_in(line, path, ended=ended)


def header_in(line: bytes, path: str, *, ended: bool) -> Header:
    """The same of a first line that was read; ``ended`` if a line feed follows it."""
    if not line.lstrip(b" \xef\xbb\xbf").startswith(b'{"format":"hourwheel"'):
        raise StoreFormatError(f"{path} is not an Hourwheel store: it does not begin with " + '{"format":"hourwheel"')
    try:
        told = loads(line.rstrip(b", \r") + b"}")
    except ValueError as error:
        raise StoreCorrupt(path, 0, f"the header is not JSON: {error}") from None
    if not ended:
        raise StoreCorrupt(path, len(line), "the file ends within its first line")
    try:
        return parse_header(told, path)
    except ValueError as error:
        raise StoreCorrupt(path, 0, str(error)) from None


def parse_header(told: dict[str, Any], path: str, *, edited: bool = False) -> Header:
    """The header in a parsed JSON object. In an edited one counts, length and checksum may be wrong.

    Raises:
        StoreFormatError: it is that of a newer Hourwheel.
        ValueError: a value is missing or breaks its rule.
    """
    least = told.get("min_reader")
    if type(least) is not int or least > VERSION:
        raise StoreFormatError(
            f"{path} was written by a newer Hourwheel: it asks for format {least!r} or later, this is {VERSION}"
        )
    values: dict[str, Any] = {}
    for name, (default, rule, holds) in _RULES.items():
        value = told.get(name, default)
        if holds(value):
            values[name] = value
        elif not (edited and name in ("counts", "length", "crc")):
            raise ValueError(f"{name} in the header must be {rule}, got {value!r:.80}")
    values["counts"] = Counts(**values.get("counts", {}))
    values["paused"] = tuple(values["paused"])
    return Header(**values)


def first_line(fd: int, system: System) -> tuple[bytes, bool]:
    """The first line of a file, and whether a line feed ends it."""
    size = _HEADER
    while True:
        data = system.pread(fd, size, 0)
        line, found, _ = data.partition(b"\n")
        if found or len(data) < size or size >= _HEADER_MOST:
            return line, bool(found)
        size *= 16


def _is_number(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_plain(value: object) -> bool:
    """Whether it is text that JSON does not escape."""
    return type(value) is str and value.isascii() and value.isprintable() and not _QUOTED.search(value)


def _are_numbers(value: object) -> bool:
    return type(value) is dict and all(map(_is_number, value.values()))


_Rule = tuple[Any, str, Callable[[Any], bool]]
_NUMBER: Final[_Rule] = (None, "a whole number, 0 or more", _is_number)
_PLAIN: Final[_Rule] = (None, "a string of plain ASCII", _is_plain)
_RULES: Final[dict[str, _Rule]] = {
    **dict.fromkeys(("epoch", "seq", "token", "hand", "length"), _NUMBER),
    **dict.fromkeys(("store_id", "crc"), _PLAIN),
    "counts": (
        None,
        f"an object of whole numbers named {', '.join(Counts.__slots__)}",
        lambda value: _are_numbers(value) and value.keys() <= set(Counts.__slots__),
    ),
    "paused": ([], "a list of strings", lambda value: type(value) is list and all(type(name) is str for name in value)),
    "next_us": ({}, "an object of whole numbers", _are_numbers),
    "whole": (False, "true or false", lambda value: type(value) is bool),
    "over_ms": (None, "a whole number, 0 or more, or null", lambda value: value is None or _is_number(value)),
}
"""By name: the default, the rule in words, and whether a value keeps it."""
