"""The soft time limit of a plain function in a thread: another thread makes the interpreter raise an exception in it.

The interpreter raises it between two bytecode instructions. A thread that waits in C (on a socket without a timeout, in
a long sleep, for a lock) gets it only when that call returns; docs/pools.md says so. In the middle of a store's verb it
is held back until the verb ends (shield.py).

An exception that is set too late is not taken back; we let it arrive. After taking it back the interpreter would keep
looking for it at every jump, and CPython 3.11 under a tracer (a debugger, coverage) would loop forever.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Final, TypeVar

from ...clock import SystemClock
from ...errors import SoftTimeLimitExceeded
from ...safety.plain import harmless_logger
from ...safety.shield import ALARMS, Alarm, take_off
from ...tasks.options.time_limits import Limits

R = TypeVar("R")

_LOG: Final = harmless_logger("hourwheel.worker")
_MONOTONIC: Final = SystemClock().monotonic
_IDLE_S: Final = 60.0
_AGAIN_S: Final = 0.001
_TRIES: Final = 1_000
_TOUCHY: Final = frozenset({"contextlib", "importlib", "logging", "queue", "threading", "weakref"})
"""Modules of the standard library that hold locks in Python code: a limit waits until the thread has left them."""


def soft_limit(limits: Limits, work: Callable[[], R]) -> R:
    """Return ``work()``. After ``limits.soft_s`` seconds, SoftTimeLimitExceeded is raised in it once."""
    if limits.soft_s is None:
        return work()
    thread = threading.get_ident()
    alarm = Alarm(lambda: raise_in(thread), outer=ALARMS.get(thread))
    try:
        try:
            ALARMS[thread] = alarm
            _CLOCK.set(_MONOTONIC() + limits.soft_s, thread, alarm)
            return work()
        finally:  # twice: the limit may strike in the first one
            _end(alarm, thread)
    finally:
        _end(alarm, thread)


def _end(alarm: Alarm, thread: int) -> None:
    """End the alarm, in the thread itself. An exception that is already set arrives in here, not later."""
    alarm.end()
    if alarm.struck:
        with suppress(SoftTimeLimitExceeded):
            while raise_in(thread):  # replaces one that is already set, so exactly one arrives
                pass
    take_off(alarm, thread)


def raise_in(thread: int) -> bool:
    """Make the interpreter raise SoftTimeLimitExceeded in a thread. Return False if there is no such thread."""
    error = ctypes.py_object(SoftTimeLimitExceeded)
    return bool(ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error))


class _AlarmClock:
    """A thread that rings all alarms of the process when they are due. It ends after a minute without alarms."""

    def __init__(self) -> None:
        self._new: SimpleQueue[tuple[float, int, int, int, Alarm]] = SimpleQueue()
        self._numbers = count()
        self._threads: dict[int, object] = {}

    def set(self, at: float, thread: int, alarm: Alarm) -> None:
        """Ring a thread's alarm at an instant of the monotonic clock."""
        self._new.put((at, next(self._numbers), 0, thread, alarm))
        me = object()
        if self._threads.setdefault(0, me) is not me:
            return
        try:
            _thread.start_new_thread(self._run, ())
        except RuntimeError:
            self._threads.clear()
            _LOG.warning("no thread can be started: soft time limits are not enforced until one can")

    def _run(self) -> None:
        waiting: list[tuple[float, int, int, int, Alarm]] = []
        try:
            while True:
                left_s = waiting[0][0] - _MONOTONIC() if waiting else _IDLE_S
                try:
                    heappush(waiting, self._new.get(timeout=max(left_s, 0.0)))
                except Empty:
                    if not waiting:
                        return
                    self._ring(heappop(waiting))
        finally:
            self._threads.clear()

    def _ring(self, due: tuple[float, int, int, int, Alarm]) -> None:
        _, number, tries, thread, alarm = due
        if tries < _TRIES and _is_touchy(sys._current_frames().get(thread)):
            self._new.put((_MONOTONIC() + _AGAIN_S, number, tries + 1, thread, alarm))
        else:
            alarm.ring()


def _is_touchy(frame: FrameType | None) -> bool:
    """Whether a thread is in code of the standard library that would leave a lock held if an exception struck."""
    return frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _TOUCHY


_CLOCK: Final = _AlarmClock()


def _after_fork_in_child() -> None:
    _CLOCK.__init__()  # type: ignore[misc]  # its thread does not exist in the child
    ALARMS.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
