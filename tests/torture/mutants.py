"""Small slips in the product's own modules: would the tests notice?

A sample of what `make mutants` tries whole (tests/mutants, docs/mutants.md). The tests are to notice nine in ten; that a sample
falls short by chance is allowed for as far as one in a thousand samples would.
"""

from __future__ import annotations

import json
import subprocess
import sys
from math import comb
from typing import Any

from tests.mutants.table import LEAST

from .report import Report, Size, pick

_QUICK = (
    "--module",
    "ring",
    "--budget",
    "1",
    "--tests",
    "tests/unit/test_ring.py",
    "tests/unit/test_ring_in_numbers.py",
)
_CHANCE = 0.001


def run(size: Size, seed: int) -> Report:
    """See there."""
    report = Report()
    among = pick(size, smoke=_QUICK, ci=(), full=())
    sample = pick(size, smoke=12, ci=60, full=300)
    noticed, survivors = _tried("--sample", str(sample), "--seed", str(seed), *among)
    report.cases = noticed + len(survivors)
    report.figures["noticed"] = f"{noticed} of {report.cases}"
    if noticed < fewest(report.cases):
        report.wrong(
            f"seed {seed}: {noticed} of {report.cases} mutants noticed, {fewest(report.cases)} needed; survivors: {survivors}"
        )
    control = _tried(
        "--sound",
        "--sample",
        "4",
        "--seed",
        str(seed),
        *pick(size, smoke=_QUICK, ci=("--budget", "3"), full=("--budget", "3")),
    )
    report.demand(control[0] == 0, f"seed {seed}: tests fail on the sound modules, so they prove nothing")
    report.seeded("tests that notice nothing", caught=control[0] < fewest(control[0] + len(control[1])))
    return report


def fewest(mutants: int) -> int:
    """How many of so many mutants must be noticed: fewer come about in one of a thousand samples if the tests are good enough.

    >>> fewest(150)
    123
    """
    chance, noticed = 0.0, -1
    while chance < _CHANCE:
        noticed += 1
        chance += comb(mutants, noticed) * LEAST**noticed * (1 - LEAST) ** (mutants - noticed)
    return noticed


def _tried(*options: str) -> tuple[int, list[str]]:
    """(how many were noticed, which were not)."""
    command = [sys.executable, "-m", "tests.mutants", "--json", *options]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    told = next((line for line in ended.stdout.splitlines() if line.startswith("[")), None)
    if told is None:
        raise RuntimeError(f"{command} ended with {ended.returncode}: {ended.stdout[-500:]} {ended.stderr[-2000:]}")
    rows: list[dict[str, Any]] = json.loads(told)
    survivors = [key for row in rows for key in row["survivors"]]
    return sum(row["tried"] for row in rows) - len(survivors), survivors
