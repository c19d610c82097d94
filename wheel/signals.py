"""SIGTERM and SIGINT for a scheduler that is the whole program: the first asks to stop, the second means now.

A Python signal handler runs in the main thread, between any two instructions of whatever that thread was doing; it
must not take a lock that the thread may hold. So it only counts and lets go of a latch.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_LOOK_S: Final = 10.0


class Waiter:
    """The main thread waits here for signals, or for the scheduler to end by itself."""

    def __init__(self) -> None:
        self.signals = 0
        """How many have come."""
        self._latch = threading.Lock()
        self._latch.acquire()

    def wait_while(self, condition: Callable[[], bool]) -> None:
        """Block for as long as ``condition`` holds; it is looked at again whenever something has happened."""
        while condition():
            self._latch.acquire(timeout=_LOOK_S)

    def happened(self) -> None:
        """Let the waiting thread look."""
        try:
            self._latch.release()
        except RuntimeError:  # it is about to look anyway
            return

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.signals += 1
        self.happened()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals for as long as the block runs; in another thread than the main one, leave them alone."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: list[tuple[signal.Signals, Any]] = []
        try:
            for number in SIGNALS:
                before.append((number, signal.signal(number, self._on_signal)))
            yield
        finally:
            for number, handler in before:
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
