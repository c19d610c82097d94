"""Opening a store of a million jobs, against parsing the same bytes line by line."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Callable

import simplejson
from hourwheel.store import open_store

from . import children
from .compaction import watch
from .harness import Row, Sample, Scale, interleave, ratio
from .workload import copy, killed, pending, scheduler

_FRAME = 16


def rows(scale: Scale) -> list[Row]:
    count, rounds = scale.size(1_000_000, 20_000), scale.size(5, 2)
    compacted = copy(pending(scale, count)[0], scale.scratch("open"))
    bare = copy(pending(scale, count)[0], scale.scratch("open-bare"))
    journal = copy(killed(scale, count), scale.scratch("open-killed"))
    result = []
    for what, path, bound in (
        (f"open, {count:,} jobs", compacted, 0.4),
        (f"open, {count:,} jobs, its index deleted", bare, None),
        (f"open, {count:,} jobs, killed before any compaction", journal, None),
    ):
        found = interleave({"open": _opening(path), "parse": _parsing(path)}, rounds)
        result.append(
            Row(
                what=what,
                figure=found["open"].show(" s", 2),
                beside=f"simplejson.loads line by line {found['parse'].show(' s', 2)}",
                measure=ratio(found["open"], found["parse"]).median,
                unit=" of that",
                bound=bound,
                sense="at most",
            )
        )
    return [*result, _beside(scale)]


def _beside(scale: Scale) -> Row:
    count = scale.size(100_000, 5_000)
    runs = [
        children.run("opening:longest_beside", copy(killed(scale, count), scale.scratch("open-beside")))
        for _ in range(scale.size(3, 1))
    ]
    during, without = (Sample(tuple(run[side]["longest"] for run in runs)) for side in ("during", "without"))
    return Row(
        what=f"longest `delay()` while another process opens the store, {count:,} jobs in its journal, os",
        figure=during.show(" ms", 1),
        beside=f"as long without {without.show(' ms', 1)}",
        measure=during.median,
        digits=1,
        unit=" ms",
        bound=100,
        sense="at most",
    )


def _opening(path: str) -> Callable[[], float]:
    def measure() -> float:
        if "bare" in path:
            for index in glob.glob(f"{path}.index.*"):
                os.unlink(index)
        return float(children.run("opening:open_and_look", path))

    return measure


def _parsing(path: str) -> Callable[[], float]:
    return lambda: float(children.run("opening:parse", path))


def open_and_look(path: str) -> float:
    """Seconds until the store says what is due next; in a child."""
    begun = time.perf_counter()
    store = open_store(path, durability="os")
    due_ms = store.next_due()
    took = time.perf_counter() - begun
    assert due_ms is not None
    print(took, flush=True)
    os._exit(0)  # no close(): nothing is to change the file between two measurements


def parse(path: str) -> float:
    """Seconds to parse every job's line of the store; in a child."""
    data = [line for file in (path, *glob.glob(f"{path}.journal.*")) for line in _lines(file)]
    begun = time.perf_counter()
    for line in data:
        simplejson.loads(line)
    return time.perf_counter() - begun


def _lines(path: str) -> list[bytes]:
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    if ".journal." in path:
        return [line[_FRAME:] for line in lines if line]
    return [line.rstrip(b",") for line in lines if line.startswith(b'{"id":')]


def longest_beside(path: str) -> dict[str, dict[str, float]]:
    """Calls made while another process starts and opens the store, and for as long afterwards; see ``watch``."""
    app, remind = scheduler(path, durability="os")
    app.store.next_due()
    other = children.begin("opening:open_and_look", path)
    during = watch(remind, lambda: other.poll() is None)
    children.finish(other)
    ended = time.monotonic() + during["took"]
    without = watch(remind, lambda: time.monotonic() < ended)
    app.close()
    return {"during": during, "without": without}
