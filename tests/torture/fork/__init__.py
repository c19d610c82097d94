"""Forks under load: no child hangs, runs a job that is being run, or frees its parent's locks; each may start anew.

As under gunicorn --preload, a parent with a running scheduler forks at random moments, while workers, ticker, group
commit and compaction are at work. A case is one fork, or one run of a program that uses processes in another way.
"""

from __future__ import annotations

from ..processes import add_to, found_by_child
from ..report import Report, Size, pick
from .bugs import BUGS
from .others import others
from .preload import preload


def run(size: Size, seed: int) -> Report:
    """1,000 forks."""
    report = Report()
    forks = pick(size, smoke=25, ci=1_000, full=1_000)
    limit_s = pick(size, smoke=60.0, ci=400.0, full=1500.0)
    add_to(report, found_by_child(lambda: preload(forks, seed), limit_s, name=f"the parent, seed {seed}"))
    add_to(report, others(size, seed))
    chosen = list(BUGS)[: pick(size, smoke=2, ci=None, full=None)]
    for bug in chosen:
        report.seeded(bug, caught=_catches(bug, seed))
    return report


def _catches(bug: str, seed: int) -> bool:
    def sown() -> Report:
        BUGS[bug]()
        return preload(200, seed, watchdog_s=2.0, until_wrong=True)

    return bool(found_by_child(sown, 60.0, name=bug).violations)
