"""The process stands still for a second to two hours while 100,000 jobs come due; then it catches up."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from time import perf_counter

from hourwheel.job import Job
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.testing import FakeClock

from .machine import Machine, Wrong

START_MS = 1_800_000_000_000


def stall(seconds: int, jobs: int, *, durable: bool, wrong: Wrong) -> float:
    """One stall; how many jobs a second were claimed and settled after it, in real time."""
    what = f"a stall of {seconds} s with {jobs} due, {'json' if durable else 'memory'}"
    clock = FakeClock(START_MS)
    with TemporaryDirectory(prefix="hourwheel-stall-") as directory:
        store = JsonStore(f"{directory}/tasks.json", clock=clock) if durable else MemoryStore()
        machine = Machine([store], clock, lambda told: wrong(f"{what}: {told}"))
        machine.tick()
        step_ms = max(1, seconds * 1000 // jobs)
        dues = [START_MS + 1500 + min(n * step_ms, seconds * 1000 - 1) for n in range(jobs)]
        store.add([Job(id=f"job-{n}", task="t", due_ms=due_ms) for n, due_ms in enumerate(dues)], 0)
        clock.advance(seconds + 1)
        began = perf_counter()
        machine.tick()
        machine.tick()
        took_s = perf_counter() - began
        if len(machine.starts) != jobs:
            wrong(f"{what}: {jobs - len(machine.starts)} have not begun after two ticks")
        machine.settle()
        stats = store.stats(clock.now_ms())
        if stats.succeeded != jobs or store.check():
            wrong(f"{what}: {stats}, {store.check()[:3]}")
        store.close()
    return jobs / took_s
