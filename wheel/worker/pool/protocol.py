"""Pool: the interface between the ticker and its workers. threads.py is the simplest implementation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol, TypeVar

from ...job import Claim, Job, Outcome
from ...results.waits import Waits

T = TypeVar("T")


class Done(NamedTuple):
    """A claim, its outcome, and how long the run took, in seconds."""

    claim: Claim
    outcome: Outcome
    seconds: float


class Pool(Protocol):
    """Runs claims, up to ``workers`` at once. Everything except start() is called from the ticker's thread."""

    workers: int
    """How many jobs it normally runs at once."""
    ready: int
    """How many it can run at once now: fewer while worker processes are being replaced."""
    waits: Waits
    """Which of its jobs wait for others in get()."""
    isolates: bool
    """Whether each job has its own process, so that a job that kills its process affects no other."""
    low_water: int
    """A worker wakes the ticker when no more than this many claims are waiting."""

    def start(self, *, wake: Callable[[], None], settle_late: Callable[[list[Done]], None]) -> None:
        """Start the workers.

        Args:
            wake: called by a worker if there is something to collect that should not wait.
            settle_late: called by a worker with outcomes that will not be collected, after abandon().
        """

    def put(self, claims: Iterable[Claim]) -> None:
        """Queue claims. Never blocks."""

    def lend(self, claims: Iterable[Claim]) -> None:
        """Run claims immediately, in addition to the workers, because running jobs wait for them. Never blocks."""

    def waiting(self) -> int:
        """Return how many claims no worker has taken yet."""

    def collect(self) -> list[Done]:
        """Take the outcomes since the last call."""

    def recall(self) -> list[Claim]:
        """Take back all claims that no worker has taken."""

    def running(self) -> list[Job]:
        """Return the jobs that are running."""

    def is_inside(self) -> bool:
        """Whether the calling code runs in one of the workers."""

    def close(self) -> list[Claim]:
        """End each worker after its current job. Returns the claims that none has taken."""

    def abandon(self) -> list[Done]:
        """Take the outcomes since the last call. From now on, workers settle outcomes themselves."""

    def join(self, timeout_s: float) -> None:
        """After close(), wait until the idle workers have ended."""


class Outbox(ABC):
    """What pools have in common: their workers append outcomes, which the ticker collects."""

    def __init__(self, workers: int) -> None:
        self.workers = self.ready = workers
        self.isolates = False
        self.low_water = 0
        self.waits = Waits()
        self._done: deque[Done] = deque()
        self._abandoned = False
        self._wake: Callable[[], None] = lambda: None
        self._settle_late: Callable[[list[Done]], None] = lambda _: None

    @abstractmethod
    def waiting(self) -> int:
        """See Pool.waiting."""

    def collect(self) -> list[Done]:
        """See Pool.collect."""
        return taken_from(self._done)

    def abandon(self) -> list[Done]:
        """See Pool.abandon."""
        self._abandoned = True
        return self.collect()

    def hand_over(self, done: Done) -> None:
        """Called by a worker: take the outcome of a run."""
        self._done.append(done)
        self._notify()

    def _notify(self) -> None:
        if self._abandoned:
            self._settle_late(self.collect())
        elif self.waiting() <= self.low_water:
            self._wake()


def taken_from(queue: deque[T]) -> list[T]:
    """Take everything from a queue, from which other threads may take at the same time."""
    taken = []
    try:
        while True:
            taken.append(queue.popleft())
    except IndexError:
        return taken
