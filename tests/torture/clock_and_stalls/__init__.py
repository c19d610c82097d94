"""Clock and stalls: the wall clock jumps both ways, the process stands still; each job begins once, none early, soon.

A case is a jump of the wall clock, or a stall. The tickers and stores are the real ones; the clock is moved by hand,
except for some real processes that are stopped by SIGSTOP. "Early" is by the wall clock at the moment of the claim: a
job whose time had come before the clock was set back, and that nobody had taken, waits for its time to come again. A
second that has been swept is swept again without anything beginning twice; what is added for it does begin.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ..report import Report, Size, pick
from .bugs import BUGS
from .jumps import Jumps
from .stalls import stall
from .stopped import stop_and_go

JUMPS_A_COURSE = 25
STALLS_S = (1, 60, 600, 3600, 7200)


def run(size: Size, seed: int) -> Report:
    """1,000 jumps in CI, 3,000 at full size; stalls with 100,000 jobs due; processes that are really stopped."""
    report = Report()
    logging.getLogger("hourwheel.worker").setLevel(logging.CRITICAL)
    courses = pick(size, smoke=4, ci=40, full=120)
    for number in range(courses):
        Jumps(seed * 10_000 + number, durable=number % 2 == 1, wrong=report.wrong).run(JUMPS_A_COURSE)
        report.cases += JUMPS_A_COURSE
    _stalls(report, size)
    for number in range(pick(size, smoke=1, ci=5, full=20)):
        seconds = 1.0 if size == "smoke" else 1.0 + number % 3
        took_s = stop_and_go(seconds, pick(size, smoke=100, ci=2000, full=2000), wrong=report.wrong)
        report.cases += 1
        report.figures[f"SIGSTOP for {seconds:g} s: all had run after"] = f"{took_s:.2f} s"
    for bug in BUGS[: pick(size, smoke=3, ci=None, full=None)]:
        report.seeded(bug.__name__.replace("_", " "), caught=_notices(bug, seed))
    return report


def _stalls(report: Report, size: Size) -> None:
    jobs = pick(size, smoke=2_000, ci=100_000, full=100_000)
    for durable in (False, True):
        spans = pick(size, smoke=STALLS_S[-1:], ci=STALLS_S[1::3] if durable else STALLS_S[::2], full=STALLS_S)
        rates = [stall(seconds, jobs, durable=durable, wrong=report.wrong) for seconds in spans]
        report.cases += len(rates)
        what = "on disk, synced" if durable else "in memory"
        report.figures[f"catching up with {jobs:,} jobs {what}"] = f"{min(rates):,.0f} jobs/s at least"


def _notices(bug: Callable[[], Any], seed: int) -> bool:
    found: list[str] = []
    with bug():
        for number in range(10):
            try:
                Jumps(seed * 10_000 + number, durable=False, wrong=found.append).run(JUMPS_A_COURSE)
            except Exception as error:
                found.append(repr(error))
            if found:
                return True
    return False
