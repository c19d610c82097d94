"""``hourwheel schedules``: the periodic schedules of a store and an app, and when they fire next."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any, Final

from ...contract import Filter, Store, pages
from ...explain.when import local, until, utc
from ...job import Job, State
from ...schedules.entry import Entry
from ...schedules.stored import DEFINITION
from ...schedules.words import words_of
from ..command import STORE, Command, Context, as_json
from ..console import Cell
from ..outcome import YES
from ..places import known_app, opened

if TYPE_CHECKING:
    from ...scheduler.scheduler import Scheduler

_UNFINISHED: Final = Filter(states=frozenset({State.SCHEDULED, State.RUNNING}))


@Command(
    name="schedules",
    summary="list periodic schedules, and when they fire next",
    description="List the schedules of a store by name, and when each fires next. With -A, include schedules of the "
    "app that have no pending fire yet, and mark those that the app does not have, or whose task it does not have.",
    examples=("hourwheel schedules tasks.json", "hourwheel schedules -A shop.tasks:app --json"),
    takes=(*STORE, as_json("the schedules")),
)
def schedules(args: Namespace, context: Context) -> int:
    console, now_ms = context.console, context.clock.now_ms()
    app = known_app(args, context.environ)
    known = {} if app is None else dict(app.fires.entries)
    with opened(args, context.environ) as store:
        rows = _rows(known, store, app)
    if args.json:
        console.json(rows)
        return YES
    for row in rows:
        at_ms = row["next_ms"]
        when = "no fire is pending" if at_ms is None else f"{local(at_ms)} ({until(at_ms, now_ms)})"
        marks = ("stored", "paused", "unknown to the app", "unregistered: the app does not have its task")
        notes = ", ".join(mark for mark in marks if row[mark.split()[0].rstrip(":")])
        console.line(
            row["name"], Cell(f"  {row['words']}  ", "dim"), when, Cell(f"  {notes}" if notes else "", "yellow")
        )
    if not rows:
        console.line("no schedules")
    return YES


def _rows(known: dict[str, Entry], store: Store, app: Scheduler | None) -> list[dict[str, Any]]:
    jobs = [job for job in pages(store, _UNFINISHED) if job.fire is not None and not job.fire.followed]
    fires = {job.fire.schedule: job for job in jobs if job.fire is not None and job.task != DEFINITION}
    stored = {job.fire.schedule: job for job in jobs if job.fire is not None and job.task == DEFINITION}
    paused = store.paused()
    rows = []
    for name in sorted({*known, *fires, *stored}):
        spec, task = _said(known.get(name), fires.get(name), stored.get(name))
        next_ms = fires[name].due_ms if name in fires else None
        rows.append(
            {
                "name": name,
                "spec": spec,
                "words": words_of(spec),
                "task": task,
                "next_ms": next_ms,
                "next": utc(next_ms),
                "stored": name in stored,
                "paused": f"schedule:{name}" in paused,
                "unknown": app is not None and name not in known and name not in stored,
                "unregistered": app is not None and name in stored and task not in app.registry,
            }
        )
    return rows


def _said(entry: Entry | None, fire: Job | None, definition: Job | None) -> tuple[str, str]:
    """A schedule's description and its task, by the first that knows: the store's definition, the app, the fire."""
    if definition is not None and definition.fire is not None:
        return definition.fire.spec, str(definition.kwargs.get("task", ""))
    if entry is not None:
        return entry.schedule.spec, entry.task
    return (fire.fire.spec, fire.task) if fire is not None and fire.fire is not None else ("", "")
