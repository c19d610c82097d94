"""Plan: which jobs come due in a period, in order, and how many per minute. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from ..job import Job, State
from ..schedules.entry import Entry
from ..schedules.entry import upcoming as instants
from .known import App

MINUTE_MS: Final = 60_000
_MOST_CELLS: Final = 60
MOST: Final = 10_000
"""The most fires of one schedule: a quarter of an hour of the shortest interval, 0.1 s."""
_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
_BARS: Final = "▁▂▃▄▅▆▇█"


class Stretch(NamedTuple):
    """A period of some minutes."""

    at_ms: int
    """Its start, in milliseconds since the epoch."""
    due: int
    """How many jobs come due in it. Overdue jobs count in the first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The jobs that come due from ``now_ms`` up to, not including, ``until_ms``."""

    now_ms: int
    until_ms: int
    jobs: tuple[Job, ...]
    """Jobs that workers may claim, by due time; includes overdue ones."""
    fires: frozenset[str]
    """Ids of jobs in ``jobs`` that are future fires of schedules and not stored yet."""
    held: tuple[Job, ...]
    """Jobs that come due, too, but are paused."""

    @property
    def overdue(self) -> int:
        """How many are already due."""
        return sum(job.due_ms <= self.now_ms for job in self.jobs)

    def load(self) -> list[Stretch]:
        """The load per minute, or in at most about sixty stretches of several minutes each."""
        minutes = -(-(self.until_ms - self.now_ms) // MINUTE_MS)
        step = step_of(minutes, _MOST_CELLS)
        first = self.now_ms // MINUTE_MS // step * step
        count = -(-(-(-self.until_ms // MINUTE_MS) - first) // step)
        counts = Counter(max(0, job.due_ms // MINUTE_MS - first) // step for job in self.jobs)
        return [Stretch((first + n * step) * MINUTE_MS, counts[n]) for n in range(count)]


def step_of(minutes: int, most: int) -> int:
    """How many minutes a cell has, so that there are at most so many cells."""
    return next((step for step in _STEPS if minutes <= step * most), -(-minutes // most))


def plan_of(jobs: Iterable[Job], fires: Iterable[Job], paused: Collection[str], now_ms: int, until_ms: int) -> Plan:
    """Return the plan for the scheduled jobs of a store and the future fires of schedules.

    Args:
        jobs: stored jobs that are due before ``until_ms``.
        fires: future fires, see upcoming(); those that are already stored are left out.
        paused: ``queue:<name>``, ``task:<name>`` and ``schedule:<name>``.
        now_ms: the current time, in milliseconds since the epoch.
        until_ms: the end of the plan, in milliseconds since the epoch.
    """
    stored = list(jobs)
    known = {job.id for job in stored}
    new = [job for job in fires if job.id not in known]
    free: list[Job] = []
    held: list[Job] = []
    for job in sorted([*stored, *new], key=lambda job: (job.due_ms, job.id)):
        (held if held_back(job, paused) else free).append(job)
    return Plan(
        now_ms=now_ms, until_ms=until_ms, jobs=tuple(free), fires=frozenset(job.id for job in new), held=tuple(held)
    )


def upcoming(app: App | None, from_ms: int, until_ms: int, stored: Iterable[Entry] = ()) -> tuple[list[Job], list[str]]:
    """Return the fires after ``from_ms`` and before ``until_ms``, by time, and the names of schedules that have more.

    The next fire of a schedule is usually in the store already, with the same id. ``stored``: the schedules that are
    defined in the store, beside those of the app.
    """
    found: list[Job] = []
    cut: list[str] = []
    if app is None:
        return found, cut
    entries = {**app.fires.entries, **{entry.name: entry for entry in stored}}
    for name, entry in entries.items():
        fires = list(islice(instants(entry, from_ms, until_ms - 1), MOST + 1))
        if len(fires) > MOST:
            cut.append(name)
        found += [entry.fire(at_ms, from_ms, app) for at_ms in fires[:MOST]]
    return sorted(found, key=lambda job: (job.due_ms, job.id)), cut


def held_back(job: Job, paused: Collection[str]) -> bool:
    """Whether the job's queue, task or schedule is paused."""
    if f"queue:{job.queue}" in paused or f"task:{job.task}" in paused:
        return True
    return job.fire is not None and not job.fire.followed and f"schedule:{job.fire.schedule}" in paused


def bars(load: Sequence[Stretch]) -> str:
    """Draw the load as a row of bars.

    >>> bars([Stretch(0, 0), Stretch(60_000, 1), Stretch(120_000, 8)])
    '·▁█'
    """
    most = max((one.due for one in load), default=0)
    return "".join(bar(one.due, most) for one in load)


def bar(count: int, most: int) -> str:
    """Draw a count as one character; ``most`` is a full one."""
    return _BARS[(count * len(_BARS) - 1) // most] if count else "·"


def durations_of(jobs: Iterable[Job]) -> dict[str, float]:
    """The average duration of each task's runs in seconds, from the finished jobs among ``jobs``."""
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for job in jobs:
        if job.state in (State.SUCCEEDED, State.FAILED) and job.started_ms is not None and job.finished_ms is not None:
            one = sums[job.task]
            one[0] += max(0, job.finished_ms - job.started_ms)
            one[1] += 1
    return {task: total_ms / count / 1000 for task, (total_ms, count) in sums.items()}
