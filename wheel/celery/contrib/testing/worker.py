"""A worker in the process of a test: ``with start_worker(app): ...``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...app import Celery


@contextmanager
def start_worker(app: Celery, concurrency: int = 1, pool: str = "solo", **_: Any) -> Iterator[Celery]:
    """Run the jobs of an app in this process for the length of a ``with`` block.

    Args:
        app: the app.
        concurrency: how many jobs run at once.
        pool: ignored: jobs run in threads, which is what Celery's helper does with its solo worker. As there, a hard
            time limit is not kept.
    """
    before = {name: app.conf[name] for name in ("workers", "time_limit")}
    app.conf.update(workers=concurrency, time_limit=None)
    try:
        with app:
            yield app
    finally:
        app.conf.update(before)
