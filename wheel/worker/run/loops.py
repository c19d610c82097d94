"""An event loop for each thread that runs coroutine functions, kept as long as the thread lives.

A client that several jobs share (a session, a pool of connections) belongs to the loop in which it was first used. With
a new loop for each job, it would fail from the second job on. Tasks that a job leaves in the loop go on with the next
job.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Final, TypeVar

T = TypeVar("T")

_OTHER_LOOP: Final = ("different event loop", "different loop", "Event loop is closed")
_HINT: Final = (
    "Each worker has its own event loop, and a client belongs to the loop in which it was first used: keep one client "
    'per loop, or run all jobs in one loop with pool="asyncio" (docs/pools.md, Coroutines).'
)


class _Loop:
    """The loop of a thread; closed when the thread ends."""

    def __init__(self) -> None:
        # With a factory, Runner does not set it as the current loop of the thread, which may be the user's.
        self.runner: Final = asyncio.Runner(loop_factory=asyncio.new_event_loop)

    def __del__(self) -> None:
        self.runner.close()


_KEPT: Final = threading.local()


def run_in_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the loop of this thread, with a copy of the current context, and return its result."""
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
    """Cancel what runs in the loop of this thread, and close it. The next coroutine gets a new loop."""
    kept: _Loop | None = getattr(_KEPT, "loop", None)
    if kept is not None:
        _KEPT.loop = None
        kept.runner.close()


@atexit.register
def _close_at_exit() -> None:
    with suppress(RuntimeError):  # Python 3.12 starts no thread now, not even to end those of asyncio.to_thread
        close_loop()
