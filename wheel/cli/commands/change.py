"""``hourwheel cancel`` and ``hourwheel reschedule``: cancel or move jobs that have not started."""

from __future__ import annotations

from argparse import Namespace
from typing import Final

from ...clock import MAX_MS
from ...contract import Found, find
from ...errors import InvalidValue
from ...explain.when import local, until, utc
from ...tasks.options.times import refuse_new_time
from ..command import JOB, JOBS, Context, argument, as_json, command, due_time
from ..outcome import NO, YES
from ..places import opened

_WHY: Final = {
    Found.RUNNING: "it is running",
    Found.FINISHED: "it has finished",
    Found.UNKNOWN: "there is no such job",
}


@command(
    "cancel",
    summary="cancel scheduled jobs",
    description="Cancel jobs that have not started, durably. A running job is asked to stop: its function can check "
    "for that, and it is not retried. Exit status 1 if any of the jobs was running, finished or unknown.",
    examples=(
        "hourwheel cancel 019abf2e-6d3c-7d2a-8a3e-2f5c0c7d9b11 --store tasks.json",
        'hourwheel cancel invoice:42 invoice:43 -A shop.tasks --reason "paid"',
    ),
    takes=(
        *JOBS,
        argument("--reason", metavar="TEXT", help="why; stored with the job"),
        as_json("the outcome for each"),
    ),
    use="changes",
)
def cancel(args: Namespace, context: Context) -> int:
    console = context.console
    with opened(args, context.environ) as store:
        found = store.cancel(args.id, context.clock.now_ms(), reason=args.reason or "cancelled by hand")
    each = list(zip(args.id, found, strict=True))
    if args.json:
        console.json([{"id": id, "cancelled": one is Found.SCHEDULED, "found": str(one)} for id, one in each])
    else:
        for id, state in each:
            asked = ", and has been asked to stop" if state is Found.RUNNING else ""
            outcome = "cancelled" if state is Found.SCHEDULED else f"not cancelled, {_WHY[state]}{asked}"
            console.line(f"{id}: {outcome}")
    return YES if all(state is Found.SCHEDULED for state in found) else NO


@command(
    "reschedule",
    summary="move a scheduled job to another time",
    description="Change when a scheduled job is due, durably. Exit status 1 if it was running, finished or unknown.",
    examples=(
        "hourwheel reschedule invoice:42 --countdown 15m --store tasks.json",
        "hourwheel reschedule invoice:42 --eta 2026-12-24T18:00 -A shop.tasks",
    ),
    takes=(*JOB, due_time(required=True), as_json("the outcome")),
    use="changes",
)
def reschedule(args: Namespace, context: Context) -> int:
    console, now_ms = context.console, context.clock.now_ms()
    due_ms = args.eta if args.countdown is None else now_ms + args.countdown
    if due_ms > MAX_MS:
        raise InvalidValue.of("countdown", "a time up to the year 9999", f"{args.countdown} ms")
    with opened(args, context.environ) as store:
        refuse_new_time(find(store, args.id), due_ms)
        found = store.reschedule([args.id], due_ms, now_ms)[0]
    moved = found is Found.SCHEDULED
    if args.json:
        console.json({"id": args.id, "rescheduled": moved, "found": str(found), "due_ms": due_ms, "due": utc(due_ms)})
    elif moved:
        console.line(f"{args.id}: due {local(due_ms)} ({until(due_ms, now_ms)})")
    else:
        console.line(f"{args.id}: not rescheduled, {_WHY[found]}")
    return YES if moved else NO
