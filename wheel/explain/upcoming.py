"""The future fires of an app's schedules, as the jobs that they will become."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from ..job import Job
from ..schedules.entry import upcoming as instants

if TYPE_CHECKING:
    from .known import App

MOST: Final = 10_000
"""The most fires of one schedule: a quarter of an hour of the shortest interval, 0.1 s."""


def upcoming(app: App | None, from_ms: int, until_ms: int) -> tuple[list[Job], list[str]]:
    """Return the fires after ``from_ms`` and before ``until_ms``, by time, and the names of schedules that have more.

    The next fire of a schedule is usually in the store already, with the same id.

    Args:
        app: the scheduler; None gives no fires.
        from_ms: in milliseconds since the epoch.
        until_ms: in milliseconds since the epoch.
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
