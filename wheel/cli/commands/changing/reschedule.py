"""``hourwheel reschedule``: move a job that has not started."""

from __future__ import annotations

from argparse import Namespace

from ....contract import Found, find
from ....explain.when import local, until, utc
from ....tasks.options.times import refuse_new_time
from ...command import JOB, Command, Context, as_json, due_time, later
from ...outcome import NO, YES
from ...places import opened
from .cancel import WHY


@Command(
    name="reschedule",
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
    due_ms = args.eta if args.countdown is None else later(args.countdown, now_ms)
    with opened(args, context.environ) as store:
        refuse_new_time(find(store, args.id), due_ms)
        found = store.reschedule([args.id], due_ms, now_ms)[0]
    moved = found is Found.SCHEDULED
    if args.json:
        console.json({"id": args.id, "rescheduled": moved, "found": str(found), "due_ms": due_ms, "due": utc(due_ms)})
    elif moved:
        console.line(f"{args.id}: due {local(due_ms)} ({until(due_ms, now_ms)})")
    else:
        console.line(f"{args.id}: not rescheduled, {WHY[found]}")
    return YES if moved else NO
