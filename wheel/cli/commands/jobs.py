"""``hourwheel jobs``: list the jobs of a store. ``hourwheel show``: everything about one job."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from itertools import islice
from typing import Final

from ...contract import Filter, find, pages
from ...explain.when import local, read_either
from ...job import Job, State
from ..command import JOB, STORE, Command, Context, argument, as_json, whole
from ..console import Cell
from ..describe import call, document, lines, moment, state
from ..outcome import NO, YES
from ..places import opened

_SHOWN: Final = 100
_HEADER: Final = ("ID", "STATE", "DUE", "WHEN", "CALL")


def states(text: str) -> frozenset[State]:
    """Read names of states, separated by commas."""
    try:
        return frozenset(State(name.strip()) for name in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"must be from {', '.join(State)}, got {text!r}") from None


@Command(
    name="jobs",
    summary="list the jobs of a store",
    description="List the jobs of a store by due time: scheduled and running ones, and finished ones that are kept.",
    examples=(
        "hourwheel jobs tasks.json",
        "hourwheel jobs tasks.json --state scheduled --due-before 1h",
        "hourwheel jobs tasks.json --state failed --json",
    ),
    takes=(
        *STORE,
        argument("--state", metavar="STATE,...", type=states, help=f"only these states: {', '.join(State)}"),
        argument("--task", metavar="NAME", help="only jobs of this task"),
        argument("--queue", metavar="NAME", help="only jobs of this queue"),
        argument("--key", metavar="KEY", help="only the job that holds this unique key"),
        argument(
            "--due-before", metavar="TIME", help="only jobs due before this: 15m from now, or 2026-12-24T18:00 (local)"
        ),
        argument(
            "--limit",
            metavar="N",
            type=whole,
            help="list at most N jobs, 0 for all; default: 100, or all with --json",
        ),
        as_json("a list of jobs"),
    ),
)
def jobs(args: Namespace, context: Context) -> int:
    now_ms = context.clock.now_ms()
    chosen = Filter(
        states=args.state,
        task=args.task,
        queue=args.queue,
        key=args.key,
        due_before_ms=None if args.due_before is None else read_either(args.due_before, now_ms),
    )
    with opened(args, context.environ) as store:
        if args.json:
            context.console.json_list(map(document, islice(pages(store, chosen), args.limit or None)))
            return YES
        limit = _SHOWN if args.limit is None else args.limit or None
        found = store.scan(chosen, None if limit is None else limit + 1)
    _show_jobs(found[:limit], context, now_ms)
    if limit is not None and len(found) > limit:
        context.console.line(Cell(f"the first {limit} by due time; --limit N shows more, --limit 0 all", "dim"))
    return YES


def _show_jobs(found: Sequence[Job], context: Context, now_ms: int) -> None:
    console = context.console
    if not found:
        console.line("no jobs")
        return
    rows = [[Cell(job.id), state(job), Cell(local(job.due_ms)), moment(job, now_ms), Cell(call(job))] for job in found]
    if console.table(_HEADER, rows):
        return
    for id, state_, due, when, called in rows:
        console.line(id, "  ", state_, "  ", when)
        console.line("    ", due, "  ", called)


@Command(
    name="show",
    summary="show one job: its call, its state, its times, its error",
    description="Show everything about one job. Exit status 1 if there is no such job.",
    examples=(
        "hourwheel show 019abf2e-6d3c-7d2a-8a3e-2f5c0c7d9b11 --store tasks.json",
        "hourwheel show invoice:42 -A shop.tasks:app --json",
    ),
    takes=(*JOB, as_json("the job")),
)
def show(args: Namespace, context: Context) -> int:
    console, now_ms = context.console, context.clock.now_ms()
    with opened(args, context.environ) as store:
        job = find(store, args.id)
    if job is None:
        console.error(f"hourwheel: no job {args.id}: it never existed, or its result_ttl is over")
        return NO
    if args.json:
        console.json(document(job))
        return YES
    for name, text in lines(job, now_ms):
        console.line(Cell(f"{name:10}", "dim"), state(job) if name == "state" else text)
    if job.error is not None and job.error.traceback:
        console.text(job.error.traceback)
    return YES
