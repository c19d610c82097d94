"""How long the longest delay() takes while the store is compacted, a million jobs pending."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from hourwheel import Scheduler, Task

from . import children
from .harness import Row, Sample, Scale
from .workload import ARGS, CALL, copy, countdowns, pending, scheduler

_GROW = 500


def rows(scale: Scale) -> list[Row]:
    count = scale.size(1_000_000, 20_000)
    result = []
    for durability in ("os", "sync"):
        for way in ("by itself", "by compact()"):
            runs = []
            for _ in range(scale.size(3, 1)):
                path = copy(pending(scale, count)[0], scale.scratch("compaction"))
                runs.append(children.run("compaction:longest", path, durability, way))
            result.append(_row(f"longest `delay()` during a compaction of {count:,} jobs {way}, {durability}", runs))
    return result


def _row(what: str, runs: list[dict[str, dict[str, float]]]) -> Row:
    during, without = (Sample(tuple(run[side]["longest"] for run in runs)) for side in ("during", "without"))
    took = Sample(tuple(run["during"]["took"] for run in runs))
    calls = Sample(tuple(run["during"]["calls"] for run in runs))
    beside = f"as long without {without.show(' ms', 1)}; it took {took.median:.1f} s ({calls.median:,.0f} calls)"
    return Row(
        what=what, figure=during.show(" ms", 1), beside=beside,
        measure=during.median, digits=1, unit=" ms", bound=100, sense="at most",
    )  # fmt: skip


# ---- in a child ------------------------------------------------------------------------------------------


def longest(path: str, durability: str, way: str) -> dict[str, dict[str, float]]:
    """Calls made one after the other, during a compaction and for as long after it: the longest in ms, and how many."""
    app, remind = scheduler(path, durability=durability)
    app.store.next_due()
    during = watch(remind, _begin(app, remind, path, way))
    ended = time.monotonic() + during["took"]
    without = watch(remind, lambda: time.monotonic() < ended)
    app.close()
    return {"during": during, "without": without}


def _begin(app: Scheduler, remind: Task[..., None], path: str, way: str) -> Callable[[], bool]:
    """Have a compaction begin; the function that tells whether it goes on."""
    if way == "by compact()":
        thread = threading.Thread(target=app.store.compact)  # type: ignore[attr-defined]
        thread.start()
        return thread.is_alive
    when = countdowns()
    while not os.path.exists(f"{path}.next"):  # the file that a compaction writes, and renames when it is done
        app.schedule_many(remind, [CALL] * _GROW, countdown=next(when))
    return lambda: os.path.exists(f"{path}.next")


def watch(remind: Task[..., Any], going: Callable[[], bool]) -> dict[str, float]:
    """Calls made one after the other while something goes on: the longest in ms, how many, and in how many seconds."""
    when = countdowns()
    longest, calls, begun = 0.0, 0, time.perf_counter()
    while going():
        called = time.perf_counter()
        remind.delay(*ARGS, countdown=next(when))
        longest = max(longest, time.perf_counter() - called)
        calls += 1
    return {"longest": longest * 1000, "calls": calls, "took": time.perf_counter() - begun}
