"""``hourwheel jobs``: list the jobs of a store. ``hourwheel show``: everything about one job."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Final

from ...contract import find, pages
from ...explain.when import local
from ...job import Job
from ...safety.plain import plain
from ..choosing import FILTERS, filter_of, limit, tell_strangers
from ..command import JOB, STORE, Command, Context, as_json
from ..console import Cell, cut
from ..describe import call, document, lines, moment, state
from ..outcome import NO, YES
from ..places import opened

_SHOWN: Final = 100
_HEADER: Final = ("ID", "STATE", "DUE", "WHEN", "ERROR", "CALL")
_ERROR_WIDTH: Final = 40


@Command(
    name="jobs",
    summary="list the jobs of a store",
    description="List the jobs of a store by due time: scheduled and running ones, and finished ones that are kept.",
    examples=(
        "hourwheel jobs tasks.json",
        "hourwheel jobs tasks.json --state scheduled --due-before 1h",
        "hourwheel jobs tasks.json --task shop.mail.* --error TimeoutError --newer 2h",
        "hourwheel jobs -A shop.tasks --state failed --json",
    ),
    takes=(
        *STORE,
        *FILTERS,
        limit("list at most N jobs, 0 for all; default: 100, or all with --json"),
        as_json("a list of jobs"),
    ),
)
def jobs(args: Namespace, context: Context) -> int:
    with opened(args, context.environ) as store:
        found = pages(store, filter_of(args, context.clock.now_ms()))
        first = next(found, None)
        if first is None:
            tell_strangers(store, args, context)
        return list_jobs(() if first is None else chain((first,), found), args, context)


def list_jobs(found: Iterable[Job], args: Namespace, context: Context) -> int:
    """Print jobs: all as JSON, one by one, or the first hundred as a table; --limit says how many."""
    if args.json:
        context.console.json_list(map(document, islice(found, getattr(args, "limit", None) or None)))
        return YES
    given = getattr(args, "limit", None)
    limit = _SHOWN if given is None else given or None
    shown = list(islice(found, None if limit is None else limit + 1))
    _show_jobs(shown[:limit], context, context.clock.now_ms())
    if limit is not None and len(shown) > limit:
        context.console.line(Cell(f"the first {limit} by due time; --limit N shows more, --limit 0 all", "dim"))
    return YES


def _show_jobs(found: Sequence[Job], context: Context, now_ms: int) -> None:
    console = context.console
    if not found:
        console.line("no jobs")
        return
    failed = any(job.error is not None for job in found)
    header = [name for name in _HEADER if failed or name != "ERROR"]
    if console.table(header, [_row(job, now_ms, failed) for job in found]):
        return
    for job in found:
        console.line(job.id, "  ", state(job), "  ", moment(job, now_ms))
        console.line("    ", local(job.due_ms), "  ", call(job))
        if job.error is not None:
            console.line("    ", Cell(_error(job), "red"))


def _error(job: Job) -> str:
    """The job's error in one line; its length is what it takes on a terminal."""
    return "" if job.error is None else plain(" ".join(job.error.words.split()))


def _row(job: Job, now_ms: int, failed: bool) -> list[Cell]:
    row = [Cell(job.id), state(job), Cell(local(job.due_ms)), moment(job, now_ms)]
    return [*row, *([Cell(cut(_error(job), _ERROR_WIDTH), "red")] if failed else ()), Cell(call(job))]


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
