"""Deterministic simulation: bad days of three nodes on a virtual clock, drawn from seeds; every invariant, all the time.

A case is a day: the real ticker and the real store, jobs that come at any moment in any kind, nodes that die in the
midst of a call, stall, are stopped and come back, a wall clock that is set, a store that fails or whose answer is
lost. The judge (judge/) works out what every answer must be. Most days (days/) are played on the memory store, one in
twenty on the JSON store in files that are bytes in memory, and one in four on a memory store that nobody tells who has
died: it goes by leases, and takes nodes for dead that stand still or are cut off from it. Some are played again, tick by
tick, and must come to the same trace; the first days are played twice.

A day that fails is shortened as far as it goes, and printed: put it into kept.json, and it is played for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from ..report import Report, Size, pick
from .bugs import BUGS, LEASE_BUGS, Sown, name_of, sown
from .days import Course, History, bad_day, play, shrink
from .json_stores import JsonStores
from .memory_stores import MemoryStores, Stores

KEPT = Path(__file__).with_name("kept.json")
JSON_EVERY = 20
LEASED_EVERY = 4
LEASES_MS = 1_000, 10_000
TICK_BY_TICK_EVERY = 400
DAYS_FOR_A_BUG = 150


def run(size: Size, seed: int) -> Report:
    """1,000 days in CI, 2,000 at full size."""
    report = Report()
    days = pick(size, smoke=10, ci=1_000, full=2_000)
    for kept in kept_histories():
        _must_hold(report, kept, MemoryStores)
    began = perf_counter()
    hashes = {_day(report, seed * 1_000_000 + number, number, size) for number in range(days)}
    report.demand(len(hashes) == days, f"seed {seed}: {days} different days have only {len(hashes)} different traces")
    report.figures["a simulated day"] = f"{(perf_counter() - began) / days * 1000:.0f} ms"
    for bug in BUGS[: pick(size, smoke=3, ci=None, full=None)]:
        _sow(report, bug, seed)
    for bug in LEASE_BUGS[: pick(size, smoke=1, ci=None, full=None)]:
        _sow(report, bug, seed, leased=True)
    return report


def kept_histories() -> list[History]:
    """Days that have failed once, with a bug of ours or one that was sown, brought down to what it takes."""
    return [History.of_document(document) for document in json.loads(KEPT.read_text())]


def _day(report: Report, seed: int, number: int, size: Size) -> str:
    stores: Callable[..., Stores] = JsonStores if number % JSON_EVERY == 1 else MemoryStores
    course = _must_hold(report, bad_day(seed, lease_ms=_lease_ms(number)), stores)
    if number < 3:
        again = play(course.history, stores=stores)
        report.demand(again.hash == course.hash, f"day {seed}: played twice, it went two ways")
    if size != "smoke" and number % TICK_BY_TICK_EVERY in (0, 2 * LEASED_EVERY - 1):  # the second has long leases
        _must_not_depend_on_skipping(report, course, stores)
    return course.hash


def _lease_ms(number: int) -> int | None:
    """Of the store of a day; None for one that is told who has died."""
    times, rest = divmod(number, LEASED_EVERY)
    return LEASES_MS[times % len(LEASES_MS)] if rest == LEASED_EVERY - 1 else None


def _must_hold(report: Report, history: History, stores: Callable[..., Stores]) -> Course:
    course = play(history, stores=stores)
    report.cases += 1
    if course.violation is not None:
        shortest = shortened(history, stores)
        words = "\n    ".join(shortest.in_words())
        document = json.dumps(shortest.as_document())
        report.wrong(f"day {history.seed} on {stores.__name__}: {course.violation}\n    {words}\n    {document}")
    return course


def shortened(history: History, stores: Callable[..., Stores]) -> History:
    """The shortest history like it that fails."""
    return shrink(history, lambda shorter: play(shorter, stores=stores).violation is not None)


def _must_not_depend_on_skipping(report: Report, course: Course, stores: Callable[..., Stores]) -> None:
    """Played tick by tick: the same, to the nanosecond."""
    slowly = play(course.history, stores=stores, fast=False)
    same = slowly.hash == course.hash and slowly.violation == course.violation
    report.demand(same, f"day {course.history.seed}: tick by tick it goes another way")
    counted = slowly.steps >= course.steps + course.skipped * 0.9
    report.demand(counted and slowly.skipped == 0, f"day {course.history.seed}: ticks are not counted right")
    report.figures["days also played tick by tick"] = str(
        int(report.figures.get("days also played tick by tick", 0)) + 1
    )


def _sow(report: Report, bug: Sown, seed: int, *, leased: bool = False) -> None:
    """A bug must be noticed, and come down to a history that a person can read."""
    with sown(bug):
        for number in range(DAYS_FOR_A_BUG):
            lease_ms = LEASES_MS[number % len(LEASES_MS)] if leased else None
            course = play(bad_day(seed * 1_000_000 + number, lease_ms=lease_ms))
            if course.violation is not None:
                shortest = shortened(course.history, MemoryStores)
                break
        else:
            report.seeded(name_of(bug), caught=False)
            return
        again = play(shortest).violation
    without = play(replace(shortest)).violation
    caught = again is not None and without is None
    report.seeded(name_of(bug), caught=caught)
    found = f"on day {number + 1}, comes down to {len(shortest.happenings)} happenings: {again}"
    report.figures[f"{name_of(bug)}"] = found[:200]
