"""1,000 schedules that all fire on each second: how late the fires begin, and what the process costs meanwhile."""

from __future__ import annotations

import os
import time

from hourwheel import Scheduler, current_job, every

from . import children
from .harness import Row, Sample, Scale, percentile

_WORKERS = 4


def rows(scale: Scale) -> list[Row]:
    count, seconds = scale.size(1_000, 100), scale.size(20, 4)
    found = [
        children.run("schedules:fire", f"{scale.scratch('schedules')}/tasks.json", count, seconds)
        for _ in range(scale.size(3, 1))
    ]
    p50, p99, cpu = (Sample(tuple(one[name] for one in found)) for name in ("p50_ms", "p99_ms", "cpu"))
    early, missing = sum(one["early"] for one in found), sum(one["missing"] for one in found)
    beside = (
        f"p50 {p50.show(' ms', 1)}; {early} early, {missing} missing or doubled; one core is {cpu.show(' %', 0)} busy"
    )
    return [
        Row(
            what=f"{count:,} schedules that fire each second, {seconds} s, sync, {_WORKERS} workers: lateness, p99",
            figure=p99.show(" ms", 1),
            beside=beside,
            measure=p99.median,
            unit=" ms",
            bound=1_000,
            sense="at most",
        )
    ]


def fire(path: str, count: int, seconds: int) -> dict[str, float]:
    """Lateness of each fire over some seconds, and the share of a core that it took; in a child."""
    app = Scheduler(path, workers=_WORKERS, result_ttl=5)
    late: list[tuple[str, int, float]] = []

    def beat() -> None:
        job = current_job()
        assert job is not None
        assert job.fire is not None
        late.append((job.fire.schedule, job.fire.at_ms, time.time() * 1000 - job.fire.at_ms))

    for number in range(count):
        app.periodic(every(1), name=f"beat-{number}")(beat)
    with app:
        time.sleep(2.5 - time.time() % 1)  # planted, and the first fires are over
        start_ms = int(time.time()) * 1000 + 1_000
        cpu, begun = time.process_time(), time.perf_counter()
        time.sleep(seconds + 1)
        cpu = (time.process_time() - cpu) / (time.perf_counter() - begun)
    wanted = [one for one in late if start_ms <= one[1] < start_ms + seconds * 1000]
    os.unlink(path)
    lateness = [one[2] for one in wanted]
    fires = {(one[0], one[1]) for one in wanted}
    return {
        "p50_ms": percentile(lateness, 50),
        "p99_ms": percentile(lateness, 99),
        "early": sum(1 for one in lateness if one < 0),
        "missing": abs(count * seconds - len(fires)) + len(wanted) - len(fires),
        "cpu": cpu * 100,
    }
