"""Interrupts: whether it was a person who pressed Ctrl-C, or a job that has raised KeyboardInterrupt."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def noted() -> Iterator[Callable[[], bool]]:
    """For as long as the block runs, if that is in the main thread: tells whether SIGINT has come.

    The handler that there is goes on handling it.
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
        if signal.getsignal(signal.SIGINT) is note:  # a job may have set another
            signal.signal(signal.SIGINT, before)
