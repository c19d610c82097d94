"""``hourwheel schedules``: the periodic schedules of a store and an app, and when they fire next."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from ...contract import Filter, Store, pages
from ...explain.when import local, until, utc
from ...job import Job, State
from ...schedules.entry import Entry
from ...schedules.words import words_of
from ..command import STORE, Command, Context, as_json
from ..console import Cell
from ..outcome import YES
from ..places import known_app, opened


@Command(
    name="schedules",
    summary="list periodic schedules, and when they fire next",
    description="List the schedules of a store by name, and when each fires next. With -A, include schedules of the "
    "app that have no pending fire yet, and mark those that the app does not have.",
    examples=("hourwheel schedules tasks.json", "hourwheel schedules -A shop.tasks:app --json"),
    takes=(*STORE, as_json("the schedules")),
)
def schedules(args: Namespace, context: Context) -> int:
    console, now_ms = context.console, context.clock.now_ms()
    app = known_app(args, context.environ)
    known = {} if app is None else dict(app.fires.entries)
    with opened(args, context.environ) as store:
        rows = _rows(known, _pending(store), store.paused(), app is not None)
    if args.json:
        console.json(rows)
        return YES
    for row in rows:
        at_ms = row["next_ms"]
        when = "no fire is pending" if at_ms is None else f"{local(at_ms)} ({until(at_ms, now_ms)})"
        notes = ", ".join(word for word in ("paused", "unknown to the app") if row[word.split()[0]])
        console.line(
            row["name"], Cell(f"  {row['words']}  ", "dim"), when, Cell(f"  {notes}" if notes else "", "yellow")
        )
    if not rows:
        console.line("no schedules")
    return YES


def _pending(store: Store) -> dict[str, Job]:
    jobs = pages(store, Filter(states=frozenset({State.SCHEDULED, State.RUNNING})))
    return {job.fire.schedule: job for job in jobs if job.fire is not None and not job.fire.followed}


def _rows(known: dict[str, Entry], pending: dict[str, Job], paused: list[str], asked: bool) -> list[dict[str, Any]]:
    rows = []
    for name in sorted({*known, *pending}):
        entry, job = known.get(name), pending.get(name)
        spec = entry.schedule.spec if entry is not None else job.fire.spec if job is not None and job.fire else ""
        next_ms = None if job is None else job.due_ms
        rows.append(
            {
                "name": name,
                "spec": spec,
                "words": words_of(spec),
                "task": entry.task if entry is not None else job.task if job is not None else "",
                "next_ms": next_ms,
                "next": utc(next_ms),
                "paused": f"schedule:{name}" in paused,
                "unknown": asked and entry is None,
            }
        )
    return rows
