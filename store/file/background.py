"""Background: the one thread in which a store does what no caller should wait for.

Work is handed over through a SimpleQueue, which is written in C, so that an exception in a caller cannot leave it half
done. Where no thread can be started, callers do the regular work (``overdue``), and the rest is put off.
"""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

from ...safety.calm import CalmLogger

LOG: Final = CalmLogger("hourwheel.store")
_REST: Final = 1.0
"""Seconds of rest for each second of work, so that the work does not keep callers from the GIL."""
_STRETCH_S: Final = 0.001
_STOP_MOST_S: Final = 30.0
"""How long stop() waits for a piece of work."""
_LATE: Final = 4.0
"""Regular work is overdue after so many of its periods."""


class Background:
    """Runs work in one thread, which is started when it is first needed and ends with the process."""

    def __init__(self) -> None:
        self._given: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._regular: tuple[float, Callable[[], None]] | None = None
        self._regular_since = 0.0
        self._stopping = False
        self._threads: dict[int, object] = {}
        self._thread_id: int | None = None
        self._ended = threading.Lock()
        self._worked_since = 0.0

    def do(self, work: Callable[[], None]) -> bool:
        """Run ``work`` soon; False if there is no thread for it, and none can be started."""
        self._given.put(work)
        return self._start()

    def every(self, seconds: float, work: Callable[[], None]) -> None:
        """Run ``work`` every so many seconds, also in the pauses of other work."""
        self._regular_since = time.monotonic()  # noqa: TID251 - how long to wait, not what time it is
        self._regular = (seconds, work)
        self.do(_nothing)

    def overdue(self) -> Callable[[], None] | None:
        """The regular work, if it should have been done long ago; then the caller must do it."""
        if self._regular is None:
            return None
        seconds, work = self._regular
        now = time.monotonic()  # noqa: TID251
        if now - self._regular_since <= _LATE * seconds or self._start():
            return None
        self._regular_since = now
        return work

    def pause(self) -> None:
        """Called by work between its pieces: rest for as long as the last piece used the processor."""
        if self._stopping:
            raise Stopped
        if self._regular is not None and time.monotonic() - self._regular_since >= self._regular[0]:  # noqa: TID251
            self._do_regular()
        worked = time.thread_time() - self._worked_since
        if worked >= _STRETCH_S:
            time.sleep(worked * _REST)
            self._worked_since = time.thread_time()

    def stop(self) -> None:
        """End the present work at its next pause, and wait for that."""
        self._stopping = True
        self._given.put(None)
        if self._threads and self._thread_id != threading.get_ident() and self._ended.acquire(timeout=_STOP_MOST_S):
            self._ended.release()

    def _start(self) -> bool:
        me = object()
        try:
            if self._stopping or self._threads.setdefault(0, me) is not me:
                return not self._stopping
            self._ended.acquire(blocking=False)
            _thread.start_new_thread(self._run, ())
        except BaseException as error:
            if self._threads.get(0) is me:
                self._threads.clear()
            if isinstance(error, RuntimeError):  # there are too many threads
                return False
            raise
        return True

    def _run(self) -> None:
        self._thread_id = threading.get_ident()
        try:
            while (work := self._next()) is not None:
                self._worked_since = time.thread_time()
                try:
                    work()
                except Stopped:
                    return
                except Exception:  # this thread must go on: the next work is not handed over again
                    LOG.exception("background work of a store failed")
        finally:
            with suppress(RuntimeError):
                self._ended.release()

    def _do_regular(self) -> None:
        self._regular_since = time.monotonic()  # noqa: TID251
        if self._regular is not None:
            self._regular[1]()

    def _next(self) -> Callable[[], None] | None:
        try:
            work = self._given.get(timeout=None if self._regular is None else self._regular[0])
        except Empty:
            work = self._do_regular
        return None if self._stopping else work


def _nothing() -> None:
    """Work that only wakes the thread."""


class Stopped(BaseException):
    """Raised at a pause of work once the store is closing."""
