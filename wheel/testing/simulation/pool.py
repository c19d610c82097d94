"""VirtualPool: workers without threads. A run is a span of virtual time; the world says when it is over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from ...clock import Clock
from ...errors import StoreError
from ...job import Claim, Job, Outcome, Snoozed
from ...worker.pool import Done, ThreadPool
from ...worker.run.runner import HELD_MS

Begin = Callable[["VirtualPool", int, Claim], None]
"""A worker, by its place in the pool, begins a run; ``end`` is called when it is over."""


class VirtualPool(ThreadPool):
    """As a ticker sees it a ThreadPool; ``workers`` runs at a time."""

    def __init__(
        self, workers: int, clock: Clock, begin: Begin, mark: Callable[[str, int], None] | None = None
    ) -> None:
        """A pool that is not started.

        Args:
            workers: how many.
            clock: of the world.
            begin: called when a run begins.
            mark: asked before it does; see Runner.
        """
        super().__init__(0, _never, clock)
        self._mark: Final = mark
        self.workers = self.ready = workers
        self._begin: Final = begin
        self._queue: deque[Claim] = deque()
        self._idle: list[int] = list(range(workers))
        self._busy: dict[int, tuple[Claim, float]] = {}
        self._closed = False

    def start(self, *, wake: Callable[[], None], settle_late: Callable[[list[Done]], None]) -> None:
        """See ThreadPool.start."""
        self._wake, self._settle_late = wake, settle_late

    def put(self, claims: Iterable[Claim]) -> None:
        """See ThreadPool.put."""
        self._queue.extend(claims)
        while self._idle and self._queue:
            self._take(self._idle.pop(0))

    def _take(self, place: int) -> None:
        """The next claim that may begin is run at a place; one that may not is put off, as a Runner does it."""
        while self._queue:
            claim = self._queue.popleft()
            try:
                if self._mark is not None:
                    self._mark(claim.owner, claim.token)
            except StoreError as error:
                held = Snoozed(due_ms=self._clock.now_ms() + HELD_MS, reason=str(error))
                self._done.append(Done(claim, held, 0.0))
                continue
            self._busy[place] = claim, self._clock.monotonic()
            self._begin(self, place, claim)
            return
        self._idle.append(place)

    def end(self, place: int, outcome: Outcome) -> None:
        """The run at a place is over; its worker hands over what came of it and takes the next claim."""
        claim, began = self._busy.pop(place)
        self._done.append(Done(claim, outcome, self._clock.monotonic() - began))
        self._take(place)
        if self._abandoned:
            self._settle_late(self.collect())
        elif len(self._queue) <= self.low_water:
            self._wake()

    def waiting(self) -> int:
        """See ThreadPool.waiting."""
        return len(self._queue)

    def recall(self) -> list[Claim]:
        """See ThreadPool.recall."""
        taken = list(self._queue)
        self._queue.clear()
        return taken

    def running(self) -> list[Job]:
        """See ThreadPool.running."""
        return [claim.job for claim, _ in self._busy.values()]

    def is_inside(self) -> bool:
        """See ThreadPool.is_inside."""
        return False

    def close(self) -> list[Claim]:
        """See ThreadPool.close."""
        self._closed = True
        return self.recall()

    @property
    def full(self) -> bool:
        """Whether all workers are busy."""
        return not self._idle

    @property
    def still(self) -> bool:
        """Whether there is nothing for the ticker to collect or to give back."""
        return not self._queue and not self._done


def _never(claim: Claim) -> Outcome:
    raise AssertionError(f"a virtual pool calls no function: {claim}")
