"""``hourwheel worker``: run a Scheduler as a program."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from argparse import ArgumentTypeError, BooleanOptionalAction, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging.handlers import WatchedFileHandler
from typing import IO, Any, Final

from ... import __version__
from ...errors import InvalidValue
from ...scheduler.scheduler import Scheduler
from ...settings.checks import checked_owner, checked_queues, checked_timeout
from ...tasks.discovery import Discovery
from ...worker import log
from ...worker.pool import PoolOptions
from ...worker.pool.kinds import ALIASES, KINDS
from ..choosing import queues_of, say_odd_queues
from ..command import APP, Argument, Command, Context, argument, checked, names, pool, queues, whole
from ..console import Cell, Console
from ..near import guess
from ..outcome import NO, YES, CommandError
from ..patching import patch_for
from ..places import app_of
from .reloading import run_and_reload

_CLOSE_S: Final = 0.75
"""How long closing the store may take after the jobs have ended."""
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def level(text: str) -> str:
    """Read the name of a logging level."""
    if text.upper() not in LEVELS:
        hint = guess(text, map(str.lower, LEVELS))
        raise ArgumentTypeError(f"must be one of {', '.join(LEVELS).lower()}, got {text!r}{hint}")
    return text.upper()


def loglevel(default: str, help: str) -> Argument:
    """``-l``."""
    return argument("-l", "--loglevel", metavar="LEVEL", type=level, default=default, help=help)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"must be a number of seconds, got {text!r}") from None


def _limit(name: str, what: str) -> Argument:
    return argument(name, metavar="SECONDS", type=_seconds, help=f"{what}; default: none")


def _timeout(text: str) -> float:
    try:
        return checked_timeout(float(text))
    except ValueError:
        raise InvalidValue.of("timeout", "a number of seconds, zero or more", text) from None


def _file(text: str) -> str:
    if not text or "%" in text:
        raise ArgumentTypeError(f"must be the path of a file, in which % stands for nothing, got {text!r}")
    return text


def _pool(args: Namespace, app: PoolOptions) -> PoolOptions:
    """The app's pool options, changed by the command line."""
    options = {
        "pool": args.pool,
        "given_workers": args.concurrency,
        "time_limit": args.time_limit,
        "soft_time_limit": args.soft_time_limit,
        "max_tasks_per_child": args.max_tasks_per_child,
        "max_memory_per_child": args.max_memory_per_child,
    }
    if args.pool is not None and KINDS[ALIASES.get(args.pool, args.pool)] is not app.kind:
        options = {"given_workers": None, "max_tasks_per_child": None, "max_memory_per_child": None, **_given(options)}
        return app.but(**options)  # the app's own values were meant for another kind of pool
    return app.but(**_given(options))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


@Command(
    name="worker",
    summary="run the jobs of an app until SIGTERM or SIGINT",
    description="Run due jobs in this process. On the first SIGTERM or SIGINT it takes no more jobs and waits for the "
    "running ones; on the second it exits at once. Exit status 1 if jobs were still running at the end, or the store "
    "did not answer.",
    examples=(
        "hourwheel worker -A tasks",
        "hourwheel worker -A shop.tasks:app -c 8 -l info -Q mail,default",
        "hourwheel worker -A shop.tasks -P processes -c 8 --time-limit 300",
        "hourwheel worker -A shop.tasks -P gevent -c 1000",
        "hourwheel -A shop.tasks worker -B -l debug",
        "hourwheel worker -A shop.tasks --reload",
    ),
    takes=(
        APP,
        argument("-c", "--concurrency", metavar="N", type=whole, help="how many jobs run at once; default: the app's"),
        loglevel("INFO", "debug, info, warning, error or critical; default: info"),
        queues("take jobs from these queues only"),
        argument(
            "-X",
            "--exclude-queues",
            metavar="A,B",
            type=names,
            help="take no jobs from these, but from the others that -Q names, or without it, that the app's tasks use",
        ),
        argument("-I", "--include", metavar="A,B", type=names, default=[], help="import these modules, too"),
        argument(
            "-n",
            "--hostname",
            metavar="NAME",
            type=checked(checked_owner),
            help="what the worker is called in the store; default: the host's name",
        ),
        argument(
            "-f",
            "--logfile",
            metavar="FILE",
            type=_file,
            help="append the log to this file, which may be moved away (logrotate); default: stderr",
        ),
        argument(
            "--pidfile",
            metavar="FILE",
            type=_file,
            help="write the number of the process to this file while it runs; a second worker with it is refused",
        ),
        pool("what jobs run in: threads, processes (or prefork), asyncio, gevent, eventlet or solo"),
        _limit("--time-limit", "stop a run after this long; not in threads"),
        _limit("--soft-time-limit", "raise SoftTimeLimitExceeded in the function after this time"),
        argument("--max-tasks-per-child", metavar="N", type=whole, help="replace a worker process after N jobs"),
        argument(
            "--max-memory-per-child",
            metavar="KIB",
            type=whole,
            help="replace a worker process that uses more than this many KiB after a job",
        ),
        argument(
            "-B",
            "--beat",
            action=BooleanOptionalAction,
            default=None,
            help="add the next fires of schedules (the default in every worker); with --no-beat, only run those that "
            "are stored",
        ),
        argument(
            "--timeout",
            metavar="SECONDS",
            type=checked(_timeout),
            default=30.0,
            help="how long to wait for running jobs when stopping; default: 30",
        ),
        argument(
            "--reload",
            action=BooleanOptionalAction,
            default=None,
            help="for development: start the worker anew when a Python file in the current directory or below changes; "
            "needs `pip install 'hourwheel[reload]'`",
        ),
        argument(
            "--reload-dir",
            metavar="DIR",
            action="append",
            help="with --reload: watch this directory instead; repeatable",
        ),
    ),
    use="runs",
)
def worker(args: Namespace, context: Context) -> int:
    if args.reload:
        return run_and_reload(args, context)
    if args.reload_dir and args.reload is None:
        raise CommandError("--reload-dir says what --reload watches; add --reload")
    patch_for(args.pool, args.words)
    app = app_of(args, context.environ)
    app.pool = _pool(args, app.pool)
    patch_for(app.pool.kind.name, args.words)
    _include(app, args.include)
    if args.hostname is not None:
        app.conf.owner = args.hostname
    _set_queues(app, args, context)
    app.fires.tends = args.beat is not False
    _set_log(args)
    _say_unread(app, context)
    with _pidfile(args.pidfile):
        _banner(app, context.console, told=args.beat is True)
        left = app.run(timeout=args.timeout)
    if app.stuck or not _closes(app):
        context.console.error(
            "hourwheel: the store does not answer; exiting without closing it, which releases its locks"
        )
        return NO
    if left:
        context.console.error(f"hourwheel: {len(left)} jobs were still running; they will be run again")
    return NO if left else YES


def _include(app: Scheduler, modules: Sequence[str]) -> None:
    """Import the modules of -I."""
    try:
        app.discoveries.append(Discovery(lambda: modules, None))
        app.discover_tasks()
    except Exception as error:
        raise CommandError(f"-I {','.join(modules)} cannot be imported: {type(error).__name__}: {error}") from error


def _set_queues(app: Scheduler, args: Namespace, context: Context) -> None:
    """Say which queues the app takes jobs from: those of -Q, without those of -X."""
    if args.queues is not None:
        app.queues = checked_queues(args.queues)
        say_odd_queues(app, args.queues, context)
    if args.exclude_queues is None:
        return
    say_odd_queues(app, args.exclude_queues, context)
    left = (queues_of(app) if app.queues is None else app.queues) - {*args.exclude_queues}
    if not left:
        raise CommandError(f"no queue is left without {', '.join(args.exclude_queues)}; name some with -Q")
    app.queues = checked_queues(left)


def _set_log(args: Namespace) -> None:
    """Log at the level of -l, to the file of -f or to stderr."""
    if args.logfile:
        to_file = WatchedFileHandler(args.logfile, encoding="utf-8")
        to_file.setFormatter(logging.Formatter(log.FORMAT))
        logging.getLogger().addHandler(to_file)  # beside those of an app that configures logging itself
        logging.getLogger().setLevel(args.loglevel)
    logging.basicConfig(level=args.loglevel, format=log.FORMAT)
    logging.getLogger("hourwheel").setLevel(args.loglevel)


def _say_unread(app: Scheduler, context: Context) -> None:
    """Say which variables of the environment a worker of Celery's would have read, for an app with Celery's names."""
    if type(app).decorator_type is not Scheduler.decorator_type:
        from ...celery.command_line import unread

        for line in unread("worker", context.environ):
            context.console.error(f"hourwheel: {line}")


@contextmanager
def _pidfile(path: str | None) -> Iterator[None]:
    """Keep a file with the number of this process, locked by the kernel, so that none is left over by a kill.

    Raises:
        CommandError: a worker that runs has it, or it cannot be written.
    """
    if path is None:
        yield
        return
    try:
        file = open(path, "a+", encoding="ascii", errors="replace")  # noqa: SIM115 - closed below
    except OSError as error:
        raise CommandError(f"--pidfile {path} cannot be written: {error.strerror}") from error
    with file:
        file.seek(0)
        there = file.read(100).strip()
        if there and not there.isdigit():
            raise CommandError(f"--pidfile {path} has something else in it than the number of a process")
        if not _locked(file):
            raise CommandError(f"--pidfile {path} belongs to process {there or 'that just starts'}, which runs")
        if not _is_at(path, file):  # its worker ended just now, and removed it
            with _pidfile(path):
                yield
            return
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            if _is_at(path, file):
                os.unlink(path)


def _locked(file: IO[str]) -> bool:
    """Lock a file, and return whether that was possible."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: str, file: IO[str]) -> bool:
    """Whether an open file has this name."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _closes(app: Scheduler) -> bool:
    """Close the app; return False if that takes too long, for instance because another thread blocks the store."""
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


def _banner(app: Scheduler, console: Console, *, told: bool) -> None:
    app.store  # noqa: B018 - opens it: an error must come before other output
    tasks = app.registry.names()
    console.line(Cell(f"hourwheel {__version__}", "bold"), f"  {app.owner}")
    for name, text in (
        ("store", repr(app.store)),
        ("queues", "all" if app.queues is None else ", ".join(sorted(app.queues))),
        ("concurrency", app.pool.shown),
        ("schedules", _schedules(app) + ("; every worker adds fires, also without -B" if told else "")),
        ("tasks", ", ".join(tasks) or "none: jobs stay scheduled until a process has their tasks"),
    ):
        console.line(Cell(f"  {name:13}", "dim"), text)
    console.flush()


def _schedules(app: Scheduler) -> str:
    names = ", ".join(sorted(app.fires.entries)) or "none"
    return names if app.fires.tends else f"{names}; next fires are not added here (--no-beat)"
