"""Tell Ctrl-C from a KeyboardInterrupt that a job has raised."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def noted() -> Iterator[Callable[[], bool]]:
    """In the block, if that is in the main thread, note SIGINT. Yields a function that says whether it has come.

    The handler that was installed before is still called.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: False
        return
    handle, came = before, False

    def note(number: int, frame: FrameType | None) -> object:
        nonlocal came
        came = True
        return handle(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: came
    finally:
        if signal.getsignal(signal.SIGINT) is note:  # a job may have installed another one
            signal.signal(signal.SIGINT, before)
