"""Latch: an event for one waiting thread, made of a single lock."""

from __future__ import annotations

import threading


class Latch:
    """What the ticker waits on if the store has no wake-up of its own. A notification before the wait is not lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def notify(self) -> None:
        """End the wait, or the next one."""
        try:
            self._lock.release()
        except RuntimeError:  # already notified
            return

    def wait(self, timeout_s: float) -> bool:
        """Sleep until notified, for at most ``timeout_s`` seconds; return whether it was notified."""
        return self._lock.acquire(timeout=max(0.0, timeout_s))
