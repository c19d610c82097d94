"""Resident memory per pending job: in a fresh scheduler process, and in the process that added them."""

from __future__ import annotations

import heapq
import os
import time

from hourwheel import Scheduler

from . import children
from .harness import Row, Scale, interleave
from .workload import ARGS, copy, countdowns, killed, pending


def rows(scale: Scale) -> list[Row]:
    count, watched_s = scale.size(1_000_000, 20_000), scale.size(3, 1)
    path, held = pending(scale, count)
    full = copy(path, scale.scratch("memory"))
    journal = copy(killed(scale, count), scale.scratch("memory-killed"))
    empty = os.path.join(scale.scratch("memory-empty"), "tasks.json")
    parts = {
        "empty": lambda: float(children.run("memory:hold", empty, watched_s)),
        "full": lambda: float(children.run("memory:hold", full, watched_s)),
        "heap": lambda: float(children.run("memory:heap", count)),
    }
    found = interleave(parts, scale.size(3, 1))
    raw = children.run("memory:hold", journal, watched_s)
    each = (found["full"].median - found["empty"].median) / count
    adder = (held["after"] - held["before"]) / count
    left = (held["compacted"] - held["before"]) / count
    beside = f"heapq of (due, id, name, args) {found['heap'].median / count:,.0f} B"
    what, once = f"memory per pending job, {count:,} pending", f"once compacted {left:,.0f} B"
    return [
        Row(
            what=f"{what}, scheduler process", figure=f"{each:,.0f} B", beside=beside,
            measure=each, digits=0, unit=" B", bound=150, sense="at most",
        ),
        Row(what=f"{what}, scheduler process that opened a journal never compacted",
            figure=f"{(raw - found['empty'].median) / count:,.0f} B", beside=beside),
        Row(what=f"{what}, the process that added them in bulk", figure=f"{adder:,.0f} B", beside=once),
    ]  # fmt: skip


def hold(path: str, watched_s: int) -> int:
    """Resident bytes of a scheduler that has run for some ticks; in a child."""
    app = Scheduler(path)
    with app:
        time.sleep(watched_s)
        return children.rss()


def heap(count: int) -> int:
    """Resident bytes of as many entries of a heap; in a child."""
    before = children.rss()
    when = countdowns()
    entries = [(time.time() + next(when), os.urandom(16).hex(), "app.remind", list(ARGS)) for _ in range(count)]
    heapq.heapify(entries)
    return children.rss() - before
