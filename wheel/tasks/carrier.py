"""Protocols: the parts of a Scheduler that lower packages use without importing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..clock import Clock
    from ..contract import OnConflict, Store
    from ..events import Events
    from ..job import Job
    from ..results.many import Results
    from ..results.result import AsyncResult
    from .options.routes import Routes
    from .registry import Registry


class Defaults(Protocol):
    """The defaults for the options of jobs."""

    @property
    def registry(self) -> Registry:
        """The tasks by name."""

    @property
    def result_ttl_ms(self) -> int:
        """How long a finished job is kept, in milliseconds."""

    @property
    def routes(self) -> Routes | None:
        """The queues of tasks that set none; None for the default queue."""


class Carrier(Defaults, Protocol):
    """What tasks and results need: it stores jobs, and gives access to them."""

    @property
    def store(self) -> Store:
        """The store of the jobs."""

    @property
    def clock(self) -> Clock:
        """The clock."""

    @property
    def on(self) -> Events:
        """The hooks to call."""

    @property
    def result_type(self) -> type[AsyncResult[Any]]:
        """Makes the handle to a job."""

    @property
    def results_type(self) -> type[Results[Any]]:
        """Makes the handle to several jobs."""

    def why_not_ended(self, job: Job) -> str:
        """Return why a job has not ended, if that is cheap to find out; otherwise ""."""

    def warn_if_nobody_runs(self, id: str) -> None:
        """Log a warning, once, if no process is alive that could run a job that get() waits for."""

    def submit(self, job: Job, *, fresh: bool = False, on_conflict: OnConflict = "keep") -> str:
        """Store a job, durably. Returns its id, or that of an existing job with the same key."""

    def submit_many(self, jobs: Sequence[Job], *, fresh: bool = True, on_conflict: OnConflict = "keep") -> list[str]:
        """Store jobs, durably, all of them or none. Returns an id for each, as submit() does."""

    def wake(self) -> None:
        """Wake the ticker, if there is one: something has changed that it cannot see."""
