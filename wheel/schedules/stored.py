"""Stored schedules: schedules that are data in the store, beside those of the code.

A stored schedule is two jobs. Its *definition* is a job of the task ``hourwheel.schedule`` that is never due (as a job
that waits for others: at the end of the year 9999), with the key ``stored:<name>``; its keyword arguments describe the
schedule and the call, as an item of ``beat_schedule`` does. Its *next fire* is a job like that of any schedule. A
worker that claims the fire reads the definition, and so knows what follows and what to call. So a stored schedule is
seen by all processes at once, and is as durable as a job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any, Final

from ..clock import MAX_MS
from ..contract import Filter, Store
from ..errors import HourwheelError, InvalidValue
from ..ids import new_id
from ..job import Fire, Job, State
from ..payload import encode_call
from ..tasks.registry import Registry
from .beat import beat_entry
from .entry import LOG, Entry
from .reading import schedule_of

DEFINITION: Final = "hourwheel.schedule"
"""The task of definitions. Nobody runs it."""
VERSION: Final = 1
_KEY: Final = "stored:"
_UNFINISHED: Final = frozenset({State.SCHEDULED, State.RUNNING})


def definition_of(entry: Entry, item: Mapping[str, Any], now_ms: int) -> Job:
    """Return the definition of an entry as a job.

    Args:
        entry: the entry, with its schedule in a time zone.
        item: task, args, kwargs, options and the rest, without the schedule, as an item of ``beat_schedule``.
        now_ms: the current time.

    Raises:
        InvalidValue: the schedule is of a class of the user's own, which cannot be stored.
        PayloadError: the item holds what JSON cannot.
    """
    spec = entry.schedule.spec
    try:
        schedule_of(spec)
    except InvalidValue:
        rule = "hourwheel's every(...) or crontab(...): other schedules are code and cannot be stored"
        raise InvalidValue.of("schedule", rule, entry.said) from None
    return Job(
        id=new_id(now_ms),
        task=DEFINITION,
        due_ms=MAX_MS,
        created_ms=now_ms,
        key=f"{_KEY}{entry.name}",
        payload=encode_call((), {"version": VERSION, "schedule": spec, **item}),
        fire=Fire(entry.name, MAX_MS, spec, stored=True),
    )


def item_of(definition: Job) -> dict[str, Any]:
    """Return what a definition says: the item that it was made of, and the schedule.

    Raises:
        InvalidValue: it was written by a later version, or by hand and wrongly.
    """
    item = definition.kwargs
    version = item.pop("version", None)
    if version != VERSION:
        raise InvalidValue.of("version", f"{VERSION}, the only one that this version of Hourwheel can read", version)
    return item | {"schedule": schedule_of(item.get("schedule"))}


def entry_of(definition: Job) -> Entry:
    """Return the entry that a definition describes. Its task's own options are applied later; see Entry.told_by.

    Raises:
        InvalidValue: it cannot be read.
    """
    assert definition.fire is not None
    return stored_entry(beat_entry(definition.fire.schedule, item_of(definition), Registry(), UTC, "stored schedule"))


def find_definition(store: Store, name: str) -> Job | None:
    """Return the definition of a stored schedule; None if there is none of that name."""
    return next(iter(store.scan(Filter(key=f"{_KEY}{name}", states=_UNFINISHED), 1)), None)


def definitions(store: Store) -> list[Job]:
    """Return all definitions, by name."""
    found = store.scan(Filter(task=DEFINITION, states=_UNFINISHED, due_from_ms=MAX_MS))
    return sorted((job for job in found if job.fire is not None), key=lambda job: job.fire.schedule if job.fire else "")


def stored_entries(store: Store) -> list[Entry]:
    """Return the entries of all definitions, by name; those that cannot be read are logged and left out."""
    found = []
    for definition in definitions(store):
        try:
            found.append(entry_of(definition))
        except (HourwheelError, TypeError) as error:
            LOG.error("A stored schedule does not fire, because it cannot be read: %s", error)
    return found


def stored_entry(entry: Entry) -> Entry:
    """Return an entry as one whose schedule is defined in the store."""
    return replace(entry, stored=True)
