"""What the rooms below the scheduler need of it, so that they need not import it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..clock import Clock
    from ..contract import OnConflict, Store
    from ..events import Events
    from ..job import Job
    from .options.routes import Routes
    from .registry import Registry


class Defaults(Protocol):
    """What holds for a job that does not say it itself."""

    @property
    def registry(self) -> Registry:
        """Where tasks are found by name."""

    @property
    def result_ttl_ms(self) -> int:
        """How long a finished job is kept, in milliseconds."""

    @property
    def routes(self) -> Routes | None:
        """Which queue a job goes to; None for the default queue."""


class Carrier(Defaults, Protocol):
    """What a task and a result need: the carrier stores jobs, and knows where they are."""

    @property
    def store(self) -> Store:
        """Where the jobs are."""

    @property
    def clock(self) -> Clock:
        """Where time comes from."""

    @property
    def on(self) -> Events:
        """The hooks to tell."""

    def why_not_ended(self, job: Job) -> str:
        """Why a job has not ended, as far as can be told cheaply; "" if that is not known."""

    def warn_if_nobody_runs(self, id: str) -> None:
        """Log, once, that no live process could run a job that is waited for."""

    def submit(self, job: Job, *, fresh: bool = False, on_conflict: OnConflict = "keep") -> str:
        """Store a job, durably; the id of the job that stands for it."""

    def submit_many(self, jobs: Sequence[Job], *, fresh: bool = True, on_conflict: OnConflict = "keep") -> list[str]:
        """Store jobs, all of them or none."""

    def wake(self) -> None:
        """Wake the ticker, if there is one: something has changed that it cannot see."""
