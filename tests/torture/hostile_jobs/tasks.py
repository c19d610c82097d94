"""The tasks that the programs of this campaign run, in whatever pool; POOL_KIND, STORE and RUNS are in the environment."""

from __future__ import annotations

import os
from typing import Any

from hourwheel import Scheduler, current_job

from .poisons import DONE, FORKS, RAISED, RETURNED

KIND = os.environ["POOL_KIND"]
app = Scheduler(os.environ["STORE"], workers=1 if KIND == "solo" else 3, pool=KIND, durability="os")


def _ran() -> None:
    job = current_job()
    assert job is not None
    fd = os.open(os.environ["RUNS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC)
    os.write(fd, f"{job.id}\n".encode())
    os.close(fd)


def _do(kind: str, name: str) -> Any:
    _ran()
    if kind == "returns":
        return RETURNED[name][0]()
    if kind == "raises":
        error = RAISED[name]()
        raise error
    return {**DONE, **FORKS}[name][0]()


@app.task(name="good")
def good(number: int) -> int:
    """A neighbour."""
    _ran()
    return number


@app.task(name="bad", autoretry_for=(ZeroDivisionError,))
def bad(kind: str, name: str) -> Any:
    """Does what it is told."""
    return _do(kind, name)


@app.task(name="eager", autoretry_for=(Exception,), max_retries=2, default_retry_delay=0, retry_jitter=False)
def eager(kind: str, name: str) -> Any:
    """Does it again and again, if it is let."""
    return _do(kind, name)


@app.task(name="takes")
def takes(text: str) -> str:
    """Given arguments that somebody has written into the store."""
    _ran()
    return text


@app.task(name="page")
def page(number: int) -> str:
    """A long result."""
    _ran()
    return str(number % 10) * 200_000


@app.task(name="total")
def total(pages: list[str]) -> int:
    """Given more than a call may have."""
    _ran()
    return sum(map(len, pages))


@app.task(name="bound", bind=True)
def bound(self: Any) -> None:
    """Its update_state is what others use."""


if KIND not in ("gevent", "eventlet"):

    @app.task(name="agood")
    async def agood(number: int) -> int:
        """A neighbour on the loop."""
        _ran()
        return number

    @app.task(name="abad")
    async def abad(kind: str, name: str) -> Any:
        """Does it on the loop."""
        return _do(kind, name)
