"""How late jobs start: spread over random milliseconds while others wait, and a few near ones behind many far ones."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta

from hourwheel import Scheduler

from . import children
from .floor import Floor
from .harness import Row, Sample, Scale, interleave, percentile
from .workload import copy, pending

_MS = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEAR = 20


def rows(scale: Scale) -> list[Row]:
    others = scale.size(100_000, 5_000)
    jobs, spread_s = scale.size(1_000, 100), scale.size(20, 1)
    near_s = scale.size(5, 1)
    spread: list[list[float]] = []
    bare: list[list[float]] = []
    behind: list[list[float]] = []

    def hourwheel() -> float:
        path = copy(pending(scale, others)[0], scale.scratch("lateness"))
        soon, near = children.run("lateness:run", path, jobs, spread_s, near_s)
        spread.append(soon)
        behind.append(near)
        return 0.0

    def sleeper() -> float:
        bare.append(children.run("lateness:sleep", scale.scratch("lateness-floor"), jobs, spread_s))
        return 0.0

    interleave({"hourwheel": hourwheel, "bare": sleeper}, scale.size(3, 1))
    early = sum(late < 0 for batch in [*spread, *behind] for late in batch)
    what = f"lateness, {jobs:,} jobs at random milliseconds of {spread_s} s, {others:,} others pending"
    none = "a job that starts early breaks a guarantee"
    result = [
        Row(what=f"{what}: early", figure=str(early), beside=none, measure=early, digits=0, bound=0, sense="at most")
    ]
    for percent, bound in ((50, 1.5), (99, 5.0)):
        figure, beside = _of(spread, percent), _of(bare, percent)
        result.append(
            Row(
                what=f"{what}: p{percent}", figure=figure.show(" ms", 2),
                beside=f"a thread that sleeps, then makes one synced write {beside.show(' ms', 2)}",
                measure=figure.median, unit=" ms", bound=bound, sense="at most",
            )
        )  # fmt: skip
    latest = _of(behind, 100)
    result.append(
        Row(
            what=f"head of line: {_NEAR} jobs due in {near_s} s behind {others:,} far ones: latest of those that ran",
            figure=latest.show(" ms", 2), beside=f"{min(map(len, behind))} of {_NEAR} ran",
            measure=latest.median, unit=" ms", bound=5, sense="at most",
        )
    )  # fmt: skip
    return result


def _of(batches: list[list[float]], percent: float) -> Sample:
    return Sample(tuple(percentile(batch, percent) for batch in batches))


# ---- in a child ------------------------------------------------------------------------------------------


def run(path: str, jobs: int, spread_s: int, near_s: int) -> tuple[list[float], list[float]]:
    """Lateness in ms of jobs at random milliseconds, then of a few at one instant; below zero is early."""
    app = Scheduler(path)
    late: list[float] = []

    @app.task(name="app.stamp")
    def stamp(due_ms: int) -> None:
        late.append((time.time_ns() - due_ms * _MS) / _MS)

    chance = random.Random()
    with app:
        first_ms = time.time_ns() // _MS + 1_500
        for _ in range(jobs):
            due_ms = first_ms + chance.randrange(spread_s * 1_000)
            stamp.at(_EPOCH + timedelta(milliseconds=due_ms)).delay(due_ms)
        _wait_for(late, jobs, first_ms / 1000 + spread_s)
        spread, late[:] = list(late), []
        due_ms = time.time_ns() // _MS + near_s * 1_000
        for _ in range(_NEAR):
            stamp.at(_EPOCH + timedelta(milliseconds=due_ms)).delay(due_ms)
        _wait_for(late, _NEAR, due_ms / 1000)
    return spread, late


def _wait_for(late: list[float], count: int, until_s: float) -> None:
    time.sleep(max(0.0, until_s - time.time()))
    given_up = time.monotonic() + 30
    while len(late) < count and time.monotonic() < given_up:
        time.sleep(0.05)


def sleep(directory: str, jobs: int, spread_s: int) -> list[float]:
    """Lateness in ms of a thread that sleeps until the next of as many instants and writes down, durably, that it has
    come; whoever does not can run a job twice."""
    chance, floor = random.Random(), Floor(directory)
    first = time.time_ns() + 500 * _MS
    late = []
    for due_ns in sorted(first + chance.randrange(spread_s * 1_000) * _MS for _ in range(jobs)):
        time.sleep(max(0, due_ns - time.time_ns()) / 1e9)
        floor.add_synced()
        late.append((time.time_ns() - due_ns) / _MS)
    return late
