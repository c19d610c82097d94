"""SIGTERM and SIGINT for a scheduler that is the whole program: the first stops it, the second stops it now.

A Python signal handler runs in the main thread, between any two instructions, so it must take no lock: it only counts.
The main thread must not sleep in a lock either, because a signal that the kernel delivers to another thread would not
wake it. So it sleeps on a pipe, to which the interpreter's own handler in C writes a byte, in whichever thread it runs.

A forked child would inherit the handlers, but it has no thread that looks at the count, so SIGTERM could not end it,
and a multiprocessing.Pool in a job, which ends its children with SIGTERM, would wait for ever. So the previous handlers
are restored in a child.
"""

from __future__ import annotations

import math
import os
import select
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from ..clock import SystemClock

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_POLL_MOST_MS: Final = 3_600_000


def _readable(fd: int, timeout_ms: int) -> bool:
    """Wait until there is something to read. Return whether there is."""
    if not hasattr(select, "poll"):  # eventlet removes it
        return bool(select.select([fd], [], [], timeout_ms / 1000)[0])
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(timeout_ms))


def _may_handle() -> bool:
    """Whether this is the interpreter's main thread; with eventlet, threading does not know."""
    try:
        signal.set_wakeup_fd(signal.set_wakeup_fd(-1))
    except ValueError:
        return False
    return True


class Waiter:
    """Lets a thread wait for signals, and for calls of happened()."""

    def __init__(self) -> None:
        self._monotonic = SystemClock().monotonic
        self.signals = 0
        """How many signals have come."""
        self._lock = threading.Lock()
        self._ends: tuple[int, int] | None = None
        self._restore: Callable[[], None] = lambda: None
        _ALL.add(self)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals in the block, if that is in the main thread."""
        _, writes = self._ends = os.pipe()
        try:
            for end in self._ends:
                os.set_blocking(end, False)
            if _may_handle():
                with self._handling(writes):
                    yield
            else:
                yield
        finally:
            self._close()

    def _close(self) -> None:
        with self._lock:  # happened() must not write to a descriptor that was closed and reused
            ends, self._ends = self._ends, None
            for end in ends or ():
                os.close(end)

    @contextmanager
    def _handling(self, writes: int) -> Iterator[None]:
        fd_before = signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
        before = [(number, signal.getsignal(number)) for number in SIGNALS]

        def restore() -> None:
            self._restore = lambda: None
            for number, handler in before:
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
            signal.set_wakeup_fd(fd_before)

        self._restore = restore
        try:
            for number in SIGNALS:
                signal.signal(number, self._on_signal)
            yield
        finally:
            self._restore()

    def forget_parent(self) -> None:
        """In a forked child: restore the previous handlers, and close the pipe."""
        self._lock = threading.Lock()
        self._restore()
        self._close()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.signals += 1

    def wait_while(self, condition: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Wait while ``condition`` holds, for at most ``timeout_s`` seconds; None for ever.

        The condition is checked after each signal and each happened().
        """
        assert self._ends is not None
        reads = self._ends[0]
        end = None if timeout_s is None else self._monotonic() + timeout_s
        while condition():
            left_s = None if end is None else end - self._monotonic()
            if left_s is not None and left_s <= 0:
                return
            if _readable(reads, _POLL_MOST_MS if left_s is None else min(math.ceil(left_s * 1000), _POLL_MOST_MS)):
                os.read(reads, 4096)

    def happened(self) -> None:
        """Make the waiting thread check its condition. May be called from any thread, and when none waits."""
        with self._lock:
            if self._ends is not None:
                try:
                    os.write(self._ends[1], b"\0")
                except BlockingIOError:
                    return  # the pipe is full of wake-ups already


_ALL: Final[weakref.WeakSet[Waiter]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for waiter in list(_ALL):
        waiter.forget_parent()


os.register_at_fork(after_in_child=_after_fork_in_child)
