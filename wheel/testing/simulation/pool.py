"""VirtualPool: workers without threads. A run is a span of virtual time, and the world decides when it ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from ...clock import Clock
from ...errors import StoreError
from ...job import Claim, Job, Outcome, Snoozed
from ...worker.pool.protocol import Done, taken_from
from ...worker.pool.threads import ThreadPool
from ...worker.run.runner import HELD_MS

Begin = Callable[["VirtualPool", int, Claim], None]
"""Called with the place of the worker that starts a run. When the run is over, end() is called."""


class VirtualPool(ThreadPool):
    """A ThreadPool for the ticker, with up to ``workers`` runs at a time."""

    def __init__(
        self, workers: int, clock: Clock, begin: Begin, mark: Callable[[str, int], None] | None = None
    ) -> None:
        """Make a pool, without starting it. ``begin`` is called when a run starts, after ``mark`` (see Runner)."""
        super().__init__(0, _never, clock)
        self._mark: Final = mark
        self.workers = self.ready = workers
        self._begin: Final = begin
        self._queue: deque[Claim] = deque()
        self._idle: list[int] = list(range(workers))
        self._busy: dict[int, tuple[Claim, float]] = {}

    def start(self, *, wake: Callable[[], None], settle_late: Callable[[list[Done]], None]) -> None:
        self._wake, self._settle_late = wake, settle_late

    def put(self, claims: Iterable[Claim]) -> None:
        self._queue.extend(claims)
        while self._idle and self._queue:
            self._take(self._idle.pop(0))

    def _take(self, place: int) -> None:
        """Start the next claim at a place. One that must not start is postponed, as a Runner does it."""
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
        """End the run at a place; its worker takes the next claim."""
        claim, began = self._busy.pop(place)
        self._done.append(Done(claim, outcome, self._clock.monotonic() - began))
        self._take(place)
        self._notify()

    def waiting(self) -> int:
        return len(self._queue)

    def recall(self) -> list[Claim]:
        return taken_from(self._queue)

    def running(self) -> list[Job]:
        return [claim.job for claim, _ in self._busy.values()]

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
