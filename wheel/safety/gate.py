"""Gate: a lock for the threads of a process that no exception can leave held.

An exception from outside (Ctrl-C, a signal's handler that raises) can strike between any two instructions: between the
taking of a lock and the ``try`` that is to release it, in the ``finally`` that releases it, in ``__enter__`` and
``__exit__``. What is held by then stays held, and every later call hangs. Here,

- taking is one step of the interpreter (``dict.setdefault``), inside the ``try``, and what is put down names the visit;
- leaving may be done twice, the second time changes nothing, and it stands in two ``finally``, one around the other:
  what strikes in one is followed by the other;
- should two exceptions strike in both, the next thread that waits sees that the visit is not on the stack of its thread
  any more, and takes over. A waiting thread looks every few milliseconds, so a lost wake-up costs no more than that;
- a soft time limit waits until the visit is over (wheel/safety/shield.py).

A signal's handler that comes by while its own thread is inside cannot wait for itself: it gets StoreReentered, and may
leave work behind (``defer``) that is done when the visit it interrupted is over.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from threading import get_ident
from types import FrameType
from typing import Final, TypeVar, TypeVarTuple

from ..clock import SystemClock
from ..errors import StoreBusy, StoreReentered
from .plain import harmless_logger
from .shield import ALARMS

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

_LOOK_S: Final = 0.02
"""How often a waiting thread looks whether anybody is inside."""
LEAST_PATIENCE_S: Final = 60.0
_CLOCK: Final = SystemClock()
_TAKING_OVER: Final = threading.RLock()
_log: Final = harmless_logger("hourwheel.store")


Visit = list[int]
"""One call that passes through a gate, told from others by its identity: the number of its thread."""


class Gate:
    """Lets one call through at a time.

    Args:
        what: the name of what is behind it, for messages.
        patience_s: how long a call waits for other threads, in seconds.
    """

    __slots__ = ("_deferred", "_held", "_parked", "_patience_s", "_what", "on_leave")

    def __init__(self, what: str, *, patience_s: float = LEAST_PATIENCE_S) -> None:
        self.on_leave: Callable[[], None] = _nothing
        """Called as a call leaves, before the next is let in; twice, if an exception strikes in it."""
        self._what = what
        self._patience_s = patience_s
        self._held: dict[int, Visit] = {}
        self._parked: deque[threading.Lock] = deque()
        self._deferred: deque[Callable[[], object]] = deque()

    def run(self, work: Callable[[*Ts], R], *args: *Ts, wait: bool = True) -> R:
        """What ``work(*args)`` returns; nobody else passes meanwhile.

        Args:
            work: what to do inside.
            args: what to do it with.
            wait: for other threads, if one is inside.

        Raises:
            Occupied: another thread is inside, and ``wait`` is False.
            StoreBusy: other threads have been inside for too long.
            StoreReentered: this thread is inside already, interrupted by the handler of a signal.
            SoftTimeLimitExceeded: the work is done, and the time of the job that asked for it is over.
        """
        visit = [get_ident()]
        held = self._held
        alarm = ALARMS.get(visit[0]) if ALARMS else None
        try:
            try:
                if alarm is not None:
                    alarm.enter(visit)
                if held.setdefault(0, visit) is not visit:
                    self._wait(visit, wait)
                return work(*args)
            finally:
                if held.get(0) is visit:
                    self._leave(visit)
        finally:
            if held.get(0) is visit:
                self._leave(visit)
            if self._deferred:
                self._do_deferred()
            if alarm is not None:
                alarm.leave(visit)

    def defer(self, work: Callable[[], object]) -> None:
        """After StoreReentered: have ``work`` done by the interrupted thread, as soon as it is outside."""
        self._deferred.append(work)

    def _do_deferred(self) -> None:
        if self.is_mine():
            return  # of a visit within another one: this thread is still inside
        try:
            while True:
                work = self._deferred.popleft()
                try:
                    work()
                except Exception:
                    _log.exception("%s: a change that the handler of a signal asked for failed", self._what)
        except IndexError:
            return

    def is_mine(self) -> bool:
        """Whether the calling thread is inside."""
        holder = self._held.get(0)
        return holder is not None and holder[0] == get_ident()

    def is_free(self) -> bool:
        """Whether nobody is inside at this moment."""
        return not self._held

    def _leave(self, visit: Visit) -> None:
        self.on_leave()
        if self._held.get(0) is visit:
            del self._held[0]
        if self._parked:
            self._wake()

    def _wake(self) -> None:
        try:
            self._parked.popleft().release()
        except IndexError:
            return

    # ---- waiting -----------------------------------------------------------------------------------------

    def _wait(self, visit: Visit, wait: bool) -> None:
        if self.is_mine() and not self._takes_over(visit):
            raise StoreReentered(self._what)
        until = _CLOCK.monotonic() + self._patience_s
        bell = threading.Lock()
        bell.acquire()
        try:
            while self._held.setdefault(0, visit) is not visit:
                if not wait:
                    raise Occupied
                if bell not in self._parked:
                    self._parked.append(bell)  # and look once more: who left just now has not seen it
                elif not bell.acquire(timeout=_LOOK_S) and not self._takes_over(visit) and _CLOCK.monotonic() > until:
                    raise StoreBusy(
                        f"{self._what}: other threads of this process keep it busy for {self._patience_s:g} s"
                    )
        finally:
            if bell in self._parked:
                self._parked.remove(bell)

    def _takes_over(self, visit: Visit) -> bool:
        """Take the place of a visit that is over, but was struck before it could leave; whether it was so."""
        with _TAKING_OVER:
            holder = self._held.get(0)
            if holder is None or _is_inside(holder) or self._held.get(0) is not holder:
                return False
            self._held[0] = visit
            return True


def _nothing() -> None:
    """What is done on leaving, as long as nobody has said otherwise."""


class Occupied(Exception):
    """Another thread is inside."""


def _is_inside(visit: Visit) -> bool:
    """Whether the call is on the stack of its thread; also if that cannot be told, as of greenlets."""
    frame: FrameType | None = sys._current_frames().get(visit[0])
    if frame is None:
        return True
    while frame is not None:
        if frame.f_code is _RUN and frame.f_locals.get("visit") is visit:
            return True
        frame = frame.f_back
    return False


_RUN: Final = Gate.run.__code__
