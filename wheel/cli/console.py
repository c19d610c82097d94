"""Console: the output of commands, to a terminal or a pipe.

Text from a store is not trusted. It is printed with control characters escaped, so that a task's argument cannot move
the cursor or overwrite earlier output.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from textwrap import wrap
from typing import Any, Final, TextIO
from unicodedata import combining, east_asian_width

from ..safety.plain import plain

_COLOURS: Final = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}
_GAP: Final = "  "
_ELLIPSIS: Final = "…"


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of text and its colour on a terminal."""

    text: str
    colour: str = ""


class Console:
    """Writes a command's answer to ``out``, and errors and notices to ``err``."""

    def __init__(
        self, out: TextIO, err: TextIO, environ: Mapping[str, str] = os.environ, *, colour: bool = True
    ) -> None:
        self._out = out
        self._err = err
        terminal = _is_terminal(out)
        self.width: Final = _width(environ) if terminal else None
        """How many columns a line may have; None for a pipe or file. COLUMNS is ignored then: in an interactive Python,
        readline sets it for all child processes."""
        self._paints = colour and terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"

    def prose(self, lead: Cell | str, text: str) -> None:
        """Write a coloured word and sentences after it, wrapped to the width of the terminal."""
        lead = lead if isinstance(lead, Cell) else Cell(lead)
        lines = _wrapped(plain(lead.text) + plain(text), self.width)
        coloured = self._paint(lines[0][: len(lead.text)], lead.colour) + lines[0][len(lead.text) :]
        _write(self._out, "\n".join([coloured, *lines[1:]]) + "\n")

    def raw(self, text: str) -> None:
        """Write a line for copying: never cut or wrapped."""
        _write(self._out, plain(text) + "\n")

    def exact(self, text: str) -> None:
        """Write text of several lines as it is; only if it is our own."""
        _write(self._out, text.rstrip("\n") + "\n")

    def line(self, *cells: str | Cell) -> None:
        """Write one line, cut to the width of the terminal."""
        left = self.width
        pieces: list[str] = []
        for cell in cells:
            text, colour = (cell.text, cell.colour) if isinstance(cell, Cell) else (cell, "")
            text = plain(text)
            if left is not None:
                text = cut(text, left)
                left -= columns(text)
            pieces.append(self._paint(text, colour))
        _write(self._out, "".join(pieces).rstrip() + "\n")

    def text(self, text: str) -> None:
        """Write text of several lines, such as a traceback, indented. Lines that are too long are cut."""
        for line in text.rstrip("\n").split("\n"):
            self.line("    " + line.expandtabs())

    def json(self, document: Any) -> None:
        """Write one JSON document."""
        _write(self._out, dumps(document, indent=2, allow_nan=False) + "\n")

    def json_list(self, documents: Iterable[Any]) -> None:
        """Write JSON documents as one list, each on a line of its own, without collecting them first."""
        lead = "["
        for document in documents:
            _write(self._out, f"{lead}\n  {dumps(document, allow_nan=False)}")
            lead = ","
        _write(self._out, "[]\n" if lead == "[" else "\n]\n")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> bool:
        """Write rows in columns; the last column may be cut. If the terminal is too narrow, return False instead."""
        widths = [max(columns(cell.text) for cell in column) for column in zip(map(Cell, header), *rows, strict=True)]
        fixed = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
        if self.width is not None and fixed + min(widths[-1], 24) > self.width:
            return False
        for row in [[Cell(name, "dim") for name in header], *rows]:
            self.line(*(self._padded(cell, width) for cell, width in zip(row, [*widths[:-1], 0], strict=True)))
        return True

    def ask(self, question: str) -> str | None:
        """Ask a question, on standard error, and return the answer; None if standard input is no terminal."""
        if not _is_terminal(sys.stdin):
            return None
        _write(self._err, plain(question))
        self._err.flush()
        return sys.stdin.readline()

    def error(self, text: str) -> None:
        """Write a line to standard error."""
        _write(self._err, plain(text) + "\n")

    def flush(self) -> None:
        """Flush both streams. Raises BrokenPipeError if the reader has gone."""
        self._out.flush()
        self._err.flush()

    def _padded(self, cell: Cell, width: int) -> Cell:
        if width == 0:
            return cell
        return Cell(cell.text + " " * (width - columns(cell.text)) + _GAP, cell.colour)

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if colour and self._paints and text else text


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(sign) else 2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def cut(text: str, width: int) -> str:
    """Shorten a text with an ellipsis if it takes more than ``width`` columns.

    >>> cut("app.remind(1, 'x')", 12)
    'app.remind(…'
    """
    if columns(text) <= width:
        return text
    while text and columns(text) > width - 1:
        text = text[: min(len(text) - 1, width)]
    return text + _ELLIPSIS if width > 0 else ""


def _wrapped(text: str, width: int | None) -> list[str]:
    if width is None:
        return [text]
    indent = "    " if width > 20 else ""
    return wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [""]


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty()


def _width(environ: Mapping[str, str]) -> int:
    value = environ.get("COLUMNS", "")
    return int(value) if value.isdecimal() and int(value) > 0 else shutil.get_terminal_size().columns


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:  # a terminal that is not UTF-8
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))
