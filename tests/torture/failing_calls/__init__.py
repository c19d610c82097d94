"""Each system call of a store fails in turn, in eight ways: a typed error or success, nothing lost, and work goes on by itself.

A case is one run of a script of all verbs in which one call fails (sweep.py), two do, or all do for a while; one disk
that is full (room.py); or one ticker whose store fails under it (ticking.py). After each the store is compared with a
memory store that was told what was acknowledged (deeds.py), checked, closed and opened, and no descriptor is left.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from hourwheel.store.file.store import Durability

from tests.torture.report import Report, Size, pick

from . import ticking
from .faults import ERRORS
from .room import NotMounted, on_a_full_file_system, on_a_full_model
from .seeds import SEEDS
from .sweep import Case, by_hand, calls_of, try_case

_DURABILITIES: tuple[Durability, ...] = ("sync", "interval", "os")


def run(size: Size, seed: int) -> Report:
    """1,500 single failures in CI, 3,000 at full size, beside some hundred cases of the other kinds."""
    report = Report()
    rng = random.Random(seed)
    with by_hand():
        _singles(report, rng, pick(size, smoke=40, ci=1_500, full=3_000))
        _several(report, "two failures", _pairs(rng), pick(size, smoke=8, ci=120, full=400))
        _several(report, "all calls fail for a while", _lasting(rng), pick(size, smoke=8, ci=150, full=400))
        _tickers(report, rng, pick(size, smoke=10, ci=250, full=800))
        _full_disks(report, seed, pick(size, smoke=2, ci=30, full=200))
        for name in list(SEEDS)[pick(size, smoke=-1, ci=0, full=0) :]:
            report.seeded(name, caught=_is_caught(name))
    return report


# ---- the sweep -------------------------------------------------------------------------------------------


def _singles(report: Report, rng: random.Random, most: int) -> None:
    """Every call of the script with one of the errors, then with the others, for as long as there are cases left."""
    calls = [(durability, number) for durability in _DURABILITIES for number in range(1, calls_of(durability, 0) + 1)]
    rounds = []
    for shift in range(len(ERRORS)):
        cases = [
            Case(durability=durability, single=((number, ERRORS[(number + shift) % len(ERRORS)]),))
            for durability, number in calls
        ]
        rng.shuffle(cases)
        rounds += cases
    failed: Counter[str] = Counter()
    refused = 0
    for case in rounds[:most]:
        verdict = try_case(case)
        report.cases += 1
        failed.update(text.split(" of ")[0] for text in verdict.failed)
        refused += verdict.refusals > 0
        if verdict.wrong:
            report.wrong(verdict.wrong)
    report.figures["one failure"] = f"{min(most, len(rounds)):,} of {len(rounds):,} cases (call, error, durability)"
    report.figures["one failure: refused with an error of ours, the others succeeded"] = f"{refused:,} cases"
    report.figures["one failure: what failed"] = ", ".join(f"{name} {count}" for name, count in failed.most_common())


def _several(report: Report, name: str, cases: Iterator[Case], most: int) -> None:
    for _ in range(most):
        verdict = try_case(next(cases))
        report.cases += 1
        if verdict.wrong:
            report.wrong(verdict.wrong)
    report.figures[name] = f"{most:,} cases"


def _pairs(rng: random.Random) -> Iterator[Case]:
    """Two failures, in scripts of random verbs; often close together, so that the second meets the mending of the first."""
    while True:
        first, apart = rng.randint(1, 250), rng.choice([1, 2, 3, 5, 8, 13, 40])
        errors = rng.choices(ERRORS, k=2)
        yield Case(
            durability=rng.choice(_DURABILITIES),
            seed=rng.randint(1, 1 << 20),
            single=((first, errors[0]), (first + apart, errors[1])),
        )


def _lasting(rng: random.Random) -> Iterator[Case]:
    """Every call fails from one on, and some time later, or only at the end of the script, it is over."""
    while True:
        first = rng.randint(1, 250)
        yield Case(
            durability=rng.choice(_DURABILITIES),
            seed=rng.choice([0, rng.randint(1, 1 << 20)]),
            lasting=rng.choice(ERRORS[:-1]),
            span=range(first, first + rng.choice([4, 15, 60, 1 << 30])),
        )


# ---- the rest --------------------------------------------------------------------------------------------


def _tickers(report: Report, rng: random.Random, most: int) -> None:
    spans = {durability: ticking.first_call(durability) for durability in _DURABILITIES}
    for number in range(most):
        durability = _DURABILITIES[number % len(_DURABILITIES)]
        first, last = spans[durability]
        lasts = rng.choice([1, 1, 1, 2, 5, 20])
        report.cases += 1
        if wrong := ticking.with_a_failure(durability, rng.randint(first, last), rng.choice(ERRORS[:-1]), lasts):
            report.wrong(f"ticker, {wrong}")
    report.figures["under a ticker"] = f"{most:,} cases"


def _full_disks(report: Report, seed: int, most: int) -> None:
    for number in range(most):
        durability = _DURABILITIES[number % len(_DURABILITIES)]
        report.cases += 1
        if wrong := on_a_full_model(durability, seed + number):
            report.wrong(f"full disk, {durability}, seed {seed + number}: {wrong}")
    report.figures["full disks, in a model"] = f"{most:,} cases"
    try:
        for durability in _DURABILITIES:
            report.cases += 1
            if wrong := on_a_full_file_system(durability, seed):
                report.wrong(f"full tmpfs, {durability}, seed {seed}: {wrong}")
        report.figures["full disks, for real (tmpfs)"] = f"{len(_DURABILITIES)} cases"
    except NotMounted as reason:
        report.cases -= 1
        report.figures["full disks, for real (tmpfs)"] = f"skipped: {reason}"


def _is_caught(name: str) -> bool:
    """Whether one of the single failures shows a bug; the right store passes all of them."""
    cases = [
        Case(durability=durability, single=((number, ERRORS[(number + shift) % len(ERRORS)]),))
        for shift in (0, len(ERRORS) - 1)
        for durability in ("sync", "interval")
        for number in range(1, calls_of(durability, 0) + 1)
    ]
    random.Random(name).shuffle(cases)
    with pytest.MonkeyPatch.context() as patch:
        SEEDS[name](patch)
        return any(try_case(case).wrong for case in cases)
