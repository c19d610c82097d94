"""Pool: what the ticker needs of the workers, whatever they are. threads.py is the first of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from ...job import Claim, Job, Outcome
from ...results.waits import Waits


class Done(NamedTuple):
    """What came of a claim, and how long its run took."""

    claim: Claim
    outcome: Outcome
    seconds: float


class Pool(Protocol):
    """Runs claims, up to ``workers`` at the same time. All but the start is called from the ticker's thread."""

    workers: int
    """How many jobs it runs at once when all is well."""
    ready: int
    """How many it could run at once now: fewer while worker processes are being replaced."""
    waits: Waits
    """Which of its jobs wait for others."""
    isolates: bool
    """Whether each job has a process of its own, so that one that kills it takes no other with it."""
    low_water: int
    """A worker that leaves no more than so many claims waiting wakes the ticker."""

    def start(self, *, wake: Callable[[], None], settle_late: Callable[[list[Done]], None]) -> None:
        """Begin.

        Args:
            wake: called by a worker when there is something to collect that should not wait.
            settle_late: called by a worker with what nobody else will collect.
        """

    def put(self, claims: Iterable[Claim]) -> None:
        """Queue claims. Never blocks."""

    def lend(self, claims: Iterable[Claim]) -> None:
        """Run claims at once, beside the workers: jobs of theirs wait for these. Never blocks."""

    def waiting(self) -> int:
        """How many claims no worker has taken yet."""

    def collect(self) -> list[Done]:
        """Take what has ended since."""

    def recall(self) -> list[Claim]:
        """Take back every claim that no worker has taken."""

    def running(self) -> list[Job]:
        """The jobs that run at this moment."""

    def is_inside(self) -> bool:
        """Whether the calling code runs in one of the workers."""

    def close(self) -> list[Claim]:
        """Let each worker end after the job it runs; returns the claims that none had taken."""

    def abandon(self) -> list[Done]:
        """Take what has ended since; what ends from now on is settled by its worker."""

    def join(self, timeout_s: float) -> None:
        """After close(): wait until the workers that run nothing have ended."""
