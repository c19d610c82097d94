"""Short calls in two worker processes, beside the same in concurrent.futures' process pool, which stores nothing."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from hourwheel import Scheduler

from . import children
from .harness import Row, Scale, interleave, ratio

_WORKERS = 2
app = Scheduler("tasks.json", pool="processes", workers=_WORKERS)


@app.task(name="app.add")
def add(one: int, other: int) -> int:
    return one + other


def plain(one: int, other: int) -> int:
    return one + other


def rows(scale: Scale) -> list[Row]:
    count = scale.size(10_000, 1_000)
    parts = {
        "hourwheel": lambda: float(
            children.run("pool_processes:stored", f"{scale.scratch('children')}/tasks.json", count)
        ),
        "executor": lambda: float(children.run("pool_processes:executor", count)),
    }
    found = interleave(parts, scale.size(5, 1))
    share = ratio(found["hourwheel"], found["executor"])
    return [
        Row(
            what=f"process pool: {count:,} calls of a function that adds, sync, {_WORKERS} processes, all settled",
            figure=found["hourwheel"].show(" jobs/s"),
            beside=f"ProcessPoolExecutor, submit and result, nothing stored {found['executor'].show(' calls/s')}",
            measure=share.median,
            unit=" of the executor's",
        )
    ]


def stored(path: str, count: int) -> float:
    """Jobs per second until all are settled; in a child."""
    app.conf.store = path  # the worker processes import this module, too, and must not need the path
    with app:
        for result in [add.delay(number, 1) for number in range(8)]:
            result.get(timeout=60)
        begun = time.perf_counter()
        app.schedule_many(add, [((number, 1), {}) for number in range(count)])
        while app.store.stats(int(time.time() * 1000)).succeeded < count + 8:
            time.sleep(0.002)
        return count / (time.perf_counter() - begun)


def executor(count: int) -> float:
    """Calls per second; in a child."""
    with ProcessPoolExecutor(_WORKERS, mp_context=get_context("spawn")) as pool:
        for future in [pool.submit(plain, number, 1) for number in range(8)]:
            future.result()
        begun = time.perf_counter()
        for future in [pool.submit(plain, number, 1) for number in range(count)]:
            future.result()
        return count / (time.perf_counter() - begun)
