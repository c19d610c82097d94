"""Gate: a lock for the threads of a process that stays usable whatever exception strikes while it is held.

An asynchronous exception (Ctrl-C, a signal handler that raises) can strike between any two instructions: after a lock
is acquired but before the ``try``, in the ``finally`` that releases it, in ``__enter__`` or ``__exit__``. A lock of the
standard library is then never released, and later calls hang. Here:

- To acquire is one atomic call (``dict.setdefault``) inside the ``try``, which stores the visit as the holder.
- To release is idempotent, and is done in two nested ``finally`` blocks: if an exception strikes in the inner one, the
  outer one still runs.
- If exceptions strike in both, the next waiting thread notices that the visit is no longer on the stack of its thread,
  and takes over. Waiting threads look every 20 ms, so a lost wake-up costs no more than that.
- A soft time limit is held back until the visit is over (wheel/safety/shield.py).

A thread that comes back again and again would keep all others out: it gives up the interpreter where it makes a system
call, which is inside, so whoever wakes up finds the gate taken. Therefore a call that has waited for 5 ms is next: who
leaves hands the gate over to it. (Handing it over at every leave would cost two switches of threads a call.)

A signal handler that interrupts its own thread inside the gate cannot wait for it. It gets StoreReentered, and may
leave work (``defer``) that is done when the interrupted visit is over.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
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
"""How often a waiting thread checks whether the gate is free."""
_FAIR_S: Final = 0.005
"""How long a call waits before it is next."""
LEAST_PATIENCE_S: Final = 60.0
_CLOCK: Final = SystemClock()
_TAKING_OVER: Final = threading.RLock()
_log: Final = harmless_logger("hourwheel.store")


Visit = list[int]
"""One call through a gate: a list of its thread's number, and _GAVE_UP if it waited in vain. Compared by identity."""
_GAVE_UP: Final = -1


class Gate:
    """Lets one call through at a time.

    Args:
        what: what the gate protects, for messages.
        patience_s: how long a call waits for other threads, in seconds.
    """

    __slots__ = ("_deferred", "_held", "_next", "_parked", "_patience_s", "_what", "on_leave")

    def __init__(self, what: str, *, patience_s: float = LEAST_PATIENCE_S) -> None:
        self.on_leave: Callable[[], None] = _nothing
        """Called when a visit ends, before the next begins. Called twice if an exception strikes in it."""
        self._what = what
        self._patience_s = patience_s
        self._held: dict[int, Visit] = {}
        self._parked: deque[threading.Lock] = deque()
        self._next: deque[tuple[Visit, threading.Lock]] = deque()
        self._deferred: deque[Callable[[], object]] = deque()

    def run(self, work: Callable[[*Ts], R], *args: *Ts, wait: bool = True) -> R:
        """Return ``work(*args)``, called while no other thread is inside.

        Raises:
            Occupied: another thread is inside, and ``wait`` is False.
            StoreBusy: waited for other threads for too long.
            StoreReentered: this thread is already inside; a signal handler interrupted it.
            SoftTimeLimitExceeded: the work is done, but the job that called it has meanwhile run out of time.
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
        """After StoreReentered: let the interrupted thread do ``work`` as soon as it is outside."""
        self._deferred.append(work)

    def _do_deferred(self) -> None:
        if self.is_mine():
            return  # this visit was inside another one of the same thread
        try:
            while True:
                work = self._deferred.popleft()
                try:
                    work()
                except Exception:
                    _log.exception("%s: a change requested by a signal handler failed", self._what)
        except IndexError:
            return

    def is_mine(self) -> bool:
        """Whether the calling thread is inside."""
        holder = self._held.get(0)
        return holder is not None and holder[0] == get_ident()

    def is_free(self) -> bool:
        """Whether no thread is inside at this moment."""
        return not self._held

    def _leave(self, visit: Visit) -> None:
        self.on_leave()
        if self._next:
            self._hand_over(visit)
        if self._held.get(0) is visit:
            del self._held[0]
        if self._parked:
            self._wake()

    def _hand_over(self, visit: Visit) -> None:
        with suppress(IndexError, RuntimeError):
            successor, bell = self._next.popleft()
            if self._held.get(0) is visit:
                self._held[0] = successor  # if it gives up just now, the next one takes over
            bell.release()

    def _wake(self) -> None:
        with suppress(IndexError, RuntimeError):  # RuntimeError: another thread has woken it just now
            self._parked.popleft().release()

    # ---- waiting -----------------------------------------------------------------------------------------

    def _wait(self, visit: Visit, wait: bool) -> None:
        if self.is_mine() and not self._takes_over(visit):
            raise StoreReentered(self._what)
        bell = threading.Lock()
        bell.acquire()
        turn = (visit, bell)
        began = _CLOCK.monotonic()
        try:
            while self._held.setdefault(0, visit) is not visit:
                if not wait:
                    raise Occupied
                waited_s = _CLOCK.monotonic() - began
                if bell not in self._parked and turn not in self._next:
                    if waited_s < _FAIR_S:
                        self._parked.append(bell)
                    else:
                        self._next.append(turn)  # then look once more: a visit that just ended has not seen it
                elif not bell.acquire(timeout=_LOOK_S) and not self._takes_over(visit) and waited_s > self._patience_s:
                    raise StoreBusy(
                        f"{self._what}: other threads of this process have kept it busy for {self._patience_s:g} s"
                    )
        except BaseException:
            visit.append(_GAVE_UP)
            raise
        finally:
            for queue, place in ((self._parked, bell), (self._next, turn)):
                with suppress(ValueError):
                    queue.remove(place)  # type: ignore[arg-type]

    def _takes_over(self, visit: Visit) -> bool:
        """Replace the holder if its visit was interrupted before it could release; return whether it was."""
        with _TAKING_OVER:
            holder = self._held.get(0)
            if holder is None or _is_inside(holder) or self._held.get(0) is not holder:
                return False
            self._held[0] = visit
            return True


def _nothing() -> None:
    """The default of ``on_leave``."""


class Occupied(Exception):
    """Another thread is inside."""


def _is_inside(visit: Visit) -> bool:
    """Whether the visit is on the stack of its thread. A greenlet's stack is unknown: its visit is, if it goes on."""
    frame: FrameType | None = sys._current_frames().get(visit[0])
    if frame is None:
        return _GAVE_UP not in visit
    while frame is not None:
        if frame.f_code is _RUN and frame.f_locals.get("visit") is visit:
            return True
        frame = frame.f_back
    return False


_RUN: Final = Gate.run.__code__
