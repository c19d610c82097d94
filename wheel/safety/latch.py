"""Latch: a bell for one sleeper, of a lock and nothing else."""

from __future__ import annotations

import threading


class Latch:
    """What the ticker waits for when the store has no bell of its own. A ring before the wait is not lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def notify(self) -> None:
        """End the wait, or the next one."""
        try:
            self._lock.release()
        except RuntimeError:  # it has been rung already
            return

    def wait(self, timeout_s: float) -> bool:
        """Sleep until notified, for at most so many seconds; whether it was."""
        return self._lock.acquire(timeout=max(0.0, timeout_s))
