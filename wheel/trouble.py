"""Trouble: a store that fails now and then is said once and tried again, later and later."""

from __future__ import annotations

import logging
from typing import Final

_FIRST_S: Final = 0.05
_LONGEST_S: Final = 1.0


class Trouble:
    """Remembers that the store fails, when to try again, and what was said about it already.

    >>> trouble = Trouble(logging.getLogger("hourwheel.worker"))
    >>> trouble.begin(OSError("disk"), 10.0), trouble.left_s(10.02)
    (0.05, 0.03)
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said = ""
        self._pause_s = 0.0
        self._until = 0.0

    def __bool__(self) -> bool:
        """Whether the last try failed."""
        return self._pause_s > 0.0

    def left_s(self, monotonic: float) -> float:
        """Seconds to wait before the next try; 0 when there is nothing to wait for."""
        return round(max(0.0, self._until - monotonic), 9) if self else 0.0

    def begin(self, error: Exception, monotonic: float) -> float:
        """A try failed; returns the seconds to wait. Only an error that says something new is logged."""
        self._pause_s = min(_LONGEST_S, self._pause_s * 2 or _FIRST_S)
        self._until = monotonic + self._pause_s
        words = f"{type(error).__name__}: {error}"
        if words != self._said:
            self._said = words
            self._log.error("The store fails, and is tried again until it works: %s", words)
        return self._pause_s

    def end(self) -> None:
        """A try worked."""
        if self._pause_s:
            self._log.info("The store works again")
            self._said, self._pause_s = "", 0.0
