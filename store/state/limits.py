"""Limits: what holds a due job back: a limit that other jobs have used up, or a pause.

How many jobs run follows from the running jobs, when the next may start from the claims so far. Both follow from the
records alone, so every process that reads them keeps the same limits, and so does a store that is reopened.

A rate is kept by spacing the starts: "10/m" is one every 6 s, never a burst of ten and then a minute of nothing. If
the spaces are shorter than a tenth of a second, the jobs of the last tenth start together: a ticker that is woken a
thousand times a second would have no time for anything else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from ...errors import InvalidValue
from ...job import Bound, Job
from ...payload import comes_back

CATCH_UP_US: Final = 100_000
_MANY: Final = 1024
_NAME_MOST: Final = 300
MOST_PAUSED: Final = 1_000
NO_QUEUES: Final[frozenset[str]] = frozenset()


class Barrier(NamedTuple):
    """What holds a due job back."""

    name: str
    until_ms: int | None = None
    """When it opens by itself; None if something must happen first."""
    foreign: bool = False
    """Whether it exists only for claims that exclude the jobs behind it."""


def task_name(task: str) -> str:
    """The name of a task in pause(), and of the barrier of its jobs."""
    return f"task:{task}"


def refuse_odd_name(name: str) -> None:
    """Raise InvalidValue unless it names a queue, a task or a schedule."""
    kind, _, rest = name.partition(":") if isinstance(name, str) else ("", "", "")
    if kind not in ("queue", "task", "schedule") or not rest or len(name) > _NAME_MOST or not comes_back(name):
        raise InvalidValue.of(
            "name", f"queue:<name>, task:<name> or schedule:<name>, of at most {_NAME_MOST} characters", name
        )


def paused_queues(limits: Limits) -> frozenset[str]:
    """The queues that are paused."""
    if not limits.paused:
        return NO_QUEUES
    return frozenset(name[6:] for name in limits.paused if name.startswith("queue:"))


def schedule_name(schedule: str) -> str:
    """The name of a schedule in pause(), and of the barrier of its next fire."""
    return f"schedule:{schedule}"


def foreign_name(name: str) -> str:
    """The barrier of what a claim excluded. It is open for claims that do not exclude the same name."""
    return f"foreign:{name}"


def _held_by_name(job: Job, names: Collection[str]) -> str | None:
    if (name := task_name(job.task)) in names:
        return name
    if job.fire is not None and not job.fire.followed and (name := schedule_name(job.fire.schedule)) in names:
        return name
    return None


def _running_name(name: str) -> str:
    return f"running:{name}"


class Limits:
    """How far each limit is used up, and what is paused."""

    __slots__ = ("_most", "next_us", "paused", "running")

    def __init__(self, paused: Collection[str] = (), next_us: Mapping[str, int] | None = None) -> None:
        self.paused = set(paused)
        self.running: dict[str, int] = {}
        """How many jobs run under each limit, by name."""
        self.next_us = dict(next_us or {})
        """When the next job of each rate may start, by name, in microseconds since the epoch."""
        self._most = _MANY

    def copy(self) -> Limits:
        """An independent copy, without the running jobs."""
        return Limits(self.paused, self.next_us)

    def started(self, job: Job, now_ms: int) -> None:
        """A job with limits was claimed."""
        for bound in job.limits:
            if bound.per_ms:
                self.next_us[bound.name] = _after_start(self.next_us.get(bound.name, 0), bound, now_ms * 1000)
            else:
                self.running[bound.name] = self.running.get(bound.name, 0) + 1
        if len(self.next_us) > self._most:
            self.next_us = self.ahead(now_ms)
            self._most = max(_MANY, 2 * len(self.next_us))  # so that not every start looks at all of them

    def resume(self, job: Job) -> None:
        """Count a running job that was claimed before this object was made."""
        for bound in job.limits:
            if not bound.per_ms:
                self.running[bound.name] = self.running.get(bound.name, 0) + 1

    def ended(self, job: Job) -> list[str]:
        """A job with limits has stopped running; returns the barriers that may be open now."""
        names = [bound.name for bound in job.limits if not bound.per_ms]
        for name in names:
            left = self.running[name] - 1
            if left:
                self.running[name] = left
            else:
                del self.running[name]
        return list(map(_running_name, names))

    def ahead(self, now_ms: int) -> dict[str, int]:
        """The entries of ``next_us`` that still matter: their next start is ahead, or can be caught up with."""
        since_us = now_ms * 1000 - CATCH_UP_US
        return {name: next_us for name, next_us in self.next_us.items() if next_us > since_us}


class Trial:
    """The limits as they would be if the jobs chosen so far had started."""

    def __init__(self, limits: Limits, now_ms: int, without: Collection[str] = ()) -> None:
        self.names = bool(limits.paused or without)
        """Whether names alone may hold a job back."""
        self._limits = limits
        self._without = without
        self._now_us = now_ms * 1000
        self._running: dict[str, int] = {}
        self._next_us: dict[str, int] = {}

    def barrier(self, job: Job) -> Barrier | None:
        """What holds the job back; None if it may start now."""
        limits = self._limits
        if self.names:
            if (name := _held_by_name(job, limits.paused)) is not None:
                return Barrier(name)
            if (name := _held_by_name(job, self._without)) is not None:
                return Barrier(foreign_name(name), foreign=True)
        for bound in job.limits:
            name = bound.name
            if not bound.per_ms:
                if self._running.get(name, limits.running.get(name, 0)) >= bound.most:
                    return Barrier(_running_name(name))
                continue
            next_us = self._next_us.get(name, limits.next_us.get(name, 0))
            if self._now_us < next_us <= self._now_us + 2 * max(_space_us(bound), CATCH_UP_US):
                return Barrier(f"rate:{name}", -(-next_us // 1000))  # if it is further off, the clock was set back
        return None

    def take(self, job: Job) -> None:
        """The job is to start."""
        for bound in job.limits:
            name = bound.name
            if bound.per_ms:
                next_us = self._next_us.get(name, self._limits.next_us.get(name, 0))
                self._next_us[name] = _after_start(next_us, bound, self._now_us)
            else:
                self._running[name] = self._running.get(name, self._limits.running.get(name, 0)) + 1


def _space_us(bound: Bound) -> int:
    return -(-bound.per_ms * 1000 // bound.most)


def _after_start(next_us: int, bound: Bound, now_us: int) -> int:
    space_us = _space_us(bound)
    next_us = min(next_us, now_us)  # it is later only if the clock was set back
    return (max(next_us, now_us - CATCH_UP_US) if space_us < CATCH_UP_US else now_us) + space_us
