"""What two versions are asked to do by ``benchmarks.against``: a script, with nothing that the older may not have.

``python in_common.py NAME DIRECTORY WHEEL STORE`` prints a rate; WHEEL and STORE are the names that the version's two
packages are imported by.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from inspect import signature
from typing import Any

_WHEEL, _STORE = sys.argv[3:5] if __name__ == "__main__" else ("hourwheel", "hourwheel.store")
JsonStore = import_module(_STORE).JsonStore
Scheduler = import_module(_WHEEL).Scheduler
Job, Succeeded = (getattr(import_module(f"{_WHEEL}.job"), name) for name in ("Job", "Succeeded"))

if "now_ms" in signature(JsonStore.add).parameters:
    _effects, _NOW = import_module(f"{_WHEEL}.turn").effects, (0,)
else:  # an older store is not told the time when jobs are added, and settles outcomes
    _effects, _NOW = (lambda outcomes: outcomes), ()

_LOT = 1_000


def _app(directory: str, durability: str) -> Any:
    return Scheduler(JsonStore(f"{directory}/tasks.json", durability=durability), workers=4)


def delay(directory: str, durability: str, seconds: float = 1.5) -> float:
    """delay() calls a second, one thread: the median of lots."""
    app = _app(directory, durability)

    @app.task(name="app.remind")
    def remind(user: int, text: str) -> None:
        """Due long after the end."""

    rates = []
    begun = time.perf_counter()
    while (lot_begun := time.perf_counter()) < begun + seconds:
        for number in range(_LOT):
            remind.delay(number, "a text of some words", countdown=900)
        rates.append(_LOT / (time.perf_counter() - lot_begun))
    return sorted(rates)[len(rates) // 2]


def claims(directory: str, count: int = 20_000) -> float:
    """Jobs a second through claim() and settle(), without a disk that syncs and without threads."""
    store = JsonStore(f"{directory}/tasks.json", durability="os")
    jobs = [Job(id=f"job-{number:032}", task="app.nothing", due_ms=1_000) for number in range(count)]
    store.add(jobs, *_NOW, fresh=True)
    begun = time.perf_counter()
    while found := store.claim("me", 2_000, 1_024):
        store.settle(_effects([(claim, Succeeded(returned="null")) for claim in found]), 2_100)
    return count / (time.perf_counter() - begun)


def burst(directory: str, count: int = 10_000) -> float:
    """Jobs a second from the instant at which all are due until all are settled."""
    app = _app(directory, "sync")
    ran: list[None] = []

    @app.task(name="app.nothing")
    def nothing() -> None:
        ran.append(None)

    with app:
        due = time.time() + 1.0
        app.schedule_many(nothing, [((), {})] * count, eta=datetime.fromtimestamp(due, UTC))
        while len(ran) < count:
            time.sleep(0.002)
        while app.store.stats(int(time.time() * 1000)).succeeded < count:
            time.sleep(0.001)
        return count / (time.time() - due)


PROGRAMS = {
    "`delay()`, os": lambda directory: delay(directory, "os"),
    "`delay()`, sync": lambda directory: delay(directory, "sync"),
    "`claim()` and `settle()`, os": claims,
    "burst of 10,000 jobs, sync": burst,
}


if __name__ == "__main__":
    print(json.dumps([sys.modules[_WHEEL].__file__, PROGRAMS[sys.argv[1]](sys.argv[2])]), flush=True)
