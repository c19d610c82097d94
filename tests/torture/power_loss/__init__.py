"""Power loss and kill -9 after every system call of a store: what is left is opened, and nothing acknowledged is missing.

A case is one state that a crash may leave: after a kill the files as they are, with the last write whole or torn at any
byte; after a power loss any sectors of what was not synced and any names (disk.py). The workload (workload.py) creates
a store, adds, claims, settles, compacts, while other processes on the file add, compact, and die at it. Now and then
the power fails a second time while the state is being opened (recovery.py). Each durability is held to its promise
(watched_run.py). Most bugs that can be made in such a protocol are sown (seeds.py), and each must be noticed.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.torture.report import Report, Size, pick

from .disk import Order
from .judge import Shares
from .seeds import SEEDS, Seed
from .watched_run import Findings, WatchedRun

_DURABILITIES = ("sync", "sync", "interval", "sync", "os")
_CLOSER = Shares(checked=0.3, worked_on=0.1)
_MOST_FOR_A_BUG = 30_000
"""States in which a seeded bug must have shown."""


def run(size: Size, seed: int) -> Report:
    """200,000 states in CI, 300,000 at full size; sync, interval and os as 3 : 1 : 1."""
    report = Report()
    wanted = pick(size, smoke=2_500, ci=202_000, full=303_000)
    each = pick(size, smoke=3, ci=16, full=28)
    counted: Counter[str] = Counter()
    began = time.process_time()
    share = pick(size, smoke=500, ci=wanted, full=wanted)
    for one in _runs(seed, each):
        if report.cases >= wanted:
            break
        one.most = min(share, wanted - report.cases)
        findings = one.run()
        _count(report, counted, one, findings)
    spent = time.process_time() - began
    report.figures |= {name: f"{count:,} states" for name, count in sorted(counted.items())}
    report.figures["for each state"] = f"{spent / report.cases * 1e6:,.0f} us"
    names = list(SEEDS)
    _sow(report, names[seed % len(names) :][:2] if size == "smoke" else names)
    return report


def _runs(seed: int, each: int) -> Iterator[WatchedRun]:
    rng = random.Random(seed)
    for number in itertools.count():
        order: Order = "weak" if number % 2 == 0 else "ordered"
        durability = _DURABILITIES[number % len(_DURABILITIES)]
        yield WatchedRun(rng.randrange(1 << 30), order, durability, states_each=each, kills_each=max(1, each // 4))


def _count(report: Report, counted: Counter[str], one: WatchedRun, findings: Findings) -> None:
    report.cases += findings.states
    counted[one.durability] += findings.states
    counted[f"{one.order} directories"] += findings.states
    counted["opened, each different in its bytes"] += findings.opened
    counted["the power fails again while it is opened"] += findings.nested
    for wrong, times in findings.wrong.items():
        report.violations[f"{one.durability}, {one.order}, run {one.seed}: {wrong}"] += times


def _sow(report: Report, names: list[str]) -> None:
    latest = 0
    for name in names:
        states = states_until_caught(SEEDS[name])
        report.seeded(name, caught=states is not None)
        latest = max(latest, states or 0)
    report.figures["for the last seeded bug to show"] = f"{latest:,} states"


def states_until_caught(seeded: Seed) -> int | None:
    """In how many states a bug shows; None if it does not in the states that it is given."""
    states = 0
    for number in itertools.count():
        run = WatchedRun(
            number // 2,
            "weak" if number % 2 == 0 else "ordered",
            seeded.durability,
            kinds=seeded.kinds,
            nested=seeded.nested,
            shares=_CLOSER,
            most=_MOST_FOR_A_BUG - states,
            first_only=True,
        )
        with pytest.MonkeyPatch.context() as patch:
            # The run was made before, so that what it expects comes from the right protocol.
            run.handicap = seeded.sow(patch) or run.handicap
            findings = run.run()
        states += findings.states
        if findings.wrong:
            return states
        if states >= _MOST_FOR_A_BUG:
            return None
    return None
