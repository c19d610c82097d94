"""The work that is measured: one task, calls of it spread over a day, and stores in which many of them wait."""

from __future__ import annotations

import os
import random
import shutil
import signal
from functools import cache
from itertools import cycle
from typing import Any

from hourwheel import Scheduler, Task

from . import children
from .harness import Scale

ARGS = (4711, "table free")
"""The arguments of every call; with them a job is 150 bytes of JSON."""
CALL = (ARGS, dict[str, Any]())
_BATCH = 500


def scheduler(path: str, *, durability: str = "sync", workers: int = 4) -> tuple[Scheduler, Task[..., None]]:
    """A scheduler on a JSON store, and a task of it that does nothing."""
    app = Scheduler(path, workers=workers, durability=durability)

    @app.task(name="app.remind")
    def remind(user_id: int, text: str) -> None:
        """Nothing."""

    return app, remind


def countdowns() -> cycle[float]:
    """Seconds until due, spread over a day so that nothing comes due while it is measured."""
    chance = random.Random(20)
    return cycle([chance.uniform(3_600, 86_400) for _ in range(5_000)])


def copy(path: str, to: str) -> str:
    """A copy of a store that nobody has open; its path."""
    shutil.copytree(os.path.dirname(path), to, dirs_exist_ok=True)
    return os.path.join(to, os.path.basename(path))


# ---- stores in which many jobs wait ----------------------------------------------------------------------


@cache
def pending(scale: Scale, count: int) -> tuple[str, dict[str, int]]:
    """A compacted store with ``count`` scheduled jobs, made once in a run, by a process of its own: its path, and what
    that process held. Nobody is to open it: ``copy`` it."""
    path = os.path.join(scale.scratch(f"pending-{count}"), "tasks.json")
    return path, children.run("workload:fill", path, count)


def fill(path: str, count: int) -> dict[str, int]:
    """Add ``count`` jobs in bulk calls, then compact; in a child. Returns resident bytes: before, after, compacted."""
    app, remind = scheduler(path, durability="os")
    app.store.next_due()
    before = children.rss()
    when = countdowns()
    for done in range(0, count, _BATCH):
        app.schedule_many(remind, [CALL] * min(_BATCH, count - done), countdown=next(when))
    after = children.rss()
    app.store.compact()  # type: ignore[attr-defined]
    compacted = children.rss()
    app.close()
    return {"before": before, "after": after, "compacted": compacted}


@cache
def killed(scale: Scale, count: int) -> str:
    """A store whose ``count`` jobs are all in the journal, because its process was killed before it compacted."""
    path = os.path.join(scale.scratch(f"killed-{count}"), "tasks.json")
    children.run("workload:fill_and_die", path, count, killed=True)
    return path


def fill_and_die(path: str, count: int) -> None:
    """Add ``count`` jobs in one call and be killed; in a child."""
    app, remind = scheduler(path)
    app.schedule_many(remind, [CALL] * count, countdown=7_200)
    os.kill(os.getpid(), signal.SIGKILL)
