"""Command: what every command is made of, and the options that several of them share."""

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
    """What a command may use of the world."""

    console: Console
    clock: Clock
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One word behind ``hourwheel``."""

    name: str
    summary: str
    """One line, for the list of commands."""
    description: str
    examples: tuple[str, ...]
    arguments: Callable[[ArgumentParser], None]
    """Adds its options to its parser."""
    run: Callable[[Namespace, Context], int]
    """Does it, and returns the exit status."""
    use: Literal["looks", "changes", "runs"] = "looks"
    """What it does to a store: one that looks opens it for reading, and all but one that runs jobs start no scheduler,
    whatever the app's module does when it is imported (looking.py)."""
    intermixed: bool = False
    """Whether options may stand between its words."""


def take_app(parser: ArgumentParser) -> None:
    """``-A``, which may stand before the command as well."""
    parser.add_argument(
        "-A",
        "--app",
        metavar="MODULE:APP",
        default=SUPPRESS,
        help="the Scheduler, in a module that is found from the current directory; default: $HOURWHEEL_APP",
    )


def take_store(parser: ArgumentParser) -> None:
    """STORE, or ``-A`` in its place."""
    parser.add_argument("store", nargs="?", metavar="STORE", help="path or URL of the store; default: $HOURWHEEL_STORE")
    take_app(parser)


def take_job(parser: ArgumentParser, *, several: bool = False) -> None:
    """ID, and ``--store`` or ``-A``."""
    if several:
        parser.add_argument("id", nargs="+", metavar="ID", type=job_id, help="of a job; there may be several")
    else:
        parser.add_argument("id", metavar="ID", type=job_id, help="of the job")
    parser.add_argument("--store", metavar="STORE", help="path or URL of the store; default: $HOURWHEEL_STORE")
    take_app(parser)


def take_json(parser: ArgumentParser, what: str) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help=f"write {what} as one JSON document, for programs")


def job_id(text: str) -> str:
    """An id in the spelling in which it is stored; what can be no id of ours will simply not be found."""
    try:
        return normal_id(text)
    except InvalidValue:
        return text


def checked(read: Callable[[str], T]) -> Callable[[str], T]:
    """A reader of an option's text whose InvalidValue becomes argparse's own error."""

    def convert(text: str) -> T:
        try:
            return read(text)
        except InvalidValue as error:
            raise ArgumentTypeError(str(error)) from None

    return convert


def whole(text: str) -> int:
    """A whole number, 0 or more."""
    if not text.isdecimal() or len(text) > 18:
        raise ArgumentTypeError(f"must be a whole number, 0 or more, got {text!r}")
    return int(text)


def names(text: str) -> list[str]:
    """Names with commas between; those in parentheses are part of a name, as in ``shop.remind(7, 'x')``."""
    parts = re.split(r",(?![^(]*\))", text)
    found = [name.strip() for name in parts if name.strip()]
    if not found:
        raise ArgumentTypeError(f"must be names with commas between, got {text!r}")
    return found
