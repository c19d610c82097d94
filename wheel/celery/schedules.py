"""Schedules: Celery's ``crontab`` and ``schedule``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..errors import InvalidValue
from ..schedules.when import crontab, every

__all__ = ["crontab", "maybe_schedule", "schedule", "solar"]


def schedule(run_every: float | timedelta | None = None, relative: bool = False, **_: Any) -> every:
    """Every so many seconds.

    Args:
        run_every: seconds or a timedelta.
        relative: fires are at whole multiples of the interval here, whatever this says.
    """
    return every(run_every or 0)


def solar(*_: Any, **__: Any) -> Any:
    """Refused: times of sunrise are computed by a library of yours."""
    raise InvalidValue(
        "solar schedules are not there: let a daily task compute the time (the astral package does), and call the task "
        "with eta="
    )


def maybe_schedule(s: Any, relative: bool = False, app: Any = None) -> Any:
    """A schedule, of a number of seconds or a timedelta."""
    return schedule(s) if isinstance(s, (int, float, timedelta)) else s
