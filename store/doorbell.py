"""Doorbell: the threads of a process tell each other that there is something to look at.

It consists of locks alone: threading.Condition is written in Python, and an exception that strikes in it, such as
Ctrl-C in a ``get()``, would leave its lock held, and the next ring would hang.
"""

from __future__ import annotations

import threading
from itertools import count


class Doorbell:
    """Each ring wakes every waiting thread; a thread that waits later learns of the rings that it has missed.

    >>> bell = Doorbell()
    >>> bell.ring()
    >>> bell.wait(0), bell.wait(0)
    (True, False)
    """

    def __init__(self) -> None:
        self._sleepers: dict[object, threading.Lock] = {}
        self._numbers = count(1)
        self._rung = 0
        """The number of a recent ring; of two rings at the same time it may be either."""
        self._heard = threading.local()

    def ring(self) -> None:
        """Wake all waiting threads."""
        self._rung = next(self._numbers)
        for asleep in list(self._sleepers.values()):
            try:
                asleep.release()
            except RuntimeError:  # it is awake already
                continue

    def wait(self, timeout_s: float) -> bool:
        """Sleep until the bell rings or for ``timeout_s`` seconds; True if it rang since this thread last heard it."""
        heard = getattr(self._heard, "number", 0)
        if self._rung == heard and timeout_s > 0:
            self._sleep(heard, timeout_s)
        self._heard.number = rung = self._rung
        return rung != heard

    def _sleep(self, heard: int, timeout_s: float) -> None:
        sleeper, asleep = object(), threading.Lock()
        asleep.acquire()
        self._sleepers[sleeper] = asleep
        try:
            if self._rung == heard:  # it has not rung in the meantime
                asleep.acquire(timeout=min(timeout_s, threading.TIMEOUT_MAX))
        finally:
            self._sleepers.pop(sleeper, None)
