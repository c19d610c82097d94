"""Ran, Due: what has been run and what is still to come, as a test wants to compare them; and who keeps the record."""

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
"""So many runs in one go are taken for jobs that add each other for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run of a job. Two are equal if the first six fields are: result, error and id do not count."""

    task: str
    """Its name."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    at: datetime
    """When it began, in the journey's time zone."""
    attempt: int
    outcome: str
    """"succeeded", "failed", "retried", "snoozed", or "unregistered": given back, as nobody here knows its task."""
    result: Any = field(default=None, compare=False)
    """What the function returned."""
    error: str | None = field(default=None, compare=False)
    """The type and the message of what it raised."""
    id: str = field(default="", compare=False)
    """Of the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One job that has not begun. The id does not count when two are compared."""

    task: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    at: datetime
    """When it is due, in the journey's time zone."""
    attempt: int
    """How often it was run already."""
    id: str = field(compare=False)


def due_of(job: Job, zone: tzinfo) -> Due:
    """A scheduled job as a Due."""
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
        """Count from zero: time is moved anew."""
        self._left = self._most

    def clear(self) -> None:
        """Forget the runs."""
        self._runs.clear()

    def runs(self, zone: tzinfo, since: int = 0) -> list[Ran]:
        """The runs from number ``since`` on, as they are shown."""
        return [_ran_of(job, at_ms, outcome, zone) for job, at_ms, outcome in self._runs[since:]]

    def count(self, job: Job) -> None:
        """One more run is to begin.

        Raises:
            SchedulerError: it is one too many.
        """
        self._left -= 1
        if self._left < 0:
            raise SchedulerError(
                f"more than {self._most} runs in one go, and {job.task} is to be run again: do jobs add each other "
                "for ever? most= says how many are meant"
            )

    def note(self, job: Job, at_ms: int, outcome: Outcome) -> None:
        """A run has ended."""
        self._runs.append((job, at_ms, outcome))


class RecordingRunner:
    """A runner like another one, that also puts each run on record."""

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
        """All else is that of the runner."""
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
