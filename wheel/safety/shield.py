"""Shield: sections of our code in which a soft time limit is held back.

The soft time limit of a plain function is an exception raised in its thread between any two instructions
(interrupt.py, pool/child.py). In the user's function that is intended. In the middle of a change to a store it would
leave half a change. So the verbs of a store enter a section here, and a limit that is reached meanwhile is raised when
they leave it.

    with a time limit:            delay() ... enter | write, apply | leave -> SoftTimeLimitExceeded
    without one (nearly always):  one look into an empty dict
"""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Final

from ..errors import SoftTimeLimitExceeded


class Alarm:
    """The soft time limit of one run. It is raised once, in the thread of the run, outside of sections.

    Args:
        strike: raises SoftTimeLimitExceeded in that thread.
        outer: the alarm of an outer run in the same thread, which called this one.
    """

    __slots__ = ("_inside", "_lock", "_over", "_strike", "_waits", "outer", "struck")

    def __init__(self, strike: Callable[[], object], outer: Alarm | None = None) -> None:
        self.outer = outer
        self.struck = False
        """Whether the limit was raised, or is about to be."""
        self._strike = strike
        self._lock = RLock()  # a signal handler may call enter() while this thread is in it
        self._inside: dict[int, object] = {}
        self._waits = False
        self._over = False

    def ring(self) -> None:
        """Raise the limit now, or when the section ends. May be called from any thread."""
        with self._lock:
            if self._over or self.struck:
                return
            if self._inside:
                self._waits = True
                return
            self.struck = True
            self._strike()

    def enter(self, visit: object) -> None:
        """Begin a section. If an exception strikes in here, calling ``leave`` is still correct."""
        with self._lock:
            self._inside[id(visit)] = visit
        if self.outer is not None:
            self.outer.enter(visit)

    def leave(self, visit: object) -> None:
        """End a section. A second call does nothing.

        Raises:
            SoftTimeLimitExceeded: the limit was reached in the section.
        """
        if self.outer is not None:
            self.outer.leave(visit)
        with self._lock:
            self._inside.pop(id(visit), None)
            due = self._waits and not self._inside and not self._over
            if due:
                self._waits, self.struck = False, True
        if due:
            raise SoftTimeLimitExceeded

    def end(self) -> None:
        """The run is over: never raise the limit from now on."""
        with self._lock:
            self._over = True


ALARMS: Final[dict[int, Alarm]] = {}
"""The innermost alarm of each thread that has one, by threading.get_ident()."""


def take_off(alarm: Alarm, thread: int) -> None:
    """Remove an alarm whose run is over; its outer alarm applies again. A second call does nothing."""
    if ALARMS.get(thread) is alarm:
        if alarm.outer is None:
            del ALARMS[thread]
        else:
            ALARMS[thread] = alarm.outer
