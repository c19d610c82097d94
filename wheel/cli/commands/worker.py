"""``hourwheel worker``: a Scheduler as a program of its own."""

from __future__ import annotations

import logging
import threading
from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from typing import TYPE_CHECKING, Any, Final

from ... import __version__
from ...errors import InvalidValue
from ...settings.checks import checked_queues, checked_timeout
from ...worker import log
from ...worker.pool import PoolOptions
from ...worker.pool.kinds import ALIASES, KINDS
from ..command import Command, Context, checked, names, take_app, whole
from ..console import Cell, Console
from ..outcome import NO, YES
from ..patching import patch_for
from ..places import app_of

if TYPE_CHECKING:
    from ...scheduler.scheduler import Scheduler

_CLOSE_S: Final = 0.75
"""Closing the store may take so long after the jobs have ended."""
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def level(text: str) -> str:
    """The name of a level of logging."""
    if text.upper() not in _LEVELS:
        raise ArgumentTypeError(f"must be one of {', '.join(_LEVELS).lower()}, got {text!r}")
    return text.upper()


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"must be a number of seconds, got {text!r}") from None


def _timeout(text: str) -> float:
    try:
        return checked_timeout(float(text))
    except ValueError:
        raise InvalidValue.of("timeout", "a number of seconds, zero or more", text) from None


def _arguments(parser: ArgumentParser) -> None:
    take_app(parser)
    parser.add_argument(
        "-c", "--concurrency", metavar="N", type=whole, help="how many jobs run at once; default: the app's"
    )
    parser.add_argument(
        "-l",
        "--loglevel",
        metavar="LEVEL",
        type=level,
        default="INFO",
        help="debug, info, warning, error or critical; default: info",
    )
    parser.add_argument(
        "-Q", "--queues", metavar="A,B", type=names, help="take jobs from these queues only; default: the app's"
    )
    parser.add_argument(
        "-P",
        "--pool",
        choices=[*KINDS, *ALIASES],
        metavar="POOL",
        help="what jobs run in: threads, processes (or prefork), asyncio, gevent, eventlet or solo; default: the app's",
    )
    _pool_arguments(parser)
    parser.add_argument(
        "-B",
        "--beat",
        action=BooleanOptionalAction,
        default=True,
        help="see to it that each schedule has its next fire, as every worker does; --no-beat does not, and still runs "
        "the fires that it takes",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=checked(_timeout),
        default=30.0,
        help="how long to wait for running jobs when asked to stop; default: 30",
    )


def _pool_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--time-limit", metavar="SECONDS", type=_seconds, help="stop a run after so long; not in threads; default: none"
    )
    parser.add_argument(
        "--soft-time-limit",
        metavar="SECONDS",
        type=_seconds,
        help="raise SoftTimeLimitExceeded in a function after so long; default: none",
    )
    parser.add_argument(
        "--max-tasks-per-child", metavar="N", type=whole, help="replace a worker process after so many jobs"
    )
    parser.add_argument(
        "--max-memory-per-child",
        metavar="KIB",
        type=whole,
        help="replace a worker process that is larger than so many KiB after a job",
    )


def _pool(args: Namespace, app: PoolOptions) -> PoolOptions:
    """The pool of the app with what the command line says in its place."""
    said = {
        "pool": args.pool,
        "given_workers": args.concurrency,
        "time_limit": args.time_limit,
        "soft_time_limit": args.soft_time_limit,
        "max_tasks_per_child": args.max_tasks_per_child,
        "max_memory_per_child": args.max_memory_per_child,
    }
    if args.pool is not None and KINDS[ALIASES.get(args.pool, args.pool)] is not app.kind:
        said = {"given_workers": None, "max_tasks_per_child": None, "max_memory_per_child": None, **_told(said)}
        return app.but(**said)  # what the app says of another kind of pool does not hold for this one
    return app.but(**_told(said))


def _told(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def _run(args: Namespace, context: Context) -> int:
    patch_for(args.pool, args.words)
    app = app_of(args, context.environ)
    app.pool = _pool(args, app.pool)
    patch_for(app.pool.kind.name, args.words)
    if args.queues is not None:
        app.queues = checked_queues(args.queues)
    app.fires.tends = args.beat
    logging.basicConfig(level=args.loglevel, format=log.FORMAT)
    logging.getLogger("hourwheel").setLevel(args.loglevel)
    _banner(app, context.console)
    left = app.run(timeout=args.timeout)
    if app.stuck or not _closes(app):
        context.console.error(
            "hourwheel: the store does not answer; the kernel lets go of what this process holds of it"
        )
        return NO
    if left:
        context.console.error(f"hourwheel: {len(left)} jobs were still running; they start again")
    return NO if left else YES


def _closes(app: Scheduler) -> bool:
    """Close the app; False if its store does not answer: another thread of the program waits for it, say, in a call."""
    failed: list[Exception] = []

    def close() -> None:
        try:
            app.close()
        except Exception as error:
            failed.append(error)

    closing = threading.Thread(target=close, name="hourwheel-close", daemon=True)
    closing.start()
    closing.join(_CLOSE_S)
    if failed:
        raise failed[0]
    return not closing.is_alive()


def _banner(app: Scheduler, console: Console) -> None:
    app.store  # noqa: B018 - if it cannot be opened, that is to be said before anything else
    tasks = app.registry.names()
    console.line(Cell(f"hourwheel {__version__}", "bold"), f"  {app.owner}")
    for name, text in (
        ("store", repr(app.store)),
        ("queues", "all" if app.queues is None else ", ".join(sorted(app.queues))),
        ("concurrency", app.pool.shown),
        ("schedules", _schedules(app)),
        ("tasks", ", ".join(tasks) or "none: jobs stay scheduled until a process knows their tasks"),
    ):
        console.line(Cell(f"  {name:13}", "dim"), text)
    console.flush()


def _schedules(app: Scheduler) -> str:
    names = ", ".join(sorted(app.fires.entries)) or "none"
    return names if app.fires.tends else f"{names}; not looked after here (--no-beat)"


WORKER: Final = Command(
    name="worker",
    summary="run the jobs of an app until SIGTERM or SIGINT",
    description="Run due jobs in this process. The first SIGTERM or SIGINT stops taking jobs and lets the running ones "
    "end; the second means now. Exit status 1 if jobs were still running at the end, or the store did not answer.",
    examples=(
        "hourwheel worker -A tasks",
        "hourwheel worker -A shop.tasks:app -c 8 -l info -Q mail,default",
        "hourwheel worker -A shop.tasks -P processes -c 8 --time-limit 300",
        "hourwheel worker -A shop.tasks -P gevent -c 1000",
        "hourwheel -A shop.tasks worker -B -l debug",
    ),
    arguments=_arguments,
    run=_run,
    use="runs",
)
