"""``hourwheel run-due``: run due jobs once and exit, for cron and serverless."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections import Counter
from typing import TYPE_CHECKING, Final

from ...settings.checks import checked_queues
from ...worker import log
from ..choosing import say_odd_queues
from ..command import APP, Command, Context, as_json, queues
from ..outcome import NO, YES
from ..places import app_of
from .worker import loglevel

if TYPE_CHECKING:
    from ...scheduler.scheduler import Scheduler

_HOOKS: Final = ("succeeded", "failed", "retried", "snoozed", "skipped")
_WORDS: Final = {
    "succeeded": "succeeded",
    "failed": "failed",
    "retried": "to be retried",
    "snoozed": "snoozed",
    "unknown": "released, because the app cannot run them (`hourwheel preflight` says why)",
    "skipped": "expired or skipped",
}


@Command(
    name="run-due",
    summary="run what is due now and exit, for cron and serverless",
    description="Claim and run everything that is due, in this process, and exit. Jobs that came due since the last "
    "call are run, too, so one call a minute is enough. Exit status 1 if a job failed and is not retried.",
    examples=("hourwheel run-due -A shop.tasks", "hourwheel run-due -A shop.tasks --queues mail --json"),
    takes=(APP, queues("only jobs of these queues"), loglevel("WARNING", "default: warning"), as_json("the counts")),
    use="runs",
)
def run_due(args: Namespace, context: Context) -> int:
    app = app_of(args, context.environ)
    if args.queues is not None:
        app.queues = checked_queues(args.queues)
        say_odd_queues(app, args.queues, context)
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
        parts = [f"{counts[name]:,} {words}" for name, words in _WORDS.items() if counts[name]]
        head = "1 job was run" if ran == 1 else f"{ran:,} jobs were run"
        context.console.line(f"{head}{': ' if parts else ''}{', '.join(parts)}")
    return NO if counts["failed"] else YES


def _counted(app: Scheduler) -> Counter[str]:
    """Count the calls of the app's hooks from now on."""
    counts = Counter[str]()
    for name in _HOOKS:
        getattr(app.on, name)(lambda *_, name=name: counts.update([name]))
    return counts
