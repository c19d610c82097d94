"""The program ``hourwheel``: parses arguments, runs a command, and turns errors into messages and exit statuses."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Final

from ..clock import Clock, SystemClock
from ..errors import HourwheelError
from ..safety.plain import plain, plain_lines
from ..worker.looking import Rule, ruled
from .command import Command, Context
from .commands.agenda import agenda
from .commands.call import call
from .commands.changing.cancel import cancel, purge
from .commands.changing.forget import forget
from .commands.changing.reschedule import reschedule
from .commands.changing.retry import retry
from .commands.completion import completion
from .commands.config import config
from .commands.jobs import jobs, show
from .commands.pause import pause, resume
from .commands.preflight import preflight
from .commands.run_due import run_due
from .commands.schedules import schedules
from .commands.simulate import simulate
from .commands.stored_schedules import add, change, pause_schedule, remove, resume_schedule
from .commands.stores.backup import backup, move
from .commands.stores.check import check, compact
from .commands.stores.repair import repair
from .commands.stores.stats import ring, stats
from .commands.why import why
from .commands.worker import worker
from .console import Console
from .outcome import BUG, INTERRUPTED, READER_GONE, WRONG, CommandError
from .parser import Misuse, make_parser

_RUNNING: Final = (worker, run_due, call)
_ABOUT_JOBS: Final = (jobs, show, why, agenda)
_CHANGING: Final = (cancel, reschedule, retry, forget, purge, pause, resume)
_ABOUT_SCHEDULES: Final = (schedules, add, change, remove, pause_schedule, resume_schedule)
_ABOUT_STORES: Final = (stats, ring, check, compact, repair, backup, move, simulate, preflight)
COMMANDS: Final = (*_RUNNING, *_ABOUT_JOBS, *_CHANGING, *_ABOUT_SCHEDULES, *_ABOUT_STORES, config, completion)
DEBUG_VARIABLE: Final = "HOURWHEEL_DEBUG"


def main(argv: Sequence[str] | None = None, *, clock: Clock | None = None) -> int:
    """Run the command line, by default that of the process, and return the exit status; see outcome.py.

    >>> main(["stats", "tasks.json"])
    0
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _run(words, clock or SystemClock())
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return READER_GONE
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _run(words: list[str], clock: Clock) -> int:
    parser = make_parser(COMMANDS)
    try:
        args = _parsed(parser, words)
    except SystemExit as ended:  # by --help and --version
        return int(ended.code or 0)
    except Misuse as error:
        return _print_error(str(error), WRONG)
    command: Command | None = args.command
    if command is None:
        return _print_error(parser.format_help(), WRONG)
    console = Console(sys.stdout, sys.stderr, colour=not args.no_color)
    try:
        with ruled(_rule(command)):
            return command.run(args, Context(console, clock, os.environ))
    except Exception as error:
        if isinstance(error, BrokenPipeError) or os.environ.get(DEBUG_VARIABLE):
            raise
        return _report(error)


def _parsed(parser: ArgumentParser, words: list[str]) -> Namespace:
    """Parse the words; if the parser refuses them, as those of a command line for Celery."""
    try:
        args = parser.parse_args(words)
    except Misuse:
        from ..celery.command_line import read  # slow to import

        reading = read(words)
        if reading.refused:
            raise Misuse("\n".join(f"hourwheel: {line}" for line in reading.refused)) from None
        try:
            args, words = parser.parse_args(reading.words), reading.words
        except Misuse as error:
            raise Misuse(f"{error}{'' if 'did you mean' in str(error) else reading.near}") from None
        for line in reading.told:
            print(f"hourwheel: {plain(line)}", file=sys.stderr)
    args.words = words
    return args


def _rule(command: Command) -> Rule:
    """What schedulers may do while the command runs: it imports the user's modules, which may start one."""
    does = {"looks": "only looks", "changes": "runs no jobs", "runs": "runs the jobs itself"}[command.use]
    return Rule(
        reason=f"hourwheel {command.name} {does}",
        starts="later" if command.use == "runs" else "never",
        read_only=command.use == "looks",
        say=lambda text: print(f"hourwheel: {plain(text)}", file=sys.stderr),
    )


def _report(error: Exception) -> int:
    match error:
        case CommandError() | HourwheelError():
            return _print_error(f"hourwheel: {plain(str(error))}", WRONG)
        case OSError():
            place = f"{error.filename}: " if error.filename else ""
            return _print_error(plain(f"hourwheel: {place}{error.strerror or error}"), WRONG)
    hint = f"this is a bug; set {DEBUG_VARIABLE}=1 to see the traceback"
    return _print_error(plain(f"hourwheel: unexpected {type(error).__name__}: {error} ({hint})"), BUG)


def _print_error(text: str, status: int) -> int:
    print(plain_lines(text.rstrip()), file=sys.stderr)
    return status


def _forget_output() -> None:
    """Redirect stdout to /dev/null: its reader has gone, and Python would fail to flush it at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        return
