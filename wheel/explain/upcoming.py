"""Upcoming: the fires of an app's schedules that are not jobs yet, as the jobs that they will be."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from ..job import Job
from ..schedules.entry import upcoming as instants

if TYPE_CHECKING:
    from .known import App

MOST: Final = 10_000
"""Of one schedule; one that fires ten times a second does so for a quarter of an hour."""


def upcoming(app: App | None, from_ms: int, until_ms: int) -> tuple[list[Job], list[str]]:
    """(the fires after one instant and before another, by time; the schedules that have more); none without an app.

    The next fire of each schedule is in the store already, as a rule: it has the id that it has here.

    Args:
        app: whose schedules are asked.
        from_ms: milliseconds since the epoch.
        until_ms: likewise.
    """
    found: list[Job] = []
    cut: list[str] = []
    if app is None:
        return found, cut
    for name, entry in app.fires.entries.items():
        fires = list(islice(instants(entry, from_ms, until_ms - 1), MOST + 1))
        if len(fires) > MOST:
            cut.append(name)
        found += [entry.fire(at_ms, from_ms, app) for at_ms in fires[:MOST]]
    return sorted(found, key=lambda job: (job.due_ms, job.id)), cut
