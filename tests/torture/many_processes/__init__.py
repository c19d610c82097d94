"""Many processes on one file claim, run, settle, add, cancel and compact, while they are killed and stopped at random.

A case is one claim. Each process says to a witness what it is going to do and what it was told has been done; from that,
and from what the store holds in the end, follows whether anything was started twice, too early, or lost.

A round is one file. Processes are killed and stopped from outside at any moment, and told to do so to themselves
between two system calls, in the middle of a write, and with the writers' lock in their hand; killed ones are replaced.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from hourwheel.store.file import ahead, epoch
from hourwheel.store.file.format import journal

from ..processes import add_to, found_by_child, scratch
from ..report import Report, Size, pick
from .bugs import BUGS
from .herd import Herd, Plan
from .judge import Trial, beyond_timeouts, late_answers, late_rescues, rescue_times
from .tally import Tally
from .witness import read

_READS_AHEAD = (None, 1 << 16)
_OS, _SYNC, _MIXED = ("os",), ("sync",), ("sync", "interval", "os")


def _nothing() -> None:
    return


def run(size: Size, seed: int) -> Report:
    """200,000 claims of 16 processes in CI, 1,000,000 at full size."""
    report = Report()
    rounds = pick(size, smoke=[_MIXED], ci=[_OS] * 6 + [_MIXED, _SYNC], full=([_OS] * 7 + [_MIXED, _SYNC]) * 4)
    claims, processes = pick(size, smoke=(3_000, 4), ci=(25_500, 16), full=(25_500, 16))
    limit_s = pick(size, smoke=60.0, ci=600.0, full=2_700.0)

    def work() -> Report:
        plans = [
            Plan(
                processes=processes,
                claims=claims,
                durabilities=durabilities,
                seed=f"{seed} {number}",
                reads_ahead=_READS_AHEAD[number % 2],
            )
            for number, durabilities in enumerate(rounds)
        ]
        return rounds_of(plans, must_be_rough=size != "smoke")

    add_to(report, found_by_child(work, limit_s, name=f"seed {seed}"))
    sound = found_by_child(
        lambda: _rough_rounds(f"{seed} sound", pick(size, smoke=0, ci=6, full=40)), 900.0, name="rough"
    )
    sound.figures.clear()
    add_to(report, sound)
    for bug in list(BUGS)[: pick(size, smoke=2, ci=None, full=None)]:
        report.seeded(bug, caught=_catches(bug, seed))
    return report


def _catches(bug: str, seed: int) -> bool:
    """A bug must be noticed by at least one of some short, rough rounds."""
    return bool(found_by_child(lambda: _rough_rounds(f"{seed} {bug}", 24, BUGS[bug]), 180.0, name=bug).violations)


def _rough_rounds(seed: str, count: int, sow: Callable[[], None] = _nothing) -> Report:
    rough = Plan(
        processes=6,
        claims=1_000,
        durabilities=_OS,
        seed="",
        kills_per_s=6.0,
        stops_per_s=8.0,
        forks_per_s=12.0,
        timeouts_s=(0.05,),
        reopens=0.4,
        stuck_s=2.5,
        reads_ahead=1 << 14,
    )
    plans = [replace(rough, seed=f"{seed} {number}") for number in range(count)]
    return rounds_of(plans, sow=sow, until_wrong=True)


def rounds_of(
    plans: list[Plan], *, sow: Callable[[], None] = _nothing, until_wrong: bool = False, must_be_rough: bool = False
) -> Report:
    """The rounds one after the other, and the figures of all."""
    report, tally = Report(), Tally()
    with patch.object(epoch, "LEAST_JOURNAL", 1 << 21):  # so that the journal grows too long many times a round
        for plan in plans:
            with _reading_ahead(plan.reads_ahead):
                _round(plan, report, tally, sow)
            sow = _nothing  # once is enough
            if until_wrong and report.violations:
                break
    tally.put_into(report)
    if must_be_rough:
        tally.must_have_been_rough(report)
    return report


@contextmanager
def _reading_ahead(at: int | None) -> Iterator[None]:
    """What is longer than so many bytes is read without the lock; None for as it is."""
    if at is None:
        yield
        return
    with patch.object(journal, "_MUCH", at), patch.object(ahead, "_LONG", at):
        yield


def _round(plan: Plan, report: Report, tally: Tally, sow: Callable[[], None]) -> None:
    what = f"round {plan.seed!r}"
    with scratch() as directory:
        herd = Herd(plan, directory, sow)
        began = time.monotonic()
        course = herd.run()
        tally.seconds += time.monotonic() - began
        trial = Trial()
        for line in read(herd.witness_path):
            trial.hear(line)
        wrong = Counter(course.wrong) + trial.wrong
        if not course.wrong:
            wrong.update(_at_the_end(trial, os.path.join(directory, "tasks.json")))
    wrong.update(late_rescues(trial, course))
    wrong.update(late_answers(trial, course))
    for found, count in wrong.items():
        report.violations[f"{what}: {found}"] += count
    report.cases += course.claims
    tally.kinds += trial.kinds
    tally.endings += trial.endings
    tally.rescues += rescue_times(trial, course)
    tally.compactions += trial.compactions
    tally.deaths += course.deaths
    tally.held += len(course.locked)
    tally.beyond += beyond_timeouts(trial, course)
    tally.shares += [share.given for share in course.shares]


def _at_the_end(trial: Trial, path: str) -> list[str]:
    try:
        return list(trial.compare(path))
    except Exception as error:
        return [f"the store cannot be read: {error!r:.200}"]
