"""Worker threads behind one queue. The queue is bounded by credit, not by a limit of its own: ``put`` never blocks.

A worker hands over what came of a job by appending to ``_done`` and takes the next job at once; the ticker's thread
settles in batches. The worker wakes the ticker only when the queue runs low: then there is room for more claims, or
the worker is about to idle and nobody else would settle its job soon.

Once the pool was abandoned nobody collects any more, and a worker that ends its job late settles it itself. Both sides
take from ``_done`` by popleft, which is atomic, so each outcome is settled by exactly one of them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import Final

from ...clock import Clock
from ...job import Claim, Crashed, Job, Outcome, bare
from ...results.waits import Waits
from ...safety.calm import CalmLogger
from ..run.loops import close_loop
from .guests import Guests
from .protocol import Done

_log: Final = CalmLogger("hourwheel.worker")


class ThreadPool:
    """Runs claims on ``workers`` threads."""

    def __init__(
        self,
        workers: int,
        run: Callable[[Claim], Outcome],
        clock: Clock,
        *,
        name: str = "hourwheel",
    ) -> None:
        """A pool that is not started.

        Args:
            workers: how many threads, at least 1.
            run: runs a claim and says what came of it; it is not to raise.
            clock: measures the runs.
            name: what the threads are called.
        """
        self.workers = workers
        self.isolates = False
        self.ready = workers
        self.low_water = 0
        self._run = run
        self._clock = clock
        self._wake: Callable[[], None] = _nothing
        self._settle_late: Callable[[list[Done]], None] = _nothing
        self._inbox: SimpleQueue[Claim | None] = SimpleQueue()
        self._done: deque[Done] = deque()
        self._now: dict[int, Claim | None] = dict.fromkeys(range(workers))
        """By place, what runs there; the places from ``workers`` on are lent."""
        self.waits = Waits()
        self._guests = Guests(self._live_as_guest, workers, name)
        self._abandoned = False
        self._threads = [
            threading.Thread(target=self._live, args=(place,), name=f"{name}-worker-{place}", daemon=True)
            for place in range(workers)
        ]

    def start(self, *, wake: Callable[[], None], settle_late: Callable[[list[Done]], None]) -> None:
        """Start the threads.

        Args:
            wake: called by a worker when there is something to collect that should not wait.
            settle_late: called by a worker with what nobody else will collect.
        """
        self._wake, self._settle_late = wake, settle_late
        self.waits.changed = wake
        for thread in self._threads:
            thread.start()

    def put(self, claims: Iterable[Claim]) -> None:
        """Queue claims. Never blocks."""
        for claim in claims:
            self._inbox.put(claim)

    def lend(self, claims: Iterable[Claim]) -> None:
        """See Pool.lend."""
        for claim in claims:
            self._guests.put(claim)

    def waiting(self) -> int:
        """How many claims no worker has taken yet."""
        return self._inbox.qsize()

    def collect(self) -> list[Done]:
        """Take what has ended since."""
        done = self._done
        taken: list[Done] = []
        try:
            while True:
                taken.append(done.popleft())
        except IndexError:
            return taken

    def recall(self) -> list[Claim]:
        """Take back every claim that no worker has taken."""
        taken: list[Claim] = []
        try:
            while True:
                claim = self._inbox.get_nowait()
                if claim is not None:
                    taken.append(claim)
        except Empty:
            return taken

    def running(self) -> list[Job]:
        """The jobs that run at this moment."""
        return [claim.job for claim in list(self._now.values()) if claim is not None]

    def is_inside(self) -> bool:
        """Whether the calling code runs in one of the workers."""
        thread = threading.current_thread()
        return thread in self._threads or thread in self._guests

    def close(self) -> list[Claim]:
        """Let each worker end after the job it runs; returns the claims that none had taken."""
        recalled = self.recall()
        for _ in self._threads:
            self._inbox.put(None)
        return recalled + self._guests.close()

    def abandon(self) -> list[Done]:
        """Take what has ended since; what ends from now on is settled by its worker."""
        self._abandoned = True
        return self.collect()

    def join(self, timeout_s: float) -> None:
        """A thread that runs nothing holds nothing: there is no need to wait for it."""

    # ---- in the worker -----------------------------------------------------------------------------------

    def _live(self, place: int) -> None:
        """A worker's life. Nothing that a job does ends it; only close() does."""
        while True:
            try:
                self._serve(place)
                close_loop()
                return
            except BaseException as error:  # not from the function, the runner sees to that: from between the lines
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


def _nothing(*_: object) -> None:
    """What a pool that is not started calls."""
