"""10,000 jobs due at one instant: how long until all have run and all results are on the disk."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

from hourwheel import Scheduler

from . import children
from .floor import Floor
from .harness import Row, Sample, Scale, interleave, rate

_WORKERS = 4
_AHEAD_S = 1.0


def rows(scale: Scale) -> list[Row]:
    count = scale.size(10_000, 1_000)
    floor = Floor(scale.scratch("burst-floor"))
    parts = {
        "floor": lambda: rate(floor.add_synced, scale.size(3_000, 200)),
        "hourwheel": lambda: _burst(scale, count, firsts),
    }
    firsts: list[float] = []
    found = interleave(parts, scale.size(7, 2))
    floor.close()
    first = Sample(tuple(firsts))
    return [
        Row(
            what=f"burst: {count:,} jobs due at one instant, sync, {_WORKERS} workers, all settled",
            figure=found["hourwheel"].show(" jobs/s"),
            beside=f"floor of one synced add {found['floor'].show('/s')}",
            measure=found["hourwheel"].median,
            digits=0,
            unit=" jobs/s",
            bound=10_000,
        ),
        Row(
            what=f"the same: start of the first of {count:,} jobs, after they are due",
            figure=first.show(" ms", 1),
            beside="the ticker sleeps until then",
            measure=first.median,
            unit=" ms",
            bound=4,
            sense="at most",
        ),
    ]


def _burst(scale: Scale, count: int, firsts: list[float]) -> float:
    jobs_per_s, first_ms = children.run("burst:burst", f"{scale.scratch('burst')}/tasks.json", count)
    firsts.append(first_ms)
    return float(jobs_per_s)


def burst(path: str, count: int) -> tuple[float, float]:
    """(Jobs per second from the instant at which all are due until all are settled, milliseconds from there until the
    first of them starts); in a child.
    """
    app = Scheduler(path, workers=_WORKERS)
    ran: list[float] = []

    @app.task(name="app.nothing")
    def nothing() -> None:
        ran.append(time.time())

    with app:
        due = time.time() + _AHEAD_S
        app.schedule_many(nothing, [((), {})] * count, eta=datetime.fromtimestamp(due, UTC))
        while len(ran) < count:  # the store is asked only when hardly anything is left, lest asking slow it down
            time.sleep(0.002)
        while app.store.stats(int(time.time() * 1000)).succeeded < count:
            time.sleep(0.001)
        took = time.time() - due
    os.unlink(path)
    return count / took, (ran[0] - due) * 1000
