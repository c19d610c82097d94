"""delay(), durability sync: one thread against the floor and against huey's default; eight threads against one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from . import peer
from .floor import Floor
from .harness import Row, Scale, interleave, rate, ratio
from .workload import ARGS, countdowns, scheduler

_THREADS = 8


def rows(scale: Scale) -> list[Row]:
    directory = scale.scratch("sync")
    app, remind = scheduler(f"{directory}/tasks.json")
    floor, when = Floor(directory), countdowns()
    most = scale.size(3_000, 200)

    def add() -> None:
        remind.delay(*ARGS, countdown=next(when))

    parts = {
        "floor": lambda: rate(floor.add_synced, most),
        "hourwheel": lambda: rate(add, most),
        "threads": lambda: rate_of_threads(add, most),
    }
    huey = peer.adder(directory, when)
    if huey is not None:
        parts["huey"] = lambda: rate(huey, most)
    found = interleave(parts, scale.size(11, 3))
    app.close()
    floor.close()
    one, many, low = found["hourwheel"], found["threads"], found["floor"]
    what, figure, beside = "`delay()`, sync, one thread", one.show("/s"), f"floor {low.show('/s')}"
    share = ratio(one, low).median
    result = [Row(what=what, figure=figure, beside=beside, measure=share, unit=" of the floor", bound=0.7)]
    if "huey" in found:
        share = ratio(one, found["huey"]).median
        beside = f"{peer.name()}, default: {found['huey'].show('/s')}"
        result.append(Row(what=what, figure=figure, beside=beside, measure=share, unit=" of the peer", bound=1))
    what, beside = f"`delay()`, sync, {_THREADS} threads together", f"one thread {figure}"
    share = ratio(many, one).median
    result.append(Row(what=what, figure=many.show("/s"), beside=beside, measure=share, unit=" of one thread", bound=4))
    return result


def rate_of_threads(work: Callable[[], object], times: int) -> float:
    """Calls per second of all threads together, each making ``times`` calls."""
    begin = threading.Barrier(_THREADS + 1)

    def run() -> None:
        begin.wait()
        for _ in range(times):
            work()

    threads = [threading.Thread(target=run) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    begin.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    return _THREADS * times / (time.perf_counter() - begun)
