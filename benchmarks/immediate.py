"""delay() without a countdown: how long from the call to the start, in one process and from one to another."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue

from hourwheel import Scheduler

from . import children
from .floor import Floor
from .harness import Row, Sample, Scale, percentile

_MS = 1_000_000
_GAP_S = 0.01


def rows(scale: Scale) -> list[Row]:
    count, rounds = scale.size(1_000, 100), scale.size(3, 1)
    one, two, bare = [], [], []
    for _ in range(rounds):
        one.append(children.run("immediate:alone", f"{scale.scratch('immediate')}/tasks.json", count))
        bare.append(children.run("immediate:bare", scale.scratch("immediate-floor"), count))
        two.append(_across(f"{scale.scratch('immediate')}/tasks.json", count))
    low = f"{_p99(bare).show(' ms', 2)} (p50 {_p50(bare).show(' ms', 2)})"
    beside = f"from one thread to another by a queue, with a synced write on either side {low}"
    what = "`delay()` to start, sync, {}: p99 (p50 {})"
    return [
        Row(
            what=what.format("one process", _p50(one).show(" ms", 2)), figure=_p99(one).show(" ms", 2), beside=beside,
            measure=_p99(one).median, unit=" ms", bound=5, sense="at most",
        ),
        Row(
            what=what.format("from one process to another", _p50(two).show(" ms", 2)), figure=_p99(two).show(" ms", 2),
            beside=beside, measure=_p99(two).median, unit=" ms", bound=50, sense="at most",
        ),
    ]  # fmt: skip


def _p50(batches: list[list[float]]) -> Sample:
    return Sample(tuple(percentile(batch, 50) for batch in batches))


def _p99(batches: list[list[float]]) -> Sample:
    return Sample(tuple(percentile(batch, 99) for batch in batches))


def _across(path: str, count: int) -> list[float]:
    worker = children.begin("immediate:work", path, count)
    children.wait_ready(worker)
    children.run("immediate:produce", path, count)
    found: list[float] = children.finish(worker)
    return found


# ---- in a child ------------------------------------------------------------------------------------------


def _stamping(path: str) -> tuple[Scheduler, list[float], threading.Semaphore]:
    app = Scheduler(path)
    late: list[float] = []
    ran = threading.Semaphore(0)

    @app.task(name="app.stamp")
    def stamp(called_ns: int) -> None:
        late.append((time.time_ns() - called_ns) / _MS)
        ran.release()

    return app, late, ran


def _call(app: Scheduler, count: int) -> None:
    stamp = app.registry.get("app.stamp")
    for number in range(count):
        time.sleep(_GAP_S + number % 7 / 1000)
        stamp.delay(time.time_ns())


def alone(path: str, count: int) -> list[float]:
    """Milliseconds from call to start, caller and workers in one process."""
    app, late, ran = _stamping(path)
    with app:
        _call(app, count)
        _wait_for(ran, count)
    return late


def work(path: str, count: int) -> list[float]:
    """The worker's side of two processes."""
    app, late, ran = _stamping(path)
    with app:
        children.ready()
        _wait_for(ran, count)
    return late


def produce(path: str, count: int) -> None:
    """The caller's side of two processes."""
    app, _, _ = _stamping(path)
    _call(app, count)
    app.close()


def _wait_for(ran: threading.Semaphore, count: int) -> None:
    for _ in range(count):
        if not ran.acquire(timeout=60):
            raise RuntimeError("a job did not start within a minute")


def bare(directory: str, count: int) -> list[float]:
    """The floor: a value is written, synced and put into a queue; the thread that waits for it writes that it has it,
    synced."""
    floor = Floor(directory)
    late: list[float] = []
    queue: SimpleQueue[int] = SimpleQueue()

    def serve() -> None:
        while len(late) < count:
            put_ns = queue.get()
            floor.add_synced()
            late.append((time.time_ns() - put_ns) / _MS)

    server = threading.Thread(target=serve)
    server.start()
    for number in range(count):
        time.sleep(_GAP_S + number % 7 / 1000)
        called_ns = time.time_ns()
        floor.add_synced()
        queue.put(called_ns)
    server.join()
    return late
