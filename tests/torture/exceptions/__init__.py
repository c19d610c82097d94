"""Exceptions at every line: Ctrl-C, a signal's handler that raises or calls, a soft limit; in every verb, durability, pool.

A case is one verb of a store (deeds.py) in which one exception strikes at one line of our code (striking.py). Then: the verb
has raised just that, or returned; what it was to change is changed wholly or not at all; no lock is held, in this process
or for others; the next call, of another thread, works; the store is sound, also for whoever opens it anew. Pools are struck
in child programs by real limits and signals, thousands of times, while innocent threads add jobs (storms.py).
"""

from __future__ import annotations

import logging
import random
from itertools import product

import pytest

from tests.torture.processes import scratch
from tests.torture.report import Report, Size, pick

from . import storms
from .deeds import DEEDS, FORMS, Site
from .seeds import SEEDS
from .striking import STRIKES, lines_of, struck

_SOME = 60
"""Cases of one site, whose store is then checked as a whole and begun anew."""


def run(size: Size, seed: int) -> Report:
    """Every line at full size, each nineteenth in CI; 20 storms a pool at full size, of 500 strikes each."""
    logging.disable()  # jobs that are struck are told of, one by one
    report = Report()
    rng = random.Random(seed)
    stride = pick(size, smoke=397, ci=19, full=1)
    for form, strike in list(product(FORMS, STRIKES))[:: pick(size, smoke=5, ci=1, full=1)]:
        report.cases += _every_line(report, form, strike, stride, rng.randrange(stride))
    report.figures["one exception at one line of one verb"] = f"{report.cases:,} cases"
    storms.run(report, pick(size, smoke=1, ci=2, full=20), pick(size, smoke=8, ci=150, full=500), seed)
    for name in list(SEEDS)[pick(size, smoke=-1, ci=0, full=0) :]:
        report.seeded(name, caught=_is_caught(name))
    return report


def _every_line(report: Report, form: str, strike: str, stride: int, first: int, *, stop: bool = False) -> int:
    """Strike at each line of each verb; how many cases that were."""
    cases = 0
    with scratch(in_memory=True) as directory:
        for deed in DEEDS:
            site = Site(directory, form)
            for at in lines_of(site, deed)[first::stride]:
                if cases % _SOME == _SOME - 1:
                    report.demand(not (wrong := site.over()), f"{form}, {strike}, {deed}: {wrong}")
                    site = Site(directory, form)
                wrong = struck(site, deed, strike, at)
                cases += 1
                if wrong:
                    report.wrong(f"{form}: {strike} at line {at} of {deed}: {wrong}")
                    if stop:
                        return cases
                    site = Site(directory, form)
            report.demand(not (wrong := site.over()), f"{form}, {strike}, {deed}: {wrong}")
    return cases


def _is_caught(name: str) -> bool:
    """Whether one of the cases shows a bug; the right stores pass all of them."""
    with pytest.MonkeyPatch.context() as patch:
        form, strike = SEEDS[name](patch)
        for stride in (13, 1):
            report = Report()
            _every_line(report, form, strike, stride, 0, stop=True)
            if report.violations:
                return True
    return False
