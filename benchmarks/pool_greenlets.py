"""1,000 functions that sleep a second, in greenlets, for each library that is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.util import find_spec

from hourwheel import Scheduler
from hourwheel.worker.pool.green import PATCHES

from .harness import Row, Sample, Scale

_WORKERS = 1_000
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def rows(scale: Scale) -> list[Row]:
    return [_row(scale, library) for library in PATCHES if find_spec(library) is not None]


def _row(scale: Scale, library: str) -> Row:
    values = [_in_child(library, f"{scale.scratch(library)}/tasks.json") for _ in range(scale.size(5, 1))]
    return Row(
        what=f"{library} pool: {_WORKERS:,} jobs that sleep 1 s, sync, as many greenlets, all settled",
        figure=Sample(tuple(values)).show(" s", 2),
        beside="floor 1 s",
        measure=Sample(tuple(values)).median,
        unit=" s",
        bound=2.5,
        sense="at most",
    )


def _in_child(library: str, path: str) -> float:
    """In a process that is patched before anything else is imported."""
    code = f"{PATCHES[library]}; from benchmarks.pool_greenlets import naps; print(naps({library!r}, {path!r}))"
    command = [sys.executable, "-W", "ignore", "-c", code]
    return float(subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True).stdout)


def naps(library: str, path: str) -> float:
    """Seconds from the call until all are settled."""
    app = Scheduler(path, pool=library, workers=_WORKERS)

    @app.task(name="app.nap")
    def nap() -> None:
        time.sleep(1)

    with app:
        begun = time.perf_counter()
        app.schedule_many(nap, [((), {})] * _WORKERS)
        while app.store.stats(int(time.time() * 1000)).succeeded < _WORKERS:
            time.sleep(0.01)
        return time.perf_counter() - begun
