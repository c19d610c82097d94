"""Upcoming: the fires of an app's schedules that are not jobs yet, as the jobs that they will be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..job import Job

if TYPE_CHECKING:
    from ..scheduler import Scheduler


def upcoming(app: Scheduler | None, from_ms: int, until_ms: int) -> list[Job]:  # noqa: ARG001 - the seam for schedules
    """The fires from one instant to another, the second excluded, by time; none without an app.

    Args:
        app: whose schedules are asked.
        from_ms: milliseconds since the epoch.
        until_ms: likewise.
    """
    return []
