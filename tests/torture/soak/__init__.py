"""Half an hour of light, mixed work: memory, descriptors, threads, files and journal stay as they are; nothing is lost.

A case is one job. Leaks that are sown are looked for in an accelerated form, without pauses between the rounds; so is,
as a control, the store as it is.
"""

from __future__ import annotations

import time

from ..processes import add_to, found_by_child, scratch
from ..report import Report, Size, pick
from .bugs import BUGS, NOTICED_BY
from .gauges import Gauges
from .load import ROUND_S, Load

_FAST_S = 12.0
_FAST_JOBS = 6_000
"""So many are needed to tell a KiB a job from the arenas of an allocator, however long they take."""


def run(size: Size, seed: int) -> Report:
    """60 s in CI, 30 minutes at full size. (The load is the same whatever the seed.)"""
    report = Report()
    seconds = pick(size, smoke=3.0, ci=60.0, full=1_800.0)
    long = size == "full"
    add_to(report, found_by_child(lambda: soak(seconds, slope=long, per_job=size == "ci"), seconds + 120, name="soak"))
    if size != "smoke":
        control = found_by_child(
            lambda: soak(_FAST_S, pause_s=0.0, per_job=True, jobs=_FAST_JOBS), 600.0, name="accelerated"
        )
        report.cases += control.cases
        report.violations.update(control.violations)
        told = control.figures.get("memory's slope", "none")
        report.figures["accelerated, nothing sown"] = f"{control.cases:,} jobs, slope {told.partition(';')[0]}"
    for bug in list(BUGS)[pick(size, smoke=-1, ci=0, full=0) :]:
        seconds, jobs = pick(size, smoke=(3.0, 600), ci=(_FAST_S, _FAST_JOBS), full=(_FAST_S, _FAST_JOBS))
        report.seeded(bug, caught=_catches(bug, seconds, jobs))
    return report


def _catches(bug: str, seconds: float, jobs: int) -> bool:
    def sown() -> Report:
        BUGS[bug]()
        return soak(seconds, pause_s=0.0, per_job=True, jobs=jobs)

    found = found_by_child(sown, 600.0, name=bug)
    return any(NOTICED_BY[bug] in violation for violation in found.violations)


def soak(
    seconds: float, *, pause_s: float = ROUND_S, slope: bool = False, per_job: bool = False, jobs: int = 0
) -> Report:
    """Work for so many seconds and ``jobs`` at least, resting after a third and at the end; look at every gauge some
    hundred times."""
    report = Report()
    with scratch() as directory:
        load = Load(directory, result_ttl=5.0 if pause_s else 0.5, compact_every=20 if pause_s else 4)
        gauges = Gauges(load)
        load.app.start()
        begun, worked = time.monotonic(), time.process_time()
        every_s = max(0.05, min(5.0, seconds / 200))
        sampled = begun
        for part in (1 / 3, 1):
            while (now := time.monotonic()) < begun + part * seconds or load.asked.total() < part * jobs:
                load.round(report)
                if now >= sampled + every_s:
                    sampled = now
                    gauges.sample(now - begun)
                time.sleep(max(0.0, now + pause_s - time.monotonic()))
            load.rest(report)
            gauges.count_at_rest()
        share = (time.process_time() - worked) / (time.monotonic() - begun)
        load.finish(report)
        gauges.judge(report, slope=slope, per_job=per_job)
    report.cases = load.asked.total()
    report.figures["share of one processor"] = f"{share:.0%}"
    report.figures["rounds, visits by another process"] = f"{load.rounds:,}, {load.visits:,}"
    return report
