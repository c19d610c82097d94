"""Forecast: the result of a simulation: how late jobs start, how many wait, and whether any was lost."""

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
    """Its beginning, in milliseconds since the epoch."""
    due: int
    begun: int
    """How many jobs started."""
    waiting: int
    """The largest number of jobs that were due and had not started."""
    latest_ms: int
    """The greatest lateness of the jobs that started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The results of all seeds together. Times are in milliseconds."""

    jobs: int
    """How many jobs there were in the first world."""
    seeds: int
    begun: int
    """How many runs there were; ``again`` of them were repeated because a worker had died."""
    again: int
    deaths: int
    """How many nodes were killed."""
    p50_ms: int
    """Lateness, from the due instant (or from now, if the job was overdue already) to the start of the first run."""
    p99_ms: int
    max_ms: int
    backlog: int
    """The largest number of jobs that were due and had not started."""
    backlog_at_ms: int
    minutes: tuple[Minute, ...]
    violations: tuple[str, ...]
    """What the judges found wrong, each with its seed; by default jobs that are lost, start early or start twice."""
    hash: str
    """A hash of all events: the same for the same load, options and seeds."""

    @property
    def sound(self) -> bool:
        """Whether there are no violations."""
        return not self.violations


@dataclass(slots=True)
class Watch:
    """The observations in one world."""

    start_ms: int
    due: list[tuple[int, int]] = field(default_factory=list)
    """(due, started) of each job that started. What was overdue counts as due at the beginning of the world."""
    never: list[tuple[int, int]] = field(default_factory=list)
    """(due, expired) of each job that never started."""
    starts: Counter[str] = field(default_factory=Counter)
    """How often each job was started."""

    def began(self, job: Job, now_ms: int) -> None:
        """A run of a job starts."""
        self.starts[job.id] += 1
        if self.starts[job.id] == 1:
            self.due.append((max(job.due_ms, self.start_ms), now_ms))

    def expired(self, jobs: Iterable[Job]) -> None:
        """These jobs expired. Those that never started count as waiting until then."""
        for job in jobs:
            if job.expires_ms is not None and job.id not in self.starts:
                due_ms = max(job.due_ms, self.start_ms)
                self.never.append((due_ms, max(due_ms, job.expires_ms)))

    def lateness(self) -> list[int]:
        """The lateness of each job that started, in milliseconds."""
        return [begun - due for due, begun in self.due]

    def backlog(self) -> list[tuple[int, int]]:
        """(instant, how many jobs wait from then on), in order of time."""
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
        """The minutes in which a job was due or started."""
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
    """Return (the largest backlog in all worlds, when)."""
    found = [(waiting, -at) for watch in watches for at, waiting in watch.backlog()]
    waiting, at = max(found, default=(0, 0))
    return waiting, -at


def percentile(ordered: Sequence[int], share: float) -> int:
    """The smallest value that is not less than this share of all values.

    >>> percentile([1, 2, 3, 4], 0.5), percentile([7], 0.99), percentile([], 0.5)
    (2, 7, 0)
    """
    return ordered[max(0, ceil(len(ordered) * share) - 1)] if ordered else 0
