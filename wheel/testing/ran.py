"""Ran and Due: runs of jobs and scheduled jobs, for tests to compare; and the runner that records runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Final, cast

from ..clock import Clock, as_datetime
from ..errors import SchedulerError
from ..job import Claim, Failed, Job, Outcome, Released, Retried, Snoozed, Succeeded
from ..payload import decode
from ..worker.run.runner import Runner

_OUTCOMES: Final[dict[type[Outcome], str]] = {
    Succeeded: "succeeded",
    Failed: "failed",
    Retried: "retried",
    Snoozed: "snoozed",
    Released: "unregistered",
}
RUNS_MOST: Final = 1_000_000
"""More runs than this in one call are taken for an endless loop of jobs that add each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run of a job. Comparison ignores result, error and id."""

    task: str
    """The name of the task."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    at: datetime
    """When it started, in the time zone of travel()."""
    attempt: int
    outcome: str
    """"succeeded", "failed", "retried", "snoozed", or "unregistered": released, because its task is unknown."""
    result: Any = field(default=None, compare=False)
    """What the function returned."""
    error: str | None = field(default=None, compare=False)
    """The type and message of the exception that it raised."""
    id: str = field(default="", compare=False)
    """The job's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A scheduled job. Comparison ignores the id."""

    task: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    at: datetime
    """When it is due, in the time zone of travel()."""
    attempt: int
    """How often it has been run so far."""
    id: str = field(compare=False)


def due_of(job: Job, zone: tzinfo) -> Due:
    """Return a scheduled job as a Due."""
    args, kwargs = job.call
    at = as_datetime(job.due_ms).astimezone(zone)
    return Due(task=job.task, args=args, kwargs=kwargs, at=at, attempt=job.attempt, id=job.id)


class Record:
    """The runs so far, and how many more there may be."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most
        self._runs: list[tuple[Job, int, Outcome]] = []

    def __len__(self) -> int:
        return len(self._runs)

    def begin(self) -> None:
        """Count the runs of a new call from zero."""
        self._left = self._most

    def clear(self) -> None:
        """Forget the runs."""
        self._runs.clear()

    def runs(self, zone: tzinfo, since: int = 0) -> list[Ran]:
        """Return the runs from index ``since`` on."""
        return [_ran_of(job, at_ms, outcome, zone) for job, at_ms, outcome in self._runs[since:]]

    def count(self, job: Job) -> None:
        """Count a run that is about to start.

        Raises:
            SchedulerError: there are too many.
        """
        self._left -= 1
        if self._left < 0:
            raise SchedulerError(
                f"more than {self._most} runs in one call, and {job.task} would run again: do jobs add each other "
                "endlessly? If not, pass a larger most="
            )

    def note(self, job: Job, at_ms: int, outcome: Outcome) -> None:
        """Record a run that has ended."""
        self._runs.append((job, at_ms, outcome))


class RecordingRunner:
    """A runner that runs claims like another one, and records each run."""

    def __init__(self, inner: Runner, clock: Clock, record: Record) -> None:
        self._inner = inner.by(clock)
        self._clock = clock
        self._record = record

    def by(self, clock: Clock) -> Runner:
        """See Runner.by."""
        return cast("Runner", RecordingRunner(self._inner, clock, self._record))

    def __call__(self, claim: Claim) -> Outcome:
        """See Runner."""
        self._record.count(claim.job)
        at_ms = self._clock.now_ms()
        outcome = self._inner(claim)
        self._record.note(claim.job, at_ms, outcome)
        return outcome

    def __getattr__(self, name: str) -> Any:
        """Everything else is the runner's."""
        return getattr(self._inner, name)


def _ran_of(job: Job, at_ms: int, outcome: Outcome, zone: tzinfo) -> Ran:
    args, kwargs = job.call
    error = getattr(outcome, "error", None)
    return Ran(
        task=job.task,
        args=args,
        kwargs=kwargs,
        at=as_datetime(at_ms).astimezone(zone),
        attempt=job.attempt,
        outcome=_OUTCOMES.get(type(outcome), type(outcome).__name__.lower()),
        result=decode(outcome.returned) if isinstance(outcome, Succeeded) else None,
        error=None if error is None else f"{error.type}: {error.message}",
        id=job.id,
    )
