"""SIGTERM and SIGINT for a scheduler that is the whole program: the first asks to stop, the second means now.

A Python signal handler runs in the main thread, between any two instructions of whatever that thread was doing, so it
must take no lock: it counts and nothing else. Nor may the main thread sleep in a lock, because a signal that the
kernel hands to another thread would not end that sleep. So it sleeps on a pipe, into which the interpreter's own
handler in C writes a byte, whichever thread it runs in.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def _reader(fd: int) -> Callable[[], object]:
    """What blocks until there is something to read."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return poll.poll
    return lambda: select.select([fd], [], [])  # eventlet takes poll away


class Waiter:
    """The calling thread waits here for signals, or for somebody to say that something happened."""

    def __init__(self) -> None:
        self.signals = 0
        """How many have come."""
        self._lock = threading.Lock()
        self._ends: tuple[int, int] | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals for as long as the block runs; in another thread than the main one, leave them alone."""
        reads, writes = self._ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if threading.current_thread() is threading.main_thread():
                with self._handling(writes):
                    yield
            else:
                yield
        finally:
            with self._lock:  # nobody may write to a number that is somebody else's file by then
                self._ends = None
                os.close(reads)
                os.close(writes)

    @contextmanager
    def _handling(self, writes: int) -> Iterator[None]:
        fd_before = signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
        before = [(number, signal.getsignal(number)) for number in SIGNALS]
        try:
            for number in SIGNALS:
                signal.signal(number, self._on_signal)
            yield
        finally:
            for number, handler in before:
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
            signal.set_wakeup_fd(fd_before)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.signals += 1

    def wait_while(self, condition: Callable[[], bool]) -> None:
        """Block for as long as ``condition`` holds; it is looked at again whenever something has happened."""
        assert self._ends is not None
        reads = self._ends[0]
        poll = _reader(reads)
        while condition():
            poll()
            os.read(reads, 4096)

    def happened(self) -> None:
        """Let the waiting thread look. From any thread, also after nobody waits any more."""
        with self._lock:
            if self._ends is not None:
                try:
                    os.write(self._ends[1], b"\0")
                except BlockingIOError:
                    return  # it is full of wake-ups already
