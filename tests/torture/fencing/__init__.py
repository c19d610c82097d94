"""Zombies: a worker that has lost its claim comes back and settles it; nothing may come of that.

A case is one zombie. Most are simulated: a claim is lost in one of many ways, perhaps many times over, the store is
compacted and opened anew in between, and then the old claim is settled in every way there is. Some are real: a process
claims, is stopped by SIGSTOP until its lease is over and another has its job, goes on, and settles.
"""

from __future__ import annotations

import random

from tests.torture.report import Report, Size, pick

from . import bugs, real, simulated


def run(size: Size, seed: int) -> Report:
    """10,000 simulated zombies and 200 real ones in CI, twice as many at full size."""
    report = Report()
    rng = random.Random(seed)
    simulated.run(report, rng, pick(size, smoke=100, ci=10_000, full=20_000))
    real.run(report, rng, pick(size, smoke=4, ci=200, full=400))
    for name in list(bugs.BUGS)[: pick(size, smoke=2, ci=None, full=None)]:
        report.seeded(name, caught=bugs.caught(name, seed))
    return report
