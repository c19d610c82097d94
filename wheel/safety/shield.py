"""Shield: the sections of ours in which a soft time limit does not strike.

A soft limit of a plain function is an exception that is raised in its thread between any two instructions
(interrupt.py, pool/child.py). In the function that is what its author asked for. In the middle of a change to a store
it would leave half of one, so a store's verbs enter their section here, and a limit that comes meanwhile is raised as
they leave it.

    with a limit armed:      delay() ... enter | write, apply | leave -> SoftTimeLimitExceeded
    without one (nearly all):        one look at an empty dict
"""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Final

from ..errors import SoftTimeLimitExceeded


class Alarm:
    """The soft limit of one run. It strikes once, in the thread that runs it, outside of our sections.

    Args:
        strike: raises SoftTimeLimitExceeded in that thread.
        outer: the limit of a run that has called this one in the same thread.
    """

    __slots__ = ("_inside", "_lock", "_over", "_strike", "_waits", "outer", "struck")

    def __init__(self, strike: Callable[[], object], outer: Alarm | None = None) -> None:
        self.outer = outer
        self.struck = False
        """Whether it was raised, or is on its way."""
        self._strike = strike
        self._lock = RLock()  # a signal's handler may enter while this thread does
        self._inside: dict[int, object] = {}
        self._waits = False
        self._over = False

    def ring(self) -> None:
        """The time is over. From any thread."""
        with self._lock:
            if self._over or self.struck:
                return
            if self._inside:
                self._waits = True
                return
            self.struck = True
            self._strike()

    def enter(self, visit: object) -> None:
        """Begin a section. One that is struck in here has not begun it; ``leave`` is right all the same."""
        with self._lock:
            self._inside[id(visit)] = visit
        if self.outer is not None:
            self.outer.enter(visit)

    def leave(self, visit: object) -> None:
        """End a section; a second time changes nothing.

        Raises:
            SoftTimeLimitExceeded: the time was over meanwhile.
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
        """The run is over: it does not strike any more."""
        with self._lock:
            self._over = True


ALARMS: Final[dict[int, Alarm]] = {}
"""The newest alarm of each thread that has one, by its number (threading.get_ident)."""


def take_off(alarm: Alarm, thread: int) -> None:
    """Forget an alarm that is over; what it covered is in force again. A second time changes nothing."""
    if ALARMS.get(thread) is alarm:
        if alarm.outer is None:
            del ALARMS[thread]
        else:
            ALARMS[thread] = alarm.outer
