"""Doorbell: how the threads of one process tell each other that there is something to look at."""

from __future__ import annotations

import threading


class Doorbell:
    """Each ring wakes every thread that waits; one that comes to wait later finds what it has missed.

    >>> bell = Doorbell()
    >>> bell.ring()
    >>> bell.wait(0), bell.wait(0)
    (True, False)
    """

    def __init__(self) -> None:
        self._rung = threading.Condition(threading.Lock())
        self._times = 0
        self._heard = threading.local()

    def ring(self) -> None:
        """Wake all who wait."""
        with self._rung:
            self._times += 1
            self._rung.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Sleep until the bell rings or for ``timeout_s`` seconds; True if it rang since this thread last heard it."""
        heard = getattr(self._heard, "times", 0)
        with self._rung:
            if self._times == heard and timeout_s > 0:
                self._rung.wait(timeout_s)
            self._heard.times = self._times
            return self._times != heard
