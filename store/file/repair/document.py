"""Document: a snapshot that was edited by hand, read as JSON whatever its layout, with the place of each mistake.

The store itself reads a snapshot line by line. An editor, a formatter or ``jq`` may have broken lines, moved keys,
added a byte order mark or ended the lines in CRLF: it is still the same document. Refused is what would have to be
guessed: text that is not JSON, an id that occurs twice, a job in the wrong section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final, NoReturn

import simplejson

from ....errors import StoreError
from ....job import Job, State
from ...codec import scan_json
from ..format.header import Header, parse_header
from ..format.index import SLOTS
from .damage import short
from .shape import job_of

_SECTIONS: Final = ("ring", "running", "finished")
_HEADER: Final = frozenset({"format", "version", "min_reader", *(field.name for field in fields(Header))})
_SLOT: Final = re.compile(r"[0-9]{1,4}")
_BLANK: Final = re.compile(r"[ \t\r\n]*")


class EditRefused(StoreError):
    """An edited store cannot be accepted. ``line`` and ``column`` count from 1."""

    def __init__(self, path: str, line: int, column: int, reason: str) -> None:
        super().__init__(f"{path}:{line}:{column}: {reason}")
        self.path = path
        self.line = line
        self.column = column
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        return (EditRefused, (self.path, self.line, self.column, self.reason))


def refusal(path: str, text: str, at: int, reason: str) -> EditRefused:
    """The error for a mistake at the character ``at`` of a text."""
    return EditRefused(path, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at), short(reason))


@dataclass(frozen=True, slots=True)
class Document:
    """An edited snapshot."""

    path: str
    text: str
    header: Header
    """As it was found; do not trust its counts, length and checksum."""
    jobs: dict[str, Job]
    places: dict[str, int]
    """Where in the text each job begins, by id."""

    def refusal(self, id: str, reason: str) -> EditRefused:
        """The error for a mistake in a job of the document."""
        return refusal(self.path, self.text, self.places.get(id, 0), reason)


def read_document(data: bytes, path: str) -> Document:
    """The document that a file holds.

    Raises:
        EditRefused: it is not valid JSON in the shape of a snapshot; the message says where, and what is wrong.
        StoreFormatError: it is a snapshot of a newer Hourwheel.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise EditRefused(path, line, column, f"this is not UTF-8: {error.reason}") from None
    return _Reader(text, path).document()


class _Reader:
    """Walks the document down to the jobs, which the JSON decoder reads."""

    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._path = path
        self._at = 0
        self._started = 0
        self._jobs: dict[str, Job] = {}
        self._places: dict[str, int] = {}

    # ---- the document ------------------------------------------------------------------------------------

    def document(self) -> Document:
        header: dict[str, Any] = {}
        self._blank()
        for name, at in self._members("the document"):
            if name == "ring":
                self._ring()
            elif name in _SECTIONS:
                self._section(name)
            elif name in _HEADER:
                header[name] = self._value()
            else:
                self._refuse(at, f"{name!r} is not part of a store")
        self._blank()
        if self._at < len(self._text):
            self._refuse(self._at, "the document has ended, but more text follows")
        return Document(self._path, self._text, self._header(header), self._jobs, self._places)

    def _header(self, told: dict[str, Any]) -> Header:
        if told.get("format") != "hourwheel":
            self._refuse(0, 'this is not an Hourwheel store: it must say "format":"hourwheel"')
        try:
            return parse_header(told, self._path, edited=True)
        except ValueError as error:
            self._refuse(0, str(error))

    def _ring(self) -> None:
        for slot, slot_at in self._members("the ring"):
            if not _SLOT.fullmatch(slot) or int(slot) >= SLOTS:
                self._refuse(slot_at, f"a slot must be a number from 0 to 3599, got {slot!r}")
            for cycle, cycle_at in self._members(f"slot {slot}"):
                if not (cycle.isascii() and cycle.isdecimal()):
                    self._refuse(cycle_at, f"a cycle must be a number, got {cycle!r}")
                self._section("ring")

    def _section(self, name: str) -> None:
        for at in self._items("[", "]"):
            job = self._job(at)
            section = "finished" if job.finished else "running" if job.state is State.RUNNING else "ring"
            if name != section:
                self._refuse(at, f"job {job.id!r} is in {name!r}, but its state is {job.state}")
            if job.id in self._places:
                first = self._text.count("\n", 0, self._places[job.id]) + 1
                self._refuse(at, f"job {job.id!r} is here a second time; the first is in line {first}")
            self._jobs[job.id], self._places[job.id] = job, at

    def _job(self, at: int) -> Job:
        told = self._value()
        if not isinstance(told, dict):
            self._refuse(at, f"a job must be an object, got {told!r}")
        try:
            return job_of(told)
        except ValueError as error:
            self._refuse(at, str(error))

    # ---- JSON --------------------------------------------------------------------------------------------

    def _members(self, what: str) -> Iterator[tuple[str, int]]:
        """The names in an object and their places; the caller reads each value before it asks for the next name."""
        names: set[str] = set()
        for at in self._items("{", "}"):
            name = self._value()
            if type(name) is not str:
                self._refuse(at, "a name in double quotes was expected")
            if name in names:
                self._refuse(at, f"{name!r} is in {what} twice")
            names.add(name)
            self._take(":")
            yield name, at

    def _items(self, opening: str, closing: str) -> Iterator[int]:
        """The places of the items of an object or array; the caller reads each before it asks for the next."""
        self._take(opening)
        if self._peek() == closing:
            self._at += 1
            return
        while True:
            self._blank()
            yield self._at
            found = self._peek()
            if found not in (",", closing):
                self._refuse(self._at, f"a comma or {closing} was expected{self._instead()}")
            self._at += 1
            if found == closing:
                return

    def _value(self) -> Any:
        self._blank()
        self._started = self._at
        try:
            value, self._at = scan_json(self._text, self._at)
        except simplejson.JSONDecodeError as error:
            self._refuse(error.pos, error.msg.partition(" %r")[0] + self._instead(error.pos))
        except StopIteration:
            self._refuse(self._at, "a value was expected" + self._instead())
        except ValueError as error:
            self._refuse(self._started, str(error))
        except (RecursionError, MemoryError):
            self._refuse(self._started, "this is nested too deeply")
        return value

    def _take(self, wanted: str) -> None:
        if self._peek() != wanted:
            self._refuse(self._at, f"{wanted} was expected{self._instead()}")
        self._at += 1

    def _peek(self) -> str:
        self._blank()
        return self._text[self._at : self._at + 1]

    def _blank(self) -> None:
        found = _BLANK.match(self._text, self._at)
        assert found is not None  # it matches the empty string
        self._at = found.end()

    # ---- errors ------------------------------------------------------------------------------------------

    def _instead(self, at: int | None = None) -> str:
        at = self._at if at is None else at
        found = self._text[at : at + 12].split("\n")[0].strip()
        if found:
            return f", found {found!r}"
        return ", found the end of the line" if at < len(self._text) else ", but the file ends here"

    def _refuse(self, at: int, reason: str) -> NoReturn:
        raise refusal(self._path, self._text, at, reason)
