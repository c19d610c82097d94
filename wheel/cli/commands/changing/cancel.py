"""``hourwheel cancel``: cancel jobs that have not started. ``hourwheel purge``: all that wait."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Final

from ....contract import Filter, Found, pages
from ....job import Job, State
from ...choosing import say_strangers
from ...command import JOBS, STORE, Command, Context, argument, as_json, names
from ...outcome import NO, YES
from ...places import opened, take_store
from . import bulk
from .bulk import Deed

WHY: Final = {
    Found.RUNNING: "it is running",
    Found.FINISHED: "it has finished",
    Found.UNKNOWN: "there is no such job",
}
_SCHEDULED: Final = frozenset({State.SCHEDULED})


@Command(
    name="cancel",
    summary="cancel scheduled jobs",
    description="Cancel jobs that have not started, durably: by their ids, or all scheduled ones that options choose, "
    "a thousand with each write. A running job that is named by its id or by --state running is asked to stop: its "
    "function can check for that, and it is not retried. A cancelled fire of a schedule is skipped. Exit status 1 if "
    "any of the jobs was running, finished or unknown.",
    examples=(
        "hourwheel cancel 019abf2e-6d3c-7d2a-8a3e-2f5c0c7d9b11 --store tasks.json",
        'hourwheel cancel invoice:42 invoice:43 -A shop.tasks --reason "paid"',
        "hourwheel cancel tasks.json --task shop.mail.* --older 2d --dry-run",
    ),
    takes=(
        *JOBS,
        argument("--reason", metavar="TEXT", help="why; stored with the job"),
        *bulk.options("cancel", "scheduled"),
    ),
    use="changes",
)
def cancel(args: Namespace, context: Context) -> int:
    take_store(args, args.id)
    reason = args.reason or "cancelled by hand"
    if bulk.is_wanted(args):
        return bulk.change_chosen(args, context, _deed("cancel", context, reason))
    console = context.console
    with opened(args, context.environ) as store:
        found = store.cancel(args.id, context.clock.now_ms(), reason=reason)
    each = list(zip(args.id, found, strict=True))
    if args.json:
        console.json([{"id": id, "cancelled": one is Found.SCHEDULED, "found": str(one)} for id, one in each])
    else:
        for id, state in each:
            asked = ", and has been asked to stop" if state is Found.RUNNING else ""
            outcome = "cancelled" if state is Found.SCHEDULED else f"not cancelled, {WHY[state]}{asked}"
            console.line(f"{id}: {outcome}")
    return YES if all(state is Found.SCHEDULED for state in found) else NO


def _deed(name: str, context: Context, reason: str) -> Deed:
    now_ms = context.clock.now_ms()
    return Deed(
        name=name,
        done="cancelled",
        change=lambda store, ids, tokens: store.cancel(ids, now_ms, reason=reason, tokens=tokens),
        answers=frozenset({Found.SCHEDULED, Found.RUNNING}),
        states=_SCHEDULED,
        possible=_SCHEDULED | {State.RUNNING},
    )


# ---- purge -----------------------------------------------------------------------------------------------


@Command(
    name="purge",
    summary="cancel all jobs that wait, of some queues or of all",
    description="Cancel all scheduled jobs, durably, as Celery's command of that name empties queues: those that are "
    "due, those that are to run later, and retries. Running jobs go on, and so do schedules: their next fires stay. "
    "Exit status 1 if nothing was changed because you said no.",
    examples=(
        "hourwheel purge tasks.json -Q mail,sms",
        "hourwheel purge -A shop.tasks --exclude-queues billing --force",
    ),
    takes=(
        *STORE,
        argument("-Q", "--queues", metavar="A,B", type=names, default=[], help="only these queues; default: all"),
        argument("-X", "--exclude-queues", metavar="A,B", type=names, default=[], help="not these queues"),
        argument("-f", "--force", action="store_true", dest="yes", help="the same as --yes"),
        *bulk.ASKING,
        as_json("how many were cancelled"),
    ),
    use="changes",
)
def purge(args: Namespace, context: Context) -> int:
    deed = _deed("purge", context, "purged by hand")
    with opened(args, context.environ) as store:
        say_strangers(store, args, context, [*args.queues, *args.exclude_queues])
        waiting = filter(_purges(args.queues, args.exclude_queues), pages(store, Filter(states=_SCHEDULED), bulk.PAGE))
        return bulk.change(waiting, store, args, context, deed)


def _purges(queues: Sequence[str], without: Sequence[str]) -> Callable[[Job], bool]:
    def purges(job: Job) -> bool:
        next_fire = job.fire is not None and not job.fire.followed
        return (not queues or job.queue in queues) and job.queue not in without and not next_fire

    return purges
