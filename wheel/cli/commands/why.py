"""``hourwheel why``: what has happened to a job so far, and why it has not run yet."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from ...clock import MAX_MS
from ...contract import find
from ...explain.facts import facts_of
from ...explain.processes import Process
from ...explain.reasons import Facts, reasons
from ...explain.when import from_now, local, utc
from ...job import Job
from ...schedules.stored import DEFINITION
from ...schedules.words import words_of
from ..command import JOB, Command, Context, as_json
from ..console import Cell
from ..describe import call, document, state
from ..outcome import NO, YES
from ..places import known_app, opened


def life(job: Job) -> list[tuple[int | None, str]]:
    """Return what has happened to a job and what is known to come, in order, as (milliseconds since the epoch, text).

    The time is None if it is not stored.

    >>> [what for _, what in life(Job(id="a", task="app.mail", due_ms=90_000, created_ms=1_000))]
    ['accepted into queue default', 'due: slot 90 of cycle 0']
    """
    priority = f", priority {job.priority}" if job.priority else ""
    key = f", key {job.key}" if job.key is not None and job.fire is None else ""
    found: list[tuple[int | None, str]] = [
        (job.created_ms or None, f"accepted into queue {job.queue}{priority}{key}"),
        *_fire(job),
        *_due(job),
        *_attempts(job),
    ]
    if job.cancel_ms is not None:
        found.append((job.cancel_ms, f"asked to stop{_because(job)}"))
    if job.finished_ms is not None:
        found.append((job.finished_ms, _end(job)))
    elif job.expires_ms is not None:
        found.append((job.expires_ms, "expires: ends unrun if it has not started"))
    return _in_order(found)


def _fire(job: Job) -> list[tuple[int | None, str]]:
    if job.fire is None:
        return []
    if job.task == DEFINITION:
        return [(None, f"definition of schedule {job.fire.schedule} ({words_of(job.fire.spec)})")]
    missed = f", in place of {job.fire.missed} more that were missed" if job.fire.missed else ""
    followed = "" if job.fire.followed else "; the next one is added when this one is claimed"
    return [(None, f"fire of schedule {job.fire.schedule} ({words_of(job.fire.spec)}){missed}{followed}")]


def _due(job: Job) -> list[tuple[int | None, str]]:
    if job.after is not None and job.after.left:
        return [(None, f"due when {job.after.left} of {len(job.after.ids)} jobs that it waits for have ended")]
    if job.due_ms >= MAX_MS:
        return []
    again = " again" if job.attempt and not job.finished and job.started_ms is not None else ""
    return [(job.due_ms, f"due{again}: slot {job.slot} of cycle {job.cycle}")]


def _attempts(job: Job) -> list[tuple[int | None, str]]:
    found: list[tuple[int | None, str]] = []
    if job.attempt:
        by = f" by {job.owner}" if job.owner else ""
        found.append((job.started_ms, f"attempt {job.attempt} started{by}"))
    elif job.started_ms is not None:
        found.append((job.started_ms, "claimed and released: that attempt does not count"))
    if job.crashes:
        found.append((None, f"its worker died {job.crashes} of at most {job.max_crashes} times"))
    if job.error is not None and not job.finished:
        found.append((None, f"last error: {job.error.type}: {job.error.message}"))
    if job.note is not None:
        found.append((None, f"progress: {job.note}"))
    if job.reason and not job.finished and job.cancel_ms is None:
        found.append((None, f"postponed: {job.reason}"))
    return found


def _because(job: Job) -> str:
    return f": {job.reason}" if job.reason else ""


def _end(job: Job) -> str:
    error = "" if job.error is None else f": {job.error.type}: {job.error.message}"
    returned = f": {job.returned}" if job.returned is not None else ""
    return f"{job.state}{returned}{error}{_because(job)}"


def _in_order(found: list[tuple[int | None, str]]) -> list[tuple[int | None, str]]:
    """Sort by time; entries without a time stay after their predecessor."""
    keys: list[int] = []
    for at_ms, _ in found:
        keys.append(at_ms if at_ms is not None else keys[-1] if keys else 0)
    return [found[n] for n in sorted(range(len(found)), key=lambda n: (keys[n], n))]


# ---- the command -----------------------------------------------------------------------------------------


@Command(
    name="why",
    summary="show a job's history, and why it has not run yet",
    description="Show everything that has happened to a job, in order, and why it has not run: it is not due, waits "
    "for other jobs, is paused, a limit is used up, or no process takes jobs; with -A, also that the app does not know "
    "its task or that its arguments no longer fit. Exit status 1 if there is no such job.",
    examples=(
        "hourwheel why 019abf2e-6d3c-7d2a-8a3e-2f5c0c7d9b11 --store tasks.json",
        "hourwheel why invoice:42 -A shop.tasks",
    ),
    takes=(*JOB, as_json("the job, its life and the reasons")),
)
def why(args: Namespace, context: Context) -> int:
    now_ms = context.clock.now_ms()
    app = known_app(args, context.environ)
    with opened(args, context.environ) as store:
        job = find(store, args.id)
        facts = None if job is None else facts_of(job, store, app, now_ms)
    if job is None or facts is None:
        context.console.error(f"hourwheel: no job {args.id}: it never existed, or its result_ttl is over")
        return NO
    if args.json:
        context.console.json(_document(job, facts))
    else:
        _show(job, facts, context)
    return YES


def _document(job: Job, facts: Facts) -> dict[str, object]:
    processes = facts.processes
    known = facts.known
    return {
        "job": document(job),
        "life": [{"at_ms": at_ms, "at": utc(at_ms), "what": what} for at_ms, what in life(job)],
        "reasons": reasons(job, facts),
        "task": None if known is None else asdict(known),
        "processes": None if processes is None else [_process(one) for one in processes],
    }


def _process(process: Process) -> dict[str, object]:
    queues = None if process.queues is None else sorted(process.queues)
    return {**asdict(process), "queues": queues}


def _show(job: Job, facts: Facts, context: Context) -> None:
    console = context.console
    console.line(Cell(f"{'id':10}", "dim"), job.id)
    console.line(Cell(f"{'call':10}", "dim"), call(job))
    if facts.known is not None and facts.known.name not in (None, job.task):
        console.line(Cell(f"{'task':10}", "dim"), f"{facts.known.name}; {job.task} is an alias of it")
    console.line(Cell(f"{'state':10}", "dim"), state(job))
    for at_ms, what in life(job):
        when = "" if at_ms is None else f"{local(at_ms, milliseconds=True)} ({from_now(at_ms, facts.now_ms)})"
        console.line(Cell(f"{'':10}"), Cell(f"{when:46}", "dim"), what)
    first, *rest = reasons(job, facts)
    console.prose(Cell(f"{'why':10}", "dim"), first)
    for reason in rest:
        console.prose(Cell(f"{'besides':10}", "dim"), reason)
