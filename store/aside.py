"""Aside: the one thread in which a store does what no caller should wait for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

LOG: Final = logging.getLogger("hourwheel.store")
_REST: Final = 1.0
"""Seconds of rest for each second of work, so that the work does not keep the interpreter from the callers."""
_STRETCH_S: Final = 0.001


class Aside:
    """Runs work given to it in a daemon thread that is started when it is first needed."""

    def __init__(self) -> None:
        self._given = threading.Condition(threading.Lock())
        self._work: list[Callable[[], None]] = []
        self._regular: tuple[float, Callable[[], None]] | None = None
        self._regular_since = 0.0
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._worked_since = 0.0

    def do(self, work: Callable[[], None]) -> None:
        """Run ``work`` soon."""
        with self._given:
            self._work.append(work)
            self._start()
            self._given.notify()

    def every(self, seconds: float, work: Callable[[], None]) -> None:
        """Run ``work`` every so many seconds, also while other work is at hand, in its pauses."""
        with self._given:
            self._regular_since = time.monotonic()  # noqa: TID251 - how long to wait, not what time it is
            self._regular = (seconds, work)
            self._start()

    def pause(self) -> None:
        """Called by work between its pieces: rest as long as the last stretch of work took the processor."""
        if self._stopping:
            raise Stopped
        if self._regular is not None and time.monotonic() - self._regular_since >= self._regular[0]:  # noqa: TID251
            self._do_regular()
        worked = time.thread_time() - self._worked_since
        if worked >= _STRETCH_S:
            time.sleep(worked * _REST)
            self._worked_since = time.thread_time()

    def stop(self) -> None:
        """Let the work at hand end at its next pause, and wait for that."""
        with self._given:
            self._stopping = True
            self._given.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _start(self) -> None:
        if self._thread is None and not self._stopping:
            self._thread = threading.Thread(target=self._run, name="hourwheel-store-aside", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            self._worked_since = time.thread_time()
            try:
                work()
            except Stopped:
                return
            except Exception:  # this thread must go on: whoever asked for the next work will not ask again
                LOG.exception("work aside of a store failed")

    def _do_regular(self) -> None:
        self._regular_since = time.monotonic()  # noqa: TID251
        if self._regular is not None:
            self._regular[1]()

    def _next(self) -> Callable[[], None] | None:
        with self._given:
            while not self._work and not self._stopping:
                if self._regular is None:
                    self._given.wait()
                elif not self._given.wait(self._regular[0]):
                    return self._do_regular
            return None if self._stopping else self._work.pop(0)


class Stopped(BaseException):
    """Raised in work at a pause once the store is closing."""
