"""A soft time limit for a plain function in a thread: an exception that another thread has the interpreter raise in it.

The interpreter raises it between two instructions of Python. A thread that waits in C (a socket without a timeout, a
long sleep, a lock) gets it when that call returns, and not before: docs/pools.md says so to users.

One that comes too late is not taken back but let arrive: the interpreter would go on looking for it at every jump,
and CPython 3.11 under a tracer (a debugger, coverage) would do nothing else for ever.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .errors import SoftTimeLimitExceeded
from .time_limits import Limits


@contextmanager
def soft_limit(limits: Limits) -> Iterator[None]:
    """For as long as the block runs: after ``limits.soft_s`` seconds raise SoftTimeLimitExceeded in it, once."""
    if limits.soft_s is None:
        yield
        return
    alarm = _Alarm(threading.get_ident())
    timer = threading.Timer(limits.soft_s, alarm.ring)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        alarm.end()


class _Alarm:
    def __init__(self, thread_id: int) -> None:
        self._thread_id = ctypes.c_ulong(thread_id)
        self._lock = threading.Lock()
        self._rung = False
        self._over = False

    def ring(self) -> None:
        with self._lock:
            if not self._over:
                self._rung = True
                self._raise()

    def end(self) -> None:
        """In the thread itself. An exception that is on its way arrives in here, and not later."""
        with self._lock:
            self._over = True
        if self._rung:
            with suppress(SoftTimeLimitExceeded):
                while self._raise():  # in the place of one on its way, so that exactly one is
                    pass

    def _raise(self) -> bool:
        """Have it raised in the thread; False if the interpreter knows no thread of that number."""
        error = ctypes.py_object(SoftTimeLimitExceeded)
        return bool(ctypes.pythonapi.PyThreadState_SetAsyncExc(self._thread_id, error))
