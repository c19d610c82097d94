"""A storm: 10,000 jobs that fail, and are tried three times more each; how long until the last has given up."""

from __future__ import annotations

import logging
import os
import time

from hourwheel import Scheduler

from . import children
from .floor import Floor
from .harness import Row, Scale, interleave, rate

_WORKERS = 4
_RETRIES = 3


def rows(scale: Scale) -> list[Row]:
    count = scale.size(10_000, 1_000)
    runs = count * (1 + _RETRIES)
    floor = Floor(scale.scratch("retries-floor"))
    parts = {
        "floor": lambda: rate(floor.add_synced, scale.size(3_000, 200)),
        "hourwheel": lambda: float(children.run("retries:storm", f"{scale.scratch('retries')}/tasks.json", count)),
    }
    found = interleave(parts, scale.size(5, 1))
    floor.close()
    return [
        Row(
            what=f"retry storm: {count:,} failing jobs, {_RETRIES} retries each at once, sync, {_WORKERS} workers",
            figure=found["hourwheel"].show(" runs/s"),
            beside=f"floor of one synced add {found['floor'].show('/s')}; {runs:,} runs",
            measure=None,
        )
    ]


def storm(path: str, count: int) -> float:
    """Runs per second until all have failed for good; in a child."""
    logging.disable(logging.CRITICAL)  # 10,000 tracebacks on a terminal are another benchmark
    app = Scheduler(path, workers=_WORKERS)

    @app.task(name="app.fail", autoretry_for=(ValueError,), default_retry_delay=0, max_retries=_RETRIES)
    def fail() -> None:
        raise ValueError("as always")

    with app:
        begun = time.perf_counter()
        app.schedule_many(fail, [((), {})] * count)
        while app.store.stats(int(time.time() * 1000)).failed < count:
            time.sleep(0.02)
        took = time.perf_counter() - begun
    os.unlink(path)
    return count * (1 + _RETRIES) / took
