"""Command: the definition of a command, and the arguments that several commands share."""

from __future__ import annotations

import re
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from ..clock import Clock
from ..errors import InvalidValue
from ..ids import normal_id
from .console import Console

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """What a command gets from its surroundings."""

    console: Console
    clock: Clock
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of ``hourwheel``."""

    name: str
    summary: str
    """One line, for the list of commands."""
    description: str
    examples: tuple[str, ...]
    arguments: Callable[[ArgumentParser], None]
    """Adds the command's arguments to its parser."""
    run: Callable[[Namespace, Context], int]
    """Runs the command and returns the exit status."""
    use: Literal["looks", "changes", "runs"] = "looks"
    """What it does with a store. "looks" opens it read-only; only "runs" lets a scheduler start if the app's module
    calls start() when it is imported (looking.py)."""
    intermixed: bool = False
    """Whether options may stand between positional arguments."""


def take_app(parser: ArgumentParser) -> None:
    """Add ``-A``. It is also accepted before the command."""
    parser.add_argument(
        "-A",
        "--app",
        metavar="MODULE:APP",
        default=SUPPRESS,
        help="the Scheduler, in a module found from the current directory; default: $HOURWHEEL_APP",
    )


def take_store(parser: ArgumentParser) -> None:
    """Add STORE, and ``-A`` as an alternative."""
    parser.add_argument("store", nargs="?", metavar="STORE", help="path or URL of the store; default: $HOURWHEEL_STORE")
    take_app(parser)


def take_job(parser: ArgumentParser, *, several: bool = False) -> None:
    """Add ID (one, or several), ``--store`` and ``-A``."""
    if several:
        parser.add_argument("id", nargs="+", metavar="ID", type=job_id, help="ids of jobs")
    else:
        parser.add_argument("id", metavar="ID", type=job_id, help="id of the job")
    parser.add_argument("--store", metavar="STORE", help="path or URL of the store; default: $HOURWHEEL_STORE")
    take_app(parser)


def take_json(parser: ArgumentParser, what: str) -> None:
    """Add ``--json``; ``what`` says what it prints."""
    parser.add_argument("--json", action="store_true", help=f"print {what} as one JSON document")


def job_id(text: str) -> str:
    """Return an id in its stored spelling. Text that is not a valid id is returned as it is, and will not be found."""
    try:
        return normal_id(text)
    except InvalidValue:
        return text


def checked(read: Callable[[str], T]) -> Callable[[str], T]:
    """Wrap a function that reads an argument, so that its InvalidValue becomes argparse's own error."""

    def convert(text: str) -> T:
        try:
            return read(text)
        except InvalidValue as error:
            raise ArgumentTypeError(str(error)) from None

    return convert


def whole(text: str) -> int:
    """Read a whole number, 0 or more."""
    if not text.isdecimal() or len(text) > 18:
        raise ArgumentTypeError(f"must be a whole number, 0 or more, got {text!r}")
    return int(text)


def names(text: str) -> list[str]:
    """Read names separated by commas. Commas in parentheses belong to a name, as in ``shop.remind(7, 'x')``."""
    parts = re.split(r",(?![^(]*\))", text)
    found = [name.strip() for name in parts if name.strip()]
    if not found:
        raise ArgumentTypeError(f"must be names separated by commas, got {text!r}")
    return found
