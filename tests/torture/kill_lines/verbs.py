"""Kills within the store's verbs: open, add, claim, settle, cancel, reschedule, revive, tidy, compact, close."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable
from typing import Final

from hourwheel.contract import find
from hourwheel.errors import HourwheelError
from hourwheel.job import Claim, Job, State, Succeeded
from hourwheel.store import JsonStore
from hourwheel.turn import effects

from tests.kit.jobs import NOW, StoppedClock, content
from tests.torture.power_loss.workload import Content, Scene, Step, history, steps
from tests.torture.report import Report

from .tracing import Line, Point, killed_after, killed_at, points, watched

KINDS: Final = (
    "add add add add_many add_many wait claim claim settle settle settle_stale cancel move forget revive tidy"
)
COMPACTING: Final = f"{KINDS} compact"
"""A compaction runs thirty thousand lines, most of them in loops over slots; so it is not in every history."""
_STEPS: Final = 24
_FILES_MOST: Final = 9
"""Snapshot, lock, next, two journals, two indexes, two life signs."""
Prepare = Callable[[], None]


def run(
    report: Report, seed: int, kills: int, prepare: Prepare = lambda: None, *, kinds: str = COMPACTING, only: str = ""
) -> set[Line]:
    """Kill one history at many lines; the lines.

    ``prepare`` is called in the process before it begins; ``only`` is the end of a path: kill only at lines of that file.
    """
    made = steps(seed, _STEPS, kinds)
    expected, ends = history(made)
    rng = random.Random(seed)
    with _directory() as directory:
        lines = watched(lambda step: _work(f"{directory}/watched", made, -1, prepare, step))
    chosen = points(lines, kills, rng, only)
    with _directory() as directory:
        for number, at in enumerate(chosen):
            path = f"{directory}/{number}"
            os.mkdir(path)
            wrong = _one_kill(path, made, at, expected, ends, prepare, again=rng.random() < 0.2)
            report.cases += 1
            if wrong:
                report.wrong(f"seed {seed}, killed at {at}: {wrong}")
            shutil.rmtree(path)
    return {(at.file, at.line) for at in chosen}


def _directory() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="hourwheel-kill-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)


def _opened(path: str) -> JsonStore:
    return JsonStore(path, durability="os", clock=StoppedClock(), lock_timeout_s=5.0)


def _work(path: str, made: list[Step], pipe: int, prepare: Prepare, next_step: Callable[[], None]) -> None:
    prepare()
    os.makedirs(path, exist_ok=True)
    store = _opened(f"{path}/tasks.json")
    scene = Scene(store=store)
    for step in made:
        step(scene)
        if pipe >= 0:
            os.write(pipe, b".")  # acknowledged
        next_step()
    store.close()


def _one_kill(
    path: str, made: list[Step], at: Point, expected: list[Content], ends: list[int], prepare: Prepare, *, again: bool
) -> str:
    reads, writes = os.pipe()
    try:
        status = killed_at(lambda step: _work(path, made, writes, prepare, step), at)
        os.close(writes)
        acknowledged = len(os.read(reads, 1 << 16))
    finally:
        os.close(reads)
    if status not in (0, -9):
        return f"the process ended with status {status}"
    floor = ends[acknowledged - 1] if acknowledged else 0
    ceiling = ends[min(acknowledged, len(ends) - 1)]
    if again:  # a second death, of one who opens what the first has left
        killed_after(lambda: _opened(f"{path}/tasks.json").close(), (at.line + at.nth) % 400)
    try:
        return _judged(path, expected[floor : ceiling + 1])
    except HourwheelError as error:
        return f"what is left cannot be used: {error!r:.120}"


def _judged(path: str, allowed: list[Content]) -> str:
    store = _opened(f"{path}/tasks.json")
    try:
        found = content(store)
        if found not in allowed:
            return _difference(found, allowed)
        if broken := store.check():
            return f"an invariant: {broken[0]}"
        return _go_on(store, found, path)
    finally:
        store.close()


def _difference(found: Content, allowed: list[Content]) -> str:
    if allowed[0].keys() - found.keys():
        return "an acknowledged job is lost"
    if found.keys() - allowed[-1].keys():
        return "a job is invented"
    return "the state is none that the store had since it last acknowledged"


def _go_on(store: JsonStore, found: Content, path: str) -> str:
    """Take the dead one's jobs, settle them with its claims and with ours; what it left behind."""
    orphans = [job for job in found.values() if job.state is State.RUNNING]
    claims = store.claim("rescuer", NOW + 10_000, 10_000)
    for job in orphans:
        now = find(store, job.id)
        assert now is not None
        if now.state is State.RUNNING and now.token == job.token:
            return f"job {job.id} still runs in the name of the dead"
    stale = [(_claim_of(job), Succeeded()) for job in orphans]
    if len(store.settle(effects(stale), NOW + 10_001)) != len(orphans):
        return "the claim of a dead process settled a job"
    if store.settle(effects([(claim, Succeeded()) for claim in claims]), NOW + 10_001):
        return "a claim made after the kill was lost"
    if store.check():
        return f"an invariant afterwards: {store.check()[0]}"
    files = os.listdir(path)
    return f"files pile up: {sorted(files)}" if len(files) > _FILES_MOST else ""


def _claim_of(job: Job) -> Claim:
    return Claim(job, job.token, job.owner or "")
