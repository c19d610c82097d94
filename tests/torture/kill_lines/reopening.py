"""What it takes to open a large store that was left by kill -9, beside one that was closed: the time of the processor is
compared, since the disk and the other campaigns have their own pace.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
import time
from statistics import median
from typing import Final, NamedTuple

from hourwheel.job import Released
from hourwheel.store import JsonStore
from hourwheel.turn import effects

from tests.kit.jobs import NOW, StoppedClock, a_job
from tests.torture.pace import allowed
from tests.torture.processes import ended, forked
from tests.torture.report import Report

from .tracing import killed_after, watched

RATIO_MOST: Final = 1.2
SECONDS_MOST: Final = 1.0
_ADDED: Final = 300


class Opening(NamedTuple):
    """How long it took to open a store, and how much of that the processor worked for it, in seconds."""

    took_s: float
    work_s: float


def run(report: Report, rng: random.Random, jobs: int, rounds: int, *, judge: bool) -> None:
    """Open copies of one store in turn: one that a process was killed on, one that it closed; compare the medians."""
    after_kill: list[Opening] = []
    after_close: list[Opening] = []
    with tempfile.TemporaryDirectory(prefix="hourwheel-reopen-") as directory:
        _fill(f"{directory}/base", jobs)
        shutil.copytree(f"{directory}/base", f"{directory}/watched")
        length = sum(map(len, watched(lambda _: _work(f"{directory}/watched", close=True))))
        for number in range(rounds):
            at = rng.randrange(length * 9 // 10, length * 3 // 2)  # at its last calls, or while it polls
            killed, closed = f"{directory}/{number}-killed", f"{directory}/{number}-closed"
            shutil.copytree(f"{directory}/base", killed)
            shutil.copytree(f"{directory}/base", closed)
            killed_after(lambda path=killed: _work(path), at)
            ended(forked(lambda path=closed: _work(path, close=True)), 60)
            both = ((killed, after_kill), (closed, after_close))
            for path, times in both if number % 2 else reversed(both):
                times.append(_opening(path))
            shutil.rmtree(killed)
            shutil.rmtree(closed)
    ratio = median(one.work_s for one in after_kill) / median(one.work_s for one in after_close)
    seconds = median(one.took_s for one in after_kill)
    report.figures[f"opening {jobs:,} jobs after kill -9"] = f"{seconds * 1000:.0f} ms"
    report.figures["opening after kill -9, beside opening after a clean stop"] = f"{ratio:.2f} times the work"
    if judge:
        report.demand(seconds <= allowed(SECONDS_MOST), f"opening {jobs:,} jobs after a kill took {seconds:.2f} s")
        report.demand(ratio <= RATIO_MOST, f"opening took {ratio:.2f} times the work of one after a clean stop")


def _opened(path: str) -> JsonStore:
    return JsonStore(f"{path}/tasks.json", durability="os", clock=StoppedClock())


def _fill(path: str, jobs: int) -> None:
    os.mkdir(path)
    store = _opened(path)
    for start in range(0, jobs, 10_000):
        store.add([a_job(f"job-{n}", NOW + n * 100) for n in range(start, min(jobs, start + 10_000))], NOW, fresh=True)
    store.compact()
    store.close()


def _work(path: str, *, close: bool = False) -> None:
    store = _opened(path)
    for number in range(_ADDED):
        store.add([a_job(f"new-{number}", NOW + number)], NOW, fresh=True)
        if number % 10 == 0:
            store.settle(effects([(claim, Released()) for claim in store.claim("worker", NOW + number * 100, 20)]), NOW)
    if close:
        store.close()
        return
    while True:  # until it is killed
        store.claim("worker", NOW, 0)


def _opening(path: str) -> Opening:
    """Open a copy, in a process of its own: whoever was killed or has ended just now makes no difference then."""
    shutil.copytree(path, f"{path}-copy")
    os.sync()  # else opening, which syncs the directory, waits for the copying of the store to reach the disk
    reads, writes = os.pipe()

    def work() -> None:
        began, work_began = time.perf_counter(), time.process_time()
        store = _opened(f"{path}-copy")
        took = time.perf_counter() - began, time.process_time() - work_began
        os.write(writes, json.dumps(took).encode())
        store.close()

    status = ended(forked(work), 60)
    os.close(writes)
    with os.fdopen(reads, "rb") as told:
        if status:
            raise RuntimeError(f"a process that opens the store ended with {status}")
        shutil.rmtree(f"{path}-copy")
        return Opening(*json.loads(told.read()))
