"""The load: ten times as much due in each second as the workers can do."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

from hourwheel import Scheduler, current_job
from hourwheel.job import Job
from hourwheel.store import JsonStore

from ..processes import append_line

WORKERS = 2
JOB_S = 0.02
RATE = 10 * round(WORKERS / JOB_S)
"""Due in each second."""
URGENT_IN = 50
"""One job in so many has a higher priority."""
_FIRST = "0"
_SECOND = "1"


@dataclass(slots=True)
class Runs:
    """What was started, in order, while the overload lasts; how often each, to the end."""

    overloaded: bool = True
    order: list[tuple[int, int, str, float]] = field(default_factory=list)
    """(priority, due_ms, task, late by seconds)."""
    times: dict[str, int] = field(default_factory=dict)


def make_app(path: str, runs: Runs) -> Scheduler:
    """Two tasks that take 20 ms while the overload lasts, and no time afterwards."""
    app = Scheduler(JsonStore(path), workers=WORKERS, result_ttl=0)

    def work(customer: str, number: int) -> None:
        job = current_job()
        assert job is not None
        runs.times[job.id] = runs.times.get(job.id, 0) + 1
        if runs.overloaded:
            late_s = time.time() - job.due_ms / 1000
            runs.order.append((job.priority, job.due_ms, job.task, late_s))
            time.sleep(JOB_S)

    app.task(name=_FIRST)(work)
    app.task(name=_SECOND)(work)
    return app


def preload(app: Scheduler, seconds: float, rate: float) -> int:
    """Add jobs that come due evenly over so many seconds; how many."""
    count = int(seconds * rate)
    start = app.clock.now_ms() + 300
    jobs = [_job(n, start + round(n * 1000 / rate), "preloaded") for n in range(count)]
    for first in range(0, count, 5_000):
        app.store.add(jobs[first : first + 5_000], 0, fresh=True)
    return count


def _job(n: int, due_ms: int, kind: str) -> Job:
    return Job(
        id=f"{kind}-{n:07}",
        task=_SECOND if n % 2 else _FIRST,
        due_ms=due_ms,
        created_ms=due_ms,
        priority=5 if n % URGENT_IN == 0 else 0,
        result_ttl_ms=0,
        payload='[["for a customer",12345],{}]',
    )


def produce(path: str, witness: str, seconds: float, rate: float) -> None:
    """In a process of its own: add jobs one by one, due at once, at a steady rate; tell how long each add took."""
    store = JsonStore(path)
    begun = time.monotonic()
    took: list[float] = []
    n = 0
    while (now := time.monotonic()) < begun + seconds:
        ahead_s = begun + n / rate - now
        if ahead_s > 0:
            time.sleep(ahead_s)
        now = time.monotonic()
        store.add([_job(n, time.time_ns() // 1_000_000, "produced")], 0, fresh=True)
        took.append(time.monotonic() - now)
        n += 1
    took.sort()
    append_line(witness, n, took[len(took) // 2], took[int(len(took) * 0.99)], took[-1])
    store.close()
    os._exit(0)
