"""One event loop for each thread that runs coroutine functions, kept for as long as the thread lives.

A client that several jobs share (a session, a pool of connections) belongs to the loop in which it was first used. With
a loop for each job it would fail from the second on. What a job leaves running in the loop goes on with the next job.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any, Final, TypeVar

T = TypeVar("T")

_OTHER_LOOP: Final = ("different event loop", "different loop", "Event loop is closed")
_HINT: Final = (
    "Each worker has an event loop of its own, and a client belongs to the loop in which it was first used: keep "
    'one for each loop, or run the jobs in one: pool="asyncio" (docs/pools.md, Coroutines).'
)


class _Loop:
    """Of one thread; given back with it."""

    def __init__(self) -> None:
        # With a factory, so that it is not set as the loop of the thread, which may be one of the user's.
        self.runner: Final = asyncio.Runner(loop_factory=asyncio.new_event_loop)

    def __del__(self) -> None:
        self.runner.close()


_KEPT: Final = threading.local()


def run_in_loop(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns, run in the loop of this thread, with a copy of the present context."""
    kept: _Loop | None = getattr(_KEPT, "loop", None)
    if kept is None:
        kept = _KEPT.loop = _Loop()
    try:
        return kept.runner.run(work, context=copy_context())
    except RuntimeError as error:
        if any(words in str(error) for words in _OTHER_LOOP):
            error.add_note(_HINT)
        raise


def close_loop() -> None:
    """End what runs in the loop of this thread, and give it back. The next coroutine begins another one."""
    kept: _Loop | None = getattr(_KEPT, "loop", None)
    if kept is not None:
        _KEPT.loop = None
        kept.runner.close()


atexit.register(close_loop)
