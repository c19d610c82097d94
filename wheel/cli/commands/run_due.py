"""``hourwheel run-due``: one sweep in this process, for cron and serverless."""

from __future__ import annotations

import logging
from argparse import ArgumentParser, Namespace
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from ...settings.checks import checked_queues
from ...worker import log
from ..command import Command, Context, names, take_app, take_json
from ..outcome import NO, YES
from ..places import app_of
from .worker import level

if TYPE_CHECKING:
    from ...scheduler.scheduler import Scheduler

_HOOKS: Final = ("succeeded", "failed", "retried", "snoozed", "skipped")
_WORDS: Final = {
    "succeeded": "succeeded",
    "failed": "failed",
    "retried": "to be tried again",
    "snoozed": "snoozed",
    "unknown": "given back, as the app cannot run them (`hourwheel preflight` says why)",
    "skipped": "ended unrun",
}


def _arguments(parser: ArgumentParser) -> None:
    take_app(parser)
    parser.add_argument(
        "-Q", "--queues", metavar="A,B", type=names, help="only jobs of these queues; default: the app's"
    )
    parser.add_argument("-l", "--loglevel", metavar="LEVEL", type=level, default="WARNING", help="default: warning")
    take_json(parser, "the counts")


def _run(args: Namespace, context: Context) -> int:
    app = app_of(args, context.environ)
    if args.queues is not None:
        app.queues = checked_queues(args.queues)
    logging.basicConfig(level=args.loglevel, format=log.FORMAT)
    logging.getLogger("hourwheel").setLevel(args.loglevel)
    counts = _counted(app)
    try:
        claimed = app.run_due()
    finally:
        app.close()
    ran = sum(counts[name] for name in ("succeeded", "failed", "retried", "snoozed"))
    counts["unknown"] = claimed - ran
    if args.json:
        context.console.json({"ran": ran, **{name: counts[name] for name in _WORDS}})
    else:
        told = [f"{counts[name]:,} {words}" for name, words in _WORDS.items() if counts[name]]
        head = "1 job was run" if ran == 1 else f"{ran:,} jobs were run"
        context.console.line(f"{head}{': ' if told else ''}{', '.join(told)}")
    return NO if counts["failed"] else YES


def _counted(app: Scheduler) -> Counter[str]:
    """What the app's hooks are told from now on, counted."""
    counts = Counter[str]()

    def counter(name: str) -> Any:
        def count(*_: Any) -> None:
            counts[name] += 1

        return count

    for name in _HOOKS:
        getattr(app.on, name)(counter(name))
    return counts


RUN_DUE: Final = Command(
    name="run-due",
    summary="run what is due now, once, and end: for cron and serverless",
    description="One sweep in this process: claim and run everything that is due, and end. What was due while nobody "
    "swept is run now, so a call a minute is all that is needed. Exit status 1 if a job failed for good; one that is "
    "tried again by a later sweep is no failure yet.",
    examples=("hourwheel run-due -A shop.tasks", "hourwheel run-due -A shop.tasks --queues mail --json"),
    arguments=_arguments,
    run=_run,
    use="runs",
)
