"""What a scheduler costs while nothing is due."""

from __future__ import annotations

import resource
import time

from hourwheel import Scheduler
from hourwheel.store.file.system.watch import POLL_S

from . import children
from .harness import Row, Scale, interleave
from .workload import copy, pending


def rows(scale: Scale) -> list[Row]:
    count, watched_s = scale.size(100_000, 5_000), scale.size(25, 2)
    path = copy(pending(scale, count)[0], scale.scratch("idle"))
    parts = {
        "hourwheel": lambda: float(children.run("idle:watch", path, watched_s)),
        "bare": lambda: float(children.run("idle:sleep", watched_s, 1.0)),
        "poll": lambda: float(children.run("idle:sleep", watched_s, POLL_S)),
    }
    found = interleave(parts, scale.size(3, 1))
    return [
        Row(
            what=f"idle CPU, {count:,} jobs pending, over {watched_s} s",
            figure=found["hourwheel"].show(" % of a core", 3),
            beside=f"a thread that wakes each second {found['bare'].show(' %', 3)}, "
            f"one that wakes each {POLL_S * 1000:g} ms as a scheduler does where the kernel does not ring "
            f"{found['poll'].show(' %', 3)}",
            measure=found["hourwheel"].median,
            unit=" %",
            bound=0.3,
            sense="at most",
        )
    ]


def watch(path: str, watched_s: int) -> float:
    """Per cent of a core that a scheduler process takes; in a child."""
    with Scheduler(path):
        time.sleep(2.0)
        return _share(1, watched_s)


def sleep(watched_s: int, each_s: float) -> float:
    """The floor: a process that does nothing but wake; in a child."""
    time.sleep(1.0)
    return _share(round(watched_s / each_s), each_s)


def _share(times: int, seconds: float) -> float:
    begun, used = time.monotonic(), _cpu_s()
    for _ in range(times):
        time.sleep(seconds)
    return 100 * (_cpu_s() - used) / (time.monotonic() - begun)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
