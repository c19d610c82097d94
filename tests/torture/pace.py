"""Pace: how fast this machine is at present, so that campaigns judge what was done and not how long it took.

A number of seconds in a campaign is what it takes on the machine that docs/reliability.md was measured on, two cores of
it idle. Each process measures how much slower it is here, with another process at work beside it, and everything that
waits or allows a time takes as much more. Nobody waits longer than needed: these are bounds.
"""

from __future__ import annotations

import os
import time
from functools import cache
from typing import Final

BESIDE: Final = 2
"""Processes that are at work at once."""
_REFERENCE_S: Final = 0.07
"""What _work() takes there."""
_PATIENCE: Final = 3.0
"""For what may only hang: how much longer than expected it may take, since the load may change."""


@cache
def slowness() -> float:
    """How many times slower than there this machine is: 1.0 or more.

    A process that was begun by another one takes the larger of both measures.
    """
    pids = []
    began = time.monotonic()
    for _ in range(BESIDE):
        pid = os.fork()
        if pid == 0:
            _work()
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    took = (time.monotonic() - began) / _REFERENCE_S
    found = max(1.0, took, float(os.environ.get("TORTURE_SLOWNESS", "1")))
    os.environ["TORTURE_SLOWNESS"] = f"{found:.2f}"
    return found


def _work() -> None:
    kept: dict[str, int] = {}
    for n in range(300_000):
        kept[f"job-{n % 1000}"] = n * n % 7919


def allowed(seconds: float) -> float:
    """A time that is promised to users, as it is on this machine."""
    return seconds * slowness()


def patient(seconds: float) -> float:
    """A time after which something is taken to hang, as it is on this machine."""
    return seconds * slowness() * _PATIENCE
