"""The gevent and eventlet pools: the thread pool in a program whose threads have been replaced by greenlets.

Both libraries patch threads, locks, queues and sleeping in the standard library. In a program that was patched before
anything else was imported, the thread pool therefore is a pool of greenlets; the ticker and the store's lock work with
greenlets, too. ``hourwheel worker -P gevent`` patches the program. A program that starts a scheduler itself must do so
in its first lines.

This module checks that the program is patched, and enforces time limits: either library can raise an exception in a
greenlet where it waits. (A greenlet that computes without waiting cannot be interrupted, and no other one runs.)
"""

from __future__ import annotations

import queue
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, TypeVar

from ...clock import Clock
from ...errors import SchedulerError, SoftTimeLimitExceeded, TimeLimitExceeded
from ...job import Claim, Outcome
from ...tasks.options.time_limits import Guard, Limits
from . import threads
from .threads import ThreadPool

R = TypeVar("R")

_AGAIN_S: Final = 1.0
"""How often a function that catches the exception of its hard limit gets it again."""
PATCHES: Final = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}
"""What must run before anything else is imported."""
_ASKS: Final = {
    "gevent": ("gevent.monkey", "is_module_patched", "threading"),
    "eventlet": ("eventlet.patcher", "is_monkey_patched", "thread"),
}


def installed(name: str) -> bool:
    """Whether the library is installed."""
    return find_spec(name) is not None


def patched(name: str) -> bool:
    """Whether the library had patched this program before Hourwheel was imported."""
    module, asks, what = _ASKS[name]
    library = sys.modules.get(module)  # not imported: nothing is patched
    return bool(library and getattr(library, asks)(what)) and vars(threads)["SimpleQueue"] is queue.SimpleQueue


def missing(name: str) -> str:
    """The error message if the library is not installed."""
    return f"the pool {name} needs {name}, which is not installed: pip install 'hourwheel[{name}]'"


class GreenPool(ThreadPool):
    """Runs claims on ``workers`` greenlets."""

    def __init__(self, library: str, workers: int, run: Callable[[Claim], Outcome], clock: Clock) -> None:
        """Make a pool, without starting it; see ThreadPool.

        Raises:
            SchedulerError: ``library`` ("gevent" or "eventlet") is not installed, or has not patched this program.
        """
        if not installed(library):
            raise SchedulerError(missing(library))
        if not patched(library):
            raise SchedulerError(
                f"the pool {library} needs a program that was patched by {library} before anything else was imported: "
                f"start it with the line: {PATCHES[library]} (hourwheel worker -P {library} does this for you)"
            )
        super().__init__(workers, run, clock)


# ---- time limits -----------------------------------------------------------------------------------------


class _Stop(BaseException):
    """Raised in a greenlet at its hard limit. ``except Exception`` does not catch it."""

    from_outside: Final = True


def guard_of(library: str) -> Guard:
    """Return the guard that enforces limits in the library's greenlets."""
    timers: Any = _GeventTimer if library == "gevent" else _EventletTimer

    def guard(limits: Limits, work: Callable[[], R]) -> R:
        soft = None if limits.soft_s is None else timers(limits.soft_s, SoftTimeLimitExceeded)
        hard = None if limits.hard_s is None else timers(limits.hard_s, _Stop, again=True)
        try:
            result = work()
        except _Stop as stop:
            raise _over(limits).with_traceback(stop.__traceback__) from None  # shows where it hung
        finally:
            for timer in (soft, hard):
                if timer is not None:
                    timer.cancel()
        if hard is not None and hard.rung:  # the function caught _Stop and returned
            raise _over(limits)
        return result

    return guard


def _over(limits: Limits) -> TimeLimitExceeded:
    return TimeLimitExceeded(f"it ran for more than its time_limit, {limits.hard_s:g} s, and was stopped")


class _GeventTimer:
    """Raises an exception in the greenlet that made it."""

    def __init__(self, seconds: float, error: type[BaseException], *, again: bool = False) -> None:
        gevent = import_module("gevent")
        self.rung = False
        self._greenlet, self._error = gevent.getcurrent(), error
        self._timer = gevent.get_hub().loop.timer(seconds, repeat=_AGAIN_S if again else 0)
        self._timer.start(self._ring)

    def _ring(self) -> None:
        self.rung = True
        self._greenlet.throw(self._error)

    def cancel(self) -> None:
        self._timer.close()


class _EventletTimer:
    """Raises an exception in the greenlet that made it."""

    def __init__(self, seconds: float, error: type[BaseException], *, again: bool = False) -> None:
        self._hubs = import_module("eventlet.hubs")
        self.rung = False
        self._greenlet = import_module("eventlet").getcurrent()
        self._error, self._again = error, again
        self._timer = self._hubs.get_hub().schedule_call_global(seconds, self._ring)

    def _ring(self) -> None:
        self.rung = True
        if self._again:
            self._timer = self._hubs.get_hub().schedule_call_global(_AGAIN_S, self._ring)
        self._greenlet.throw(self._error)

    def cancel(self) -> None:
        self._timer.cancel()
