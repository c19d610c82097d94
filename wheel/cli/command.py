"""Command: the definition of a command, and the arguments that several commands share."""

from __future__ import annotations

import re
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from ..clock import MAX_MS, Clock
from ..errors import InvalidValue
from ..explain.when import read_instant, read_span
from ..ids import normal_id
from ..worker.pool.kinds import ALIASES, KINDS
from .console import Console

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """What a command gets from its surroundings."""

    console: Console
    clock: Clock
    environ: Mapping[str, str]


Argument = Callable[[ArgumentParser], object]
"""Adds an argument to a parser."""
Run = Callable[[Namespace, Context], int]
"""Runs a command and returns the exit status."""


@dataclass(slots=True, kw_only=True)
class Command:
    """One command of ``hourwheel``: a decorator of the function that runs it."""

    name: str
    summary: str
    """One line, for the list of commands."""
    description: str
    examples: tuple[str, ...]
    takes: tuple[Argument, ...]
    run: Run = field(init=False)
    use: Literal["looks", "changes", "runs"] = "looks"
    """What it does with a store. "looks" opens it read-only; only "runs" lets a scheduler start if the app's module
    calls start() when it is imported (looking.py)."""
    intermixed: bool = False
    """Whether options may stand between positional arguments."""

    def __call__(self, run: Run) -> Command:
        """Take the function that runs the command, and stand in its place."""
        self.run = run
        return self

    def arguments(self, parser: ArgumentParser) -> None:
        """Add the command's arguments to its parser."""
        for add in self.takes:
            add(parser)


def argument(*names: str, **how: Any) -> Argument:
    """An argument of a command, as ArgumentParser.add_argument takes it."""
    return lambda parser: parser.add_argument(*names, **how)


def as_json(what: str) -> Argument:
    """``--json``; ``what`` says what it prints."""
    return argument("--json", action="store_true", help=f"print {what} as one JSON document")


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


def job_id(text: str) -> str:
    """Return an id in its stored spelling. Text that is not a valid id is returned as it is, and will not be found."""
    try:
        return normal_id(text)
    except InvalidValue:
        return text


def due_time(*, required: bool = False) -> Argument:
    """``--countdown`` or ``--eta``."""

    def add(parser: ArgumentParser) -> None:
        when = parser.add_mutually_exclusive_group(required=required)
        span = "how long from now: seconds, or 15m, 1h30m, 2d"
        when.add_argument("--countdown", metavar="SPAN", type=checked(read_span), help=span)
        time = "a date and time such as 2026-12-24T18:00 (local)"
        when.add_argument("--eta", metavar="TIME", type=checked(read_instant), help=time)

    return add


def later(countdown: int, now_ms: int) -> int:
    """The instant so many milliseconds from now.

    Raises:
        InvalidValue: it is after the year 9999.
    """
    if countdown > MAX_MS - now_ms:
        raise InvalidValue.of("countdown", "a time up to the year 9999", f"{countdown} ms")
    return now_ms + countdown


def queues(what: str) -> Argument:
    """``-Q``; ``what`` says what it is for."""
    return argument("-Q", "--queues", metavar="A,B", type=names, help=f"{what}; default: the app's")


def pool(what: str) -> Argument:
    """``-P``; ``what`` says what it is for."""
    kinds = [*KINDS, *ALIASES]
    return argument("-P", "--pool", choices=kinds, metavar="POOL", help=f"{what}; default: the app's")


_APP_HELP: Final = "the Scheduler, in a module found from the current directory; default: $HOURWHEEL_APP"
_STORE_HELP: Final = "path or URL of the store; default: $HOURWHEEL_STORE"
APP: Final = argument("-A", "--app", metavar="MODULE:APP", default=SUPPRESS, help=_APP_HELP)
"""It is also accepted before the command."""
STORE_OPTION: Final = (argument("--store", metavar="STORE", dest="store_option", help="STORE, as an option"), APP)
STORE: Final = (argument("store", nargs="?", metavar="STORE", help=_STORE_HELP), *STORE_OPTION)
"""The store as an argument, as an option, or the app's; see places.py."""
JOB: Final = (STORE[0], argument("id", metavar="ID", type=job_id, help="id of the job"), *STORE_OPTION)
JOBS: Final = (
    argument("id", nargs="*", metavar="ID", type=job_id, help="ids of jobs; STORE may stand before them"),
    *STORE_OPTION,
)
"""Any number of ids. places.py takes the store from among them, if the first is one."""
