"""Greenlets: the threads of threads.py in a program whose threads are greenlets, made so by gevent or eventlet.

Both libraries replace what the standard library has for threads, locks, queues and sleeping. In a program that they
have patched before anything else was imported the thread pool is a pool of greenlets as it stands, and so are the
ticker and the store's waiting for its lock. ``hourwheel worker -P gevent`` patches; a program that starts a scheduler
by itself has to do so in its first lines.

What is left to do here is to tell when it was not done, and to hold greenlets to time limits: either library can raise
an exception in a greenlet where it waits. (One that computes and never waits cannot be reached, nor can anybody else
run.)
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
"""A function that caught what was to stop it gets it again so often."""
PATCHES: Final = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}
"""What has to run before anything else is imported."""
_ASKS: Final = {
    "gevent": ("gevent.monkey", "is_module_patched", "threading"),
    "eventlet": ("eventlet.patcher", "is_monkey_patched", "thread"),
}


def installed(name: str) -> bool:
    """Whether the library is there."""
    return find_spec(name) is not None


def patched(name: str) -> bool:
    """Whether it has patched this program, and before Hourwheel was imported."""
    module, asks, what = _ASKS[name]
    library = sys.modules.get(module)  # one that nobody has imported has patched nothing
    return bool(library and getattr(library, asks)(what)) and vars(threads)["SimpleQueue"] is queue.SimpleQueue


def missing(name: str) -> str:
    """What to tell somebody who has not installed it."""
    return f"the pool {name} needs {name}, which is not installed: pip install 'hourwheel[{name}]'"


class GreenPool(ThreadPool):
    """Runs claims on ``workers`` greenlets."""

    def __init__(self, library: str, workers: int, run: Callable[[Claim], Outcome], clock: Clock) -> None:
        """A pool that is not started; see ThreadPool.

        Raises:
            SchedulerError: ``library`` ("gevent" or "eventlet") is not installed, or has not patched this program.
        """
        if not installed(library):
            raise SchedulerError(missing(library))
        if not patched(library):
            raise SchedulerError(
                f"the pool {library} needs a program that {library} has patched before anything else was imported: "
                f"begin it with the line: {PATCHES[library]} (hourwheel worker -P {library} does so by itself)"
            )
        super().__init__(workers, run, clock)


# ---- time limits -----------------------------------------------------------------------------------------


class _Stop(BaseException):
    """Raised in a greenlet whose hard limit is over; ``except Exception`` does not catch it."""

    from_outside: Final = True


def guard_of(library: str) -> Guard:
    """What holds a function in this library's greenlets to limits."""
    timers: Any = _GeventTimer if library == "gevent" else _EventletTimer

    def guard(limits: Limits, work: Callable[[], R]) -> R:
        soft = None if limits.soft_s is None else timers(limits.soft_s, SoftTimeLimitExceeded)
        hard = None if limits.hard_s is None else timers(limits.hard_s, _Stop, again=True)
        try:
            result = work()
        except _Stop as stop:
            raise _over(limits).with_traceback(stop.__traceback__) from None  # which shows where it hung
        finally:
            for timer in (soft, hard):
                if timer is not None:
                    timer.cancel()
        if hard is not None and hard.rung:  # it went on when it was told to stop
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
