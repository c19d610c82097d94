"""Forecast: what a simulation says of a load: how late jobs begin, how many wait, and that nothing was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

from ...job import Job

_MINUTE_MS = 60_000


class Minute(NamedTuple):
    """One minute of the first world."""

    at_ms: int
    """Its beginning, milliseconds since the epoch."""
    due: int
    begun: int
    waiting: int
    """How many were due and had not begun, at the most."""
    latest_ms: int
    """The greatest lateness of those that began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What came of all seeds together. Times are in milliseconds."""

    jobs: int
    """In the world of the first seed."""
    seeds: int
    begun: int
    """Runs, over all seeds; ``again`` of them of jobs whose worker had died."""
    again: int
    deaths: int
    """Nodes that were killed."""
    p50_ms: int
    """Lateness: from the due instant (of what was overdue already: from now) to the first run's beginning."""
    p99_ms: int
    max_ms: int
    backlog: int
    """How many jobs were due and had not begun, at the most."""
    backlog_at_ms: int
    minutes: tuple[Minute, ...]
    violations: tuple[str, ...]
    """What the judge found wrong, each with its seed; by default a job that is lost, starts early or starts twice."""
    hash: str
    """Of all that happened: the same for the same load, options and seeds."""

    @property
    def sound(self) -> bool:
        """Whether the judge found nothing wrong in any world."""
        return not self.violations


@dataclass(slots=True)
class Watch:
    """What is noted of one world."""

    start_ms: int
    due: list[tuple[int, int]] = field(default_factory=list)
    """(due, begun) of each job that began, not before the beginning of the world."""
    never: list[tuple[int, int]] = field(default_factory=list)
    """(due, expired) of each that never did."""
    starts: Counter[str] = field(default_factory=Counter)
    """How often each job began."""

    def began(self, job: Job, now_ms: int) -> None:
        """A run of a job begins."""
        self.starts[job.id] += 1
        if self.starts[job.id] == 1:
            self.due.append((max(job.due_ms, self.start_ms), now_ms))

    def expired(self, jobs: Iterable[Job]) -> None:
        """These came to nothing: those that never began have waited until they expired."""
        for job in jobs:
            if job.expires_ms is not None and job.id not in self.starts:
                due_ms = max(job.due_ms, self.start_ms)
                self.never.append((due_ms, max(due_ms, job.expires_ms)))

    def lateness(self) -> list[int]:
        """Of each job that began, in milliseconds."""
        return [begun - due for due, begun in self.due]

    def backlog(self) -> list[tuple[int, int]]:
        """(instant, how many wait from then on), by time."""
        steps = Counter[int]()
        for due, gone in [*self.due, *self.never]:
            if gone > due:
                steps[due] += 1
                steps[gone] -= 1
        waiting, found = 0, []
        for at, step in sorted(steps.items()):
            waiting += step
            found.append((at, waiting))
        return found

    def minutes(self) -> tuple[Minute, ...]:
        """Minute by minute, those in which nothing was due or begun left out."""
        due = Counter(due // _MINUTE_MS for due, _ in [*self.due, *self.never])
        begun = Counter(begun // _MINUTE_MS for _, begun in self.due)
        latest: dict[int, int] = {}
        for due_ms, begun_ms in self.due:
            minute = begun_ms // _MINUTE_MS
            latest[minute] = max(latest.get(minute, 0), begun_ms - due_ms)
        waiting: dict[int, int] = {}
        for at, count in self.backlog():
            waiting[at // _MINUTE_MS] = max(waiting.get(at // _MINUTE_MS, 0), count)
        return tuple(
            Minute(minute * _MINUTE_MS, due[minute], begun[minute], waiting.get(minute, 0), latest.get(minute, 0))
            for minute in sorted({*due, *begun})
        )


def peak(watches: Iterable[Watch]) -> tuple[int, int]:
    """The largest backlog of all worlds, and when."""
    found = [(waiting, -at) for watch in watches for at, waiting in watch.backlog()]
    waiting, at = max(found, default=(0, 0))
    return waiting, -at


def percentile(ordered: Sequence[int], share: float) -> int:
    """The smallest value that is not less than so many of all.

    >>> percentile([1, 2, 3, 4], 0.5), percentile([7], 0.99), percentile([], 0.5)
    (2, 7, 0)
    """
    return ordered[max(0, ceil(len(ordered) * share) - 1)] if ordered else 0
