"""SIGTERM at random moments: the worker ends within its grace and a second, and leaves a store in which all is in order.

A case is one worker process. Most are forked from a process that has done its imports, so that a thousand fit into a
minute; some are `hourwheel worker` from its first instruction on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..processes import add_to, found_by_child, scratch
from ..report import Report, Size, pick
from .bugs import BUGS
from .cases import Case, begin, begin_program, end, tell, wait_for

_AT_ONCE = 8


def run(size: Size, seed: int) -> Report:
    """1,000 workers; 2 in 100 of them from their first instruction on."""
    report = Report()
    count = pick(size, smoke=10, ci=1_000, full=1_000)
    limit_s = pick(size, smoke=60.0, ci=500.0, full=2_000.0)
    add_to(report, found_by_child(lambda: stop_many(count, seed), limit_s, name=f"seed {seed}"))
    for bug in list(BUGS)[: pick(size, smoke=1, ci=None, full=None)]:
        report.seeded(bug, caught=_catches(bug, seed))
    return report


def _catches(bug: str, seed: int) -> bool:
    def sown() -> Report:
        BUGS[bug]()
        return stop_many(200, seed, programs=False, until_wrong=True)

    return bool(found_by_child(sown, 120.0, name=bug).violations)


def stop_many(count: int, seed: int, *, programs: bool = True, until_wrong: bool = False) -> Report:
    """Stop so many workers, some at a time."""
    report = Report()
    beyond: list[float] = []
    ways: dict[str, int] = {}
    for first in range(0, count, _AT_ONCE):
        if until_wrong and report.violations:
            break
        with scratch() as directory:
            cases = list(_begin_some(range(first, min(count, first + _AT_ONCE)), seed, directory, programs=programs))
            for case in sorted(cases, key=lambda case: case.began + case.moment_s):
                tell(case)
            wait_for(cases)
            for case in cases:
                beyond.append(end(case, report))
                ways[case.way] = ways.get(case.way, 0) + 1
                report.cases += 1
    report.figures["longest time beyond the grace"] = f"{max(beyond):.2f} s"
    report.figures["workers"] = ", ".join(f"{times} {way}" for way, times in sorted(ways.items()))
    return report


def _begin_some(numbers: range, seed: int, directory: str, *, programs: bool) -> Iterator[Case]:
    for number in numbers:
        place = os.path.join(directory, str(number))
        os.mkdir(place)
        yield (begin_program if programs and number % 50 == 7 else begin)(number, seed, place)
