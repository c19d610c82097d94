"""The thread pool: worker threads with one queue. The queue is bounded by credit, so ``put`` never blocks.

A worker appends an outcome to ``_done`` and takes the next job; the ticker's thread settles outcomes in batches. A
worker wakes the ticker only if the queue is nearly empty: then there is room for more claims, or the worker is about to
be idle and its outcome should be settled soon.

After abandon(), the ticker no longer collects, and workers settle their outcomes themselves. Both sides take from
``_done`` with popleft, which is atomic, so each outcome is settled exactly once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Final

from ...clock import Clock
from ...job import Claim, Crashed, Job, Outcome, bare
from ...safety.calm import CalmLogger
from ..run.loops import close_loop
from .guests import Guests, drained
from .protocol import Done, Outbox

_log: Final = CalmLogger("hourwheel.worker")


class ThreadPool(Outbox):
    """Runs claims on ``workers`` threads."""

    def __init__(self, workers: int, run: Callable[[Claim], Outcome], clock: Clock) -> None:
        """Make a pool, without starting it. ``run`` runs a claim and returns its outcome; it must not raise."""
        super().__init__(workers)
        self._run = run
        self._clock = clock
        self._inbox: SimpleQueue[Claim | None] = SimpleQueue()
        self._now: dict[int, Claim | None] = dict.fromkeys(range(workers))
        """What is running, by the number of the place. Guests have the places from ``workers`` on."""
        self._guests = Guests(self._live_as_guest, workers)
        self._threads = [
            threading.Thread(target=self._live, args=(place,), name=f"hourwheel-worker-{place}", daemon=True)
            for place in range(workers)
        ]

    def start(self, *, wake: Callable[[], None], settle_late: Callable[[list[Done]], None]) -> None:
        """See Pool.start."""
        self._wake, self._settle_late = wake, settle_late
        self.waits.changed = wake
        for thread in self._threads:
            thread.start()

    def put(self, claims: Iterable[Claim]) -> None:
        """See Pool.put."""
        for claim in claims:
            self._inbox.put(claim)

    def lend(self, claims: Iterable[Claim]) -> None:
        """See Pool.lend."""
        for claim in claims:
            self._guests.put(claim)

    def waiting(self) -> int:
        """See Pool.waiting."""
        return self._inbox.qsize()

    def recall(self) -> list[Claim]:
        """See Pool.recall."""
        return drained(self._inbox)

    def running(self) -> list[Job]:
        """See Pool.running."""
        return [claim.job for claim in list(self._now.values()) if claim is not None]

    def is_inside(self) -> bool:
        """See Pool.is_inside."""
        thread = threading.current_thread()
        return thread in self._threads or thread in self._guests

    def close(self) -> list[Claim]:
        """See Pool.close."""
        recalled = self.recall()
        for _ in self._threads:
            self._inbox.put(None)
        return recalled + self._guests.close()

    def join(self, timeout_s: float) -> None:
        """Do nothing: idle threads hold no resources."""

    # ---- in the worker -----------------------------------------------------------------------------------

    def _live(self, place: int) -> None:
        """The body of a worker thread. Only close() ends it, not an exception."""
        while True:
            try:
                self._serve(place)
                close_loop()
                return
            except BaseException as error:  # asynchronous: the runner catches those of functions
                _log.critical("worker %d was interrupted between two jobs", place, exc_info=True)
                self._give_up(place, error)

    def _live_as_guest(self, place: int) -> None:
        self._now[place] = None
        try:
            self._live(place)
        finally:
            del self._now[place]

    def _take_of(self, place: int) -> Callable[[], Claim | None]:
        return self._inbox.get if place < self.workers else self._guests.taker()

    def _serve(self, place: int) -> None:
        take, now, run, hand_over = self._take_of(place), self._now, self._run, self._done.append
        monotonic, waiting = self._clock.monotonic, self._inbox.qsize
        while (claim := take()) is not None:
            now[place] = claim
            started = monotonic()
            self.waits.enter(claim.token)
            outcome = run(claim)
            self.waits.set(claim.token, ())
            hand_over(bare(Done, (claim, outcome, monotonic() - started)))
            now[place] = None
            if self._abandoned:
                self._settle_late(self.collect())
            elif waiting() <= self.low_water:
                self._wake()

    def _give_up(self, place: int, error: BaseException) -> None:
        claim, self._now[place] = self._now[place], None
        if claim is not None and all(done.claim is not claim for done in tuple(self._done)):
            reason = f"its worker was interrupted: {type(error).__qualname__}"
            self._done.append(Done(claim, Crashed(reason=reason), 0.0))
        self._wake()
