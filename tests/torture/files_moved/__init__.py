"""Files under one's feet: moved, missing, replaced, other people's, at every moment: refused in our words, or right.

A case is one *mischief* (mischief.py: a file removed, moved, replaced by an older copy, linked, the directory renamed, a
link to it switched, another store begun there ...) done to a store at work: between two of its verbs, or right before one
system call of a compaction or of a close. Afterwards everybody goes on adding, claiming, compacting, and then each store
that is left, here or where it was moved, is opened anew (judge.py). Judged is what was done, never how long it took:

* each job that was acknowledged is in the store at the path, or where the store was moved; or the store is refused, and
  the job is read by ``hourwheel repair``;
* nothing but our own errors was raised;
* not a byte of another store was changed.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hourwheel.store.file.store import Durability

from tests.torture.report import Report, Size, pick

from .mischief import ALL, IN_PLACE
from .scene import Case, calls_of, play
from .seeds import SEEDS

_DURABILITIES: tuple[Durability, ...] = ("os", "sync", "interval")


def run(size: Size, seed: int) -> Report:
    """Three hundred cases in CI: each mischief between all verbs, and before each call of a compaction and of a close."""
    report = Report()
    rng = random.Random(seed)
    cases = _cases()
    rng.shuffle(cases)
    refused: Counter[str] = Counter()
    windows = 0
    for case in cases[: pick(size, smoke=40, ci=300, full=len(cases))]:
        verdict = play(case)
        report.cases += 1
        refused[verdict.refused or "right"] += 1
        if verdict.wrong and not verdict.in_the_window:
            report.wrong(f"{case}: {verdict.wrong}")
        windows += bool(verdict.wrong)
    report.figures["came between the last look and the call, and was not seen"] = f"{windows} cases"
    report.figures["kinds of mischief"] = str(len(ALL))
    for how, count in refused.most_common():
        report.figures[f"came to: {how}"] = f"{count:,} cases"
    for name in list(SEEDS)[: pick(size, smoke=1, ci=len(SEEDS), full=len(SEEDS))]:
        report.seeded(name, caught=_is_caught(name, rng))
    return report


def _cases() -> list[Case]:
    """Every mischief at every moment; what is written over in place, between verbs only: no lock keeps that off."""
    between = [
        Case(mischief=name, durability=durability, verb=verb)
        for name in ALL
        for durability in _DURABILITIES
        for verb in range(6)
    ]
    during = [
        Case(mischief=name, durability="os", during=what, call=call)
        for name in ALL
        if name not in IN_PLACE
        for what in ("compact", "close")
        for call in range(1, calls_of(what) + 1)
    ]
    return between + during


def _is_caught(name: str, rng: random.Random) -> bool:
    """Whether one of the cases shows a bug; the right store passes all of them."""
    sow, kinds, during = SEEDS[name]
    cases = [case for case in _cases() if case.mischief in kinds and case.during == during]
    rng.shuffle(cases)
    with pytest.MonkeyPatch.context() as patch:
        sow(patch)
        return any(play(case).wrong for case in cases)
