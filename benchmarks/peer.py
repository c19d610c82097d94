"""The peer that is in the same class, an embedded durable queue in one file: huey's SqliteHuey, if it is installed."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import version
from itertools import cycle
from typing import Any

from .workload import ARGS

try:
    from huey import SqliteHuey
except ImportError:
    SqliteHuey = None


def name() -> str | None:
    """The peer and its version, or None if it is not installed."""
    return None if SqliteHuey is None else f"huey {version('huey')}"


def adder(directory: str, when: cycle[float], **options: Any) -> Callable[[], object] | None:
    """A function that schedules one call; None if the peer is not installed."""
    if SqliteHuey is None:
        return None
    huey = SqliteHuey(filename=os.path.join(directory, "huey.db"), **options)

    @huey.task(name="app.remind")  # type: ignore[untyped-decorator]
    def remind(user_id: int, text: str) -> None:
        """Nothing."""

    return lambda: remind.schedule(ARGS, delay=next(when))
