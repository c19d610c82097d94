"""One program of the campaign: ``python program.py KIND ROUNDS SEED [BUG]`` prints what was wrong as JSON."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    if os.environ["POOL_KIND"] == "gevent":
        from gevent import monkey

        monkey.patch_all()
    if os.environ["POOL_KIND"] == "eventlet":
        import eventlet

        eventlet.monkey_patch()

import json
import logging
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from hourwheel import chord
from hourwheel.job import FINISHED, Job
from hourwheel.worker.run import prepare as gathering

from tests.torture.hostile_jobs import poisons
from tests.torture.hostile_jobs.bugs import BUGS
from tests.torture.hostile_jobs.tasks import KIND, app, bad, eager, good, page, total

STILL_S = float(os.environ.get("STILL_S", "60"))
"""Nothing has ended for so long: it will not come to an end any more."""


class Handler(logging.Handler):
    """Raises something else each time."""

    def __init__(self, errors: list[BaseException]) -> None:
        super().__init__()
        self._errors = errors
        self._number = 0

    def emit(self, record: logging.LogRecord) -> None:
        """See logging."""
        if record.name.startswith("hourwheel"):
            self._number += 1
            raise self._errors[self._number % len(self._errors)]


def _errors() -> list[BaseException]:
    return [ValueError("x"), SystemExit(1), KeyboardInterrupt(), MemoryError(), poisons.hostile("__str__", "__class__")]


def _hooks(*_: object) -> None:
    raise random.choice(_errors())


def _listen() -> None:
    """Hooks and handlers that raise whatever they like."""
    for name in ("received", "started", "succeeded", "failed", "retried", "snoozed", "skipped"):
        getattr(app.on, name)(_hooks)
    logger = logging.getLogger("hourwheel")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(Handler(_errors()))


class Expected:
    """By the id of a job, how it must end, and how often it may have run."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.runs: dict[str, int] = {}
        self.names: dict[str, str] = {}

    def put(self, id: str, name: str, state: str, runs: int = 1) -> None:
        """Take a job in."""
        self.names[id], self.states[id], self.runs[id] = name, state, runs


def _add_all(choose: random.Random, expected: Expected) -> None:
    """Each poison once, in another order each time, and a neighbour beside each."""
    tasks = [bad, eager, *([app.registry.get("abad")] if "abad" in app.registry else [])]
    calls: list[tuple[Any, str, str, str]] = [
        (task, kind, name, state)
        for task in tasks
        for kind, table in (("returns", poisons.RETURNED), ("does", poisons.DONE))
        for name, (_, state) in table.items()
    ]
    calls += [(task, "raises", name, "failed") for task in (bad, *tasks[2:]) for name in poisons.RAISED]
    if KIND in ("threads", "solo"):
        calls += [(bad, "does", name, state) for name, (_, state) in poisons.FORKS.items()]
    neighbours = [good, *([app.registry.get("agood")] if "agood" in app.registry else [])]
    choose.shuffle(calls)
    for number, (task, kind, name, state) in enumerate(calls):
        tried_again = task is eager and kind == "does" and state == "failed" and name != "sys.exit"
        expected.put(task.delay(kind, name).id, f"{task.name} {kind} {name}", state, 3 if tried_again else 1)
        neighbour = choose.choice(neighbours)
        expected.put(neighbour.delay(number).id, "a neighbour", "succeeded")
    _add_payloads(expected)
    _add_chords(expected)


def _add_payloads(expected: Expected) -> None:
    now_ms = app.clock.now_ms()
    for number, (name, text) in enumerate(poisons.PAYLOADS.items()):
        id = f"payload-{number}-{choose_id()}"
        app.store.add([Job(id=id, task="takes", due_ms=now_ms, created_ms=now_ms, payload=text)], 0, fresh=True)
        expected.put(id, f"payload {name}", "failed", 0)


_numbers = iter(range(1 << 30))


def choose_id() -> int:
    """Another one each time."""
    return next(_numbers)


def _add_chords(expected: Expected) -> None:
    for pages, state in ((10, "succeeded"), (20, "failed")):  # the limit is set between the two
        whole = chord([page.s(number) for number in range(pages)], total.s()).delay()
        expected.put(whole.id, f"chord of {pages} long results", state, 1 if state == "succeeded" else 0)


def _until_over(expected: Expected) -> bool:
    """Whether all have ended as far as they can; by what ends, not by the clock."""
    left, since = -1, time.monotonic()
    while True:
        jobs = [app.store.get([id])[0] for id in expected.states]
        now = sum(1 for job in jobs if job is None or not (job.state in FINISHED or job.reason))
        if not now or not app.running:
            return not now
        if now != left:
            left, since = now, time.monotonic()
        elif time.monotonic() - since > STILL_S:
            return False
        time.sleep(0.02)


def _wrong(expected: Expected) -> Iterator[str]:
    runs = Counter(_lines(os.environ["RUNS"]))
    for id, state in expected.states.items():
        job, name = app.store.get([id])[0], expected.names[id]
        if job is None:
            yield f"{name}: lost"
            continue
        if job.state != state:
            yield f"{name}: {job.state}, not {state} ({job.reason}; {str(job.error)[:300]})"
        if job.crashes:
            yield f"{name}: counted as {job.crashes} crashes"
        if runs[id] != expected.runs[id]:
            yield f"{name}: ran {runs[id]} times, not {expected.runs[id]}"
        if len(job.reason or "") > 5_000:
            yield f"{name}: a reason of {len(job.reason or '')} characters"
    yield from (f"check: {violation}" for violation in app.store.check())


def _lines(path: str) -> list[str]:
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def main(rounds: int, seed: int, bug: str | None) -> None:
    """Some rounds of all poisons."""
    choose, expected, wrong = random.Random(seed), Expected(), list[str]()
    gathering.GATHERED_BYTES = 3_000_000
    random.seed(seed)
    _listen()
    if bug is not None:
        BUGS[bug]()
    app.start()
    for _ in range(rounds):
        _add_all(choose, expected)
        if not _until_over(expected):
            wrong.append("the ticker has ended" if not app.running else "it does not come to its end")
            break
    last = good.delay(0)
    expected.put(last.id, "the last one", "succeeded")
    if not wrong and not _until_over(expected):
        wrong.append("nothing runs any more")
    wrong += _wrong(expected)
    print(json.dumps({"cases": len(expected.states), "wrong": wrong}), flush=True)
    os._exit(0)  # jobs may be left that nothing ends


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
