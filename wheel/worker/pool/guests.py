"""Guests: extra threads for jobs that running jobs wait for. A guest ends after 10 s without work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from ...job import Claim

_IDLE_S: Final = 10.0


class Guests:
    """Threads, at least as many as there are claims for them to run."""

    def __init__(self, live: Callable[[int], None], first: int) -> None:
        """Start without threads.

        Args:
            live: the body of a guest, called with the number of its place; it returns when its taker returns None.
            first: the number of the first place.
        """
        self._live = live
        self._first = first
        self._inbox: SimpleQueue[Claim | None] = SimpleQueue()
        self._threads: dict[int, threading.Thread] = {}
        self._idle = 0
        self._lock = threading.Lock()

    def __contains__(self, thread: threading.Thread) -> bool:
        return thread in list(self._threads.values())

    def put(self, claim: Claim) -> None:
        """Run a claim immediately.

        Raises:
            RuntimeError: no thread can be started for it.
        """
        with self._lock:
            idle = self._idle > 0
            self._idle -= idle
        if not idle:
            self._hire()
        self._inbox.put(claim)

    def _hire(self) -> None:
        place = self._first
        while place in self._threads:
            place += 1
        thread = threading.Thread(target=self._serve, args=(place,), name=f"hourwheel-guest-{place}", daemon=True)
        self._threads[place] = thread
        try:
            thread.start()
        except RuntimeError:
            del self._threads[place]
            raise

    def _serve(self, place: int) -> None:
        try:
            self._live(place)
        finally:
            self._threads.pop(place, None)

    def taker(self) -> Callable[[], Claim | None]:
        """Return a function that gives one guest its next claim; None after 10 s without one, or after close()."""
        came_for_one = True

        def take() -> Claim | None:
            nonlocal came_for_one
            if not came_for_one:
                with self._lock:
                    self._idle += 1
            came_for_one = False
            while True:
                try:
                    return self._inbox.get(timeout=_IDLE_S)
                except Empty:
                    with self._lock:
                        if self._idle > 0:  # otherwise a claim was just put for this guest
                            self._idle -= 1
                            return None

        return take

    def close(self) -> list[Claim]:
        """End each guest after its current job. Returns the claims that none has taken."""
        taken = drained(self._inbox)
        for _ in list(self._threads):
            self._inbox.put(None)
        return taken


def drained(queue: SimpleQueue[Claim | None]) -> list[Claim]:
    """Take all claims from a queue, and drop the None that would have ended a thread."""
    taken = []
    try:
        while True:
            if (claim := queue.get_nowait()) is not None:
                taken.append(claim)
    except Empty:
        return taken
