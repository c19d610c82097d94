"""Escape control characters in untrusted text, such as task names and exception messages, for terminals and logs.

A control character could move the cursor, overwrite earlier output, or start a line that looks like a log line of
ours. All output of commands goes through ``plain``, and all records of our loggers through ``HARMLESS``.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Final

_FRAMES: Final = ("Traceback (", "  ", "\n", "During handling of", "The above exception was", "+ Exception Group")


def plain(text: str) -> str:
    r"""Escape all characters that are not printable, line breaks included.

    >>> plain("a\x1b[2J\nb")
    'a\\x1b[2J\\nb'
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def plain_lines(text: str) -> str:
    r"""Escape all characters that are not printable, except line breaks.

    >>> plain_lines("usage:\n\x1b[2J")
    'usage:\n\\x1b[2J'
    """
    return "\n".join(map(plain, text.split("\n")))


class _Harmless(logging.Filter):
    """A logging filter that lets every record pass and escapes its arguments and traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        args = record.args
        if isinstance(args, Mapping):
            record.args = {name: _plain_value(value) for name, value in args.items()}
        elif args:
            record.args = tuple(map(_plain_value, args))
        if record.exc_info and not record.exc_text and record.exc_info[1] is not None:
            record.exc_text = _plain_traceback(record.exc_info[1], record.exc_info[2])
        return True


class _Shown:
    """Wraps any object, and escapes its str() and repr()."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return plain(str(self._value))

    def __repr__(self) -> str:
        return plain(repr(self._value))


def _plain_value(value: object) -> object:
    if isinstance(value, str):
        return plain(value)
    return value if isinstance(value, (int, float)) else _Shown(value)


def _plain_traceback(error: BaseException, frames: TracebackType | None) -> str:
    """Format a traceback as Python does, but with each exception message on one line."""
    pieces = traceback.format_exception(type(error), error, frames)
    lines = (plain_lines(p) if p.startswith(_FRAMES) else plain(p.rstrip("\n")) + "\n" for p in pieces)
    return "".join(lines).rstrip("\n")


HARMLESS: Final = _Harmless()
"""For loggers: ``logger.addFilter(HARMLESS)``."""


def harmless_logger(name: str) -> logging.Logger:
    """Return the logger of that name, with ``HARMLESS`` added."""
    logger = logging.getLogger(name)
    logger.addFilter(HARMLESS)
    return logger
