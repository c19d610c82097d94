"""``noria worker``: a Scheduler as a program of its own."""

from __future__ import annotations

import logging
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import TYPE_CHECKING, Final

from .. import log
from ..config import checked_queues, checked_timeout, checked_workers
from ..errors import InvalidValue
from .command import Command, Context, checked, names, take_app
from .console import Cell, Console
from .outcome import NO, YES
from .parser import noria_version
from .places import app_of

if TYPE_CHECKING:
    from ..scheduler import Scheduler

_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def _level(text: str) -> str:
    if text.upper() not in _LEVELS:
        raise ArgumentTypeError(f"must be one of {', '.join(_LEVELS).lower()}, got {text!r}")
    return text.upper()


def _workers(text: str) -> int:
    return checked_workers(int(text) if text.isdecimal() else text)


def _timeout(text: str) -> float:
    try:
        return checked_timeout(float(text))
    except ValueError:
        raise InvalidValue.of("timeout", "a number of seconds, zero or more", text) from None


def _arguments(parser: ArgumentParser) -> None:
    take_app(parser)
    parser.add_argument(
        "-c", "--concurrency", metavar="N", type=checked(_workers), help="how many jobs run at once; default: the app's"
    )
    parser.add_argument(
        "-l",
        "--loglevel",
        metavar="LEVEL",
        type=_level,
        default="INFO",
        help="debug, info, warning, error or critical; default: info",
    )
    parser.add_argument(
        "-Q", "--queues", metavar="A,B", type=names, help="take jobs from these queues only; default: the app's"
    )
    parser.add_argument(
        "-P", "--pool", choices=["threads"], default="threads", help="what jobs run in: threads (there is no other yet)"
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=checked(_timeout),
        default=30.0,
        help="how long to wait for running jobs when asked to stop; default: 30",
    )


def _run(args: Namespace, context: Context) -> int:
    app = app_of(args, context.environ)
    if args.concurrency is not None:
        app.workers = args.concurrency
    if args.queues is not None:
        app.queues = checked_queues(args.queues)
    logging.basicConfig(level=args.loglevel, format=log.FORMAT)
    logging.getLogger("noria").setLevel(args.loglevel)
    _banner(app, context.console)
    left = app.run(timeout=args.timeout)
    if app.stuck:
        context.console.error("noria: the store does not answer; the kernel lets go of what this process holds of it")
        return NO
    app.close()
    if left:
        context.console.error(f"noria: {len(left)} jobs were still running; they start again")
    return NO if left else YES


def _banner(app: Scheduler, console: Console) -> None:
    app.store  # noqa: B018 - if it cannot be opened, that is to be said before anything else
    tasks = app.registry.names()
    console.line(Cell(f"noria {noria_version()}", "bold"), f"  {app.owner}")
    for name, text in (
        ("store", repr(app.store)),
        ("queues", "all" if app.queues is None else ", ".join(sorted(app.queues))),
        ("concurrency", f"{app.workers} threads"),
        ("tasks", ", ".join(tasks) or "none: jobs stay scheduled until a process knows their tasks"),
    ):
        console.line(Cell(f"  {name:13}", "dim"), text)
    console.flush()


WORKER: Final = Command(
    name="worker",
    summary="run the jobs of an app until SIGTERM or SIGINT",
    description="Run due jobs in this process. The first SIGTERM or SIGINT stops taking jobs and lets the running ones "
    "end; the second means now. Exit status 1 if jobs were still running at the end, or the store did not answer.",
    examples=(
        "noria worker -A tasks",
        "noria worker -A shop.tasks:app -c 8 -l info -Q mail,default",
        "noria -A shop.tasks worker -l debug",
    ),
    arguments=_arguments,
    run=_run,
)
