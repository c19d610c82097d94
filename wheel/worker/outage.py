"""Failures of the store, and bugs in the ticker: logged once, and tried again with a growing delay."""

from __future__ import annotations

from typing import Final

from .log import LOG

_FIRST_S: Final = 0.05
_LONGEST_S: Final = 1.0


class Trouble:
    """A failing store: when to try again, and what has been logged.

    >>> trouble = Trouble()
    >>> trouble.begin(OSError("disk"), 10.0), trouble.left_s(10.02)
    (0.05, 0.03)
    """

    def __init__(self) -> None:
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
        """Record a failed try, and return the seconds to wait. Errors are logged only if the message is new."""
        self._pause_s = min(_LONGEST_S, self._pause_s * 2 or _FIRST_S)
        self._until = monotonic + self._pause_s
        words = f"{type(error).__name__}: {error}"
        if words != self._said:
            self._said = words
            LOG.error("The store fails, and is tried again until it works: %s", words)
        return self._pause_s

    def end(self) -> None:
        """Record a try that worked."""
        if self._pause_s:
            LOG.info("The store works again")
            self._said, self._pause_s = "", 0.0


_BUGS_MOST: Final = 10
_BUGS_S: Final = 60.0
_BUG_PAUSE_S: Final = 5.0


class Bugs:
    """Counts steps of the ticker that failed with another error than one of the store: a bug, or a lack of memory.

    The ticker goes on after a pause. At the tenth failure within a minute it ends, so that you notice: a worker exits,
    and ``app.running`` is False.
    """

    def __init__(self) -> None:
        self._times: list[float] = []

    def pause_s(self, error: BaseException, monotonic: float) -> float:
        """Return the seconds until the next step, or raise ``error`` if there were too many."""
        self._times = [at for at in self._times if monotonic - at < _BUGS_S] + [monotonic]
        count = len(self._times)
        if count >= _BUGS_MOST:
            raise error
        pause_s: float = min(_BUG_PAUSE_S, _FIRST_S * 2.0 ** (count - 1))
        LOG.critical(
            "A step of the ticker failed, %d within a minute; the next is in %g s", count, pause_s, exc_info=error
        )
        return pause_s


_JUMP_S: Final = 2.0


class Jumps:
    """Logs when the wall clock was set. Nothing else needs to be done; see ticker.py."""

    _drift_s: float | None = None

    def look(self, now_ms: int, monotonic: float) -> None:
        """Compare the two clocks. Called now and then."""
        drift_s = now_ms / 1000 - monotonic
        if self._drift_s is not None and abs(drift_s - self._drift_s) > _JUMP_S:
            LOG.warning("The wall clock was set by %+.1f s, or the machine slept", drift_s - self._drift_s)
        self._drift_s = drift_s
