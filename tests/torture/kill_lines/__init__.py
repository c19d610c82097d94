"""kill -9 at every line: a forked process is killed when it is about to run a line of the store or of what dispatches jobs.

A case is one kill. First a run is watched, which says which lines are run, and how often; then each of these lines is
killed at, at its first, its last and some other time, and after that at lines drawn from the whole run. A line is not
the finest grain: between two system calls of one line nothing changes that another process could see, and torn writes
are the business of power_loss.

After each kill the store is opened anew. What was acknowledged (through a pipe) is there, nothing else is but for the
change under way; the dead one's jobs can be claimed at once, and its claims settle nothing; nothing piles up.
"""

from __future__ import annotations

import random

from tests.torture.report import Report, Size, pick

from . import bugs, dispatching, reopening, verbs


def run(size: Size, seed: int) -> Report:
    """2,000 kills in CI, 20,000 at full size."""
    report = Report()
    rng = random.Random(seed)
    kills = pick(size, smoke=40, ci=2_200, full=20_400)
    runs = pick(size, smoke=1, ci=8, full=40)
    lines: set[tuple[str, int]] = set()
    for number in range(runs):
        kinds = verbs.COMPACTING if number % 4 == 0 else verbs.KINDS
        lines |= verbs.run(report, rng.randrange(1 << 30), kills * 7 // 10 // runs, kinds=kinds)
    lines |= dispatching.run(report, rng, kills * 3 // 10)
    report.figures["different lines killed at"] = f"{len(lines):,}"
    jobs = pick(size, smoke=500, ci=100_000, full=100_000)
    reopening.run(report, rng, jobs, rounds=pick(size, smoke=1, ci=7, full=15), judge=size != "smoke")
    for name in list(bugs.BUGS)[: pick(size, smoke=1, ci=None, full=None)]:
        report.seeded(name, caught=bugs.caught(name, seed))
    return report
