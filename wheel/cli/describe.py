"""Describe a job, as text for people and as a JSON document for programs."""

from __future__ import annotations

from typing import Any, Final

from ..contract import Stats
from ..errors import PayloadError
from ..explain.when import from_now, local, shortened, since, span, until, utc
from ..job import Job, State
from ..tasks.options.limit import in_words
from .console import Cell

COLOURS: Final = {
    State.SCHEDULED: "",
    State.RUNNING: "cyan",
    State.SUCCEEDED: "green",
    State.FAILED: "red",
    State.CANCELLED: "dim",
    State.EXPIRED: "dim",
}
_LONGEST_CALL: Final = 200
_DECODED: Final = ("payload", "returned", "note")
"""Fields that are JSON text: a document has what they contain."""


def call(job: Job) -> str:
    """Format the job's call, such as ``app.remind(1, text='x')``."""
    try:
        args, kwargs = job.args, job.kwargs
    except PayloadError:
        return f"{job.task}({job.payload[:_LONGEST_CALL]})"
    parts = [repr(arg) for arg in args] + [f"{name}={value!r}" for name, value in kwargs.items()]
    return shortened(f"{job.task}({', '.join(parts)})", _LONGEST_CALL)


def state(job: Job) -> Cell:
    """The job's state, in its colour."""
    return Cell(str(job.state), COLOURS[job.state])


def moment(job: Job, now_ms: int) -> Cell:
    """When the job is due, for how long it has been running, or when it ended, depending on its state."""
    if job.state is State.SCHEDULED:
        return Cell(until(job.due_ms, now_ms), "" if job.due_ms > now_ms else "yellow")
    if job.state is State.RUNNING and job.started_ms is not None:
        note = f", {progress(job)}" if job.note is not None else ""
        return Cell(f"for {span(max(0, now_ms - job.started_ms))}{note}", "cyan")
    return Cell("" if job.finished_ms is None else since(job.finished_ms, now_ms), "dim")


def progress(job: Job) -> str:
    """The progress that the function reported with update_state(), as short text.

    >>> progress(Job(id="a", task="t", due_ms=0, note='{"done":2,"of":10}'))
    'done 2, of 10'
    """
    try:
        note = job.progress
    except PayloadError:
        return job.note or ""
    if isinstance(note, dict) and set(note) == {"state", "meta"}:
        note = note["meta"] if note["meta"] is not None else note["state"]
    text = ", ".join(f"{name} {value}" for name, value in note.items()) if isinstance(note, dict) else str(note)
    return shortened(text, 60)


def lines(job: Job, now_ms: int) -> list[tuple[str, str]]:
    """Everything about a job, as lines of (name, text); empty ones are left out."""
    due = until if job.state is State.SCHEDULED else from_now
    found = [
        ("id", job.id),
        ("call", call(job)),
        ("state", str(job.state)),
        ("due", f"{local(job.due_ms, milliseconds=True)} ({due(job.due_ms, now_ms)})"),
        ("place", f"slot {job.slot} of cycle {job.cycle}"),
        ("queue", job.queue),
        ("priority", str(job.priority) if job.priority else ""),
        ("key", job.key or ""),
        ("schedule", "" if job.fire is None else f"{job.fire.schedule}, the fire of {local(job.fire.at_ms)}"),
        ("limits", ", ".join(f"{bound.name}: {in_words(bound)}" for bound in job.limits)),
        ("created", _when(job.created_ms or None, now_ms)),
        ("expires", "" if job.expires_ms is None else f"{local(job.expires_ms)} ({from_now(job.expires_ms, now_ms)})"),
        ("attempt", str(job.attempt) if job.attempt else ""),
        ("crashes", f"{job.crashes} of at most {job.max_crashes}" if job.crashes else ""),
        ("owner", job.owner or ""),
        ("started", _when(job.started_ms, now_ms)),
        ("progress", progress(job) if job.note is not None else ""),
        ("finished", _when(job.finished_ms, now_ms)),
        ("result", job.returned or ""),
        ("reason", job.reason or ""),
        ("error", job.error.words if job.error else ""),
    ]
    return [(name, text) for name, text in found if text]


def _when(ms: int | None, now_ms: int) -> str:
    return "" if ms is None else f"{local(ms, milliseconds=True)} ({since(ms, now_ms)})"


def document(job: Job) -> dict[str, Any]:
    """The job as a JSON document. Times are milliseconds since the epoch; ``due`` is due_ms in ISO 8601."""
    found: dict[str, Any] = {name: getattr(job, name) for name in Job._fields if name not in _DECODED}
    found |= {"state": str(job.state), "due": utc(job.due_ms), "slot": job.slot, "cycle": job.cycle}
    found |= {"retries": job.retries, "since_ms": job.since_ms}
    try:
        found |= {"args": list(job.args), "kwargs": job.kwargs, "result": job.result, "progress": job.progress}
    except PayloadError as error:
        raw = {"payload": job.payload, "returned": job.returned, "note": job.note}
        found |= {"args": None, "kwargs": None, "result": None, "progress": None, "unreadable": str(error), **raw}
    found["limits"] = [bound._asdict() for bound in job.limits]
    for name in ("fire", "after", "error"):
        part = getattr(job, name)
        found[name] = None if part is None else part._asdict()
    return found


def ledger(stats: Stats) -> str:
    """The sum of jobs by state, which must always equal the number of accepted ones."""
    finished = stats.succeeded + stats.failed + stats.cancelled + stats.expired
    return f"accepted {stats.accepted} = scheduled {stats.scheduled} + running {stats.running} + finished {finished}"
