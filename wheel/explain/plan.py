"""Plan: what is due in the time to come, in order, and how dense. Pure: jobs in, lines of a plan out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ..job import Job, State

MINUTE_MS: Final = 60_000
_MOST_CELLS: Final = 60
_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
_BARS: Final = "▁▂▃▄▅▆▇█"
_NONE: Final = "·"


class Stretch(NamedTuple):
    """One stretch of time."""

    at_ms: int
    """Its beginning, milliseconds since the epoch."""
    due: int
    """How many jobs come due in it; those that are overdue are in the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to come from ``now_ms`` to before ``until_ms``."""

    now_ms: int
    until_ms: int
    jobs: tuple[Job, ...]
    """That will be offered to the workers, overdue ones first, by due time."""
    fires: frozenset[str]
    """Ids of those of them that are fires of schedules, and not in the store yet."""
    held: tuple[Job, ...]
    """Due as well, and paused."""

    @property
    def overdue(self) -> int:
        """How many are due already."""
        return sum(job.due_ms <= self.now_ms for job in self.jobs)

    def load(self) -> list[Stretch]:
        """The load minute by minute, or by about sixty stretches of equally many minutes."""
        minutes = -(-(self.until_ms - self.now_ms) // MINUTE_MS)
        step = next((step for step in _STEPS if minutes <= step * _MOST_CELLS), -(-minutes // _MOST_CELLS))
        first = self.now_ms // MINUTE_MS // step * step
        count = -(-(-(-self.until_ms // MINUTE_MS) - first) // step)
        counts = Counter(max(0, job.due_ms // MINUTE_MS - first) // step for job in self.jobs)
        return [Stretch((first + n * step) * MINUTE_MS, counts[n]) for n in range(count)]


def plan_of(jobs: Iterable[Job], fires: Iterable[Job], paused: Collection[str], now_ms: int, until_ms: int) -> Plan:
    """A plan of the scheduled jobs of a store and of the fires that are still to become jobs.

    Args:
        jobs: of the store, due before ``until_ms``.
        fires: see upcoming(); one that is a job already is left out.
        paused: ``queue:<name>``, ``task:<name>`` and ``schedule:<name>``.
        now_ms: the present, in milliseconds since the epoch.
        until_ms: how far to look, likewise.
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


def held_back(job: Job, paused: Collection[str]) -> bool:
    """Whether its queue, its task, or the schedule whose next fire it is, is paused."""
    if f"queue:{job.queue}" in paused or f"task:{job.task}" in paused:
        return True
    return job.fire is not None and not job.fire.followed and f"schedule:{job.fire.schedule}" in paused


def bars(load: Sequence[Stretch]) -> str:
    """The load as a row of bars.

    >>> bars([Stretch(0, 0), Stretch(60_000, 1), Stretch(120_000, 8)])
    '·▁█'
    """
    most = max((one.due for one in load), default=0)
    return "".join(_BARS[(one.due * len(_BARS) - 1) // most] if one.due else _NONE for one in load)


def durations_of(jobs: Iterable[Job]) -> dict[str, float]:
    """How long the runs of each task took on average, in seconds, by those that are still known."""
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for job in jobs:
        if job.state in (State.SUCCEEDED, State.FAILED) and job.started_ms is not None and job.finished_ms is not None:
            one = sums[job.task]
            one[0] += max(0, job.finished_ms - job.started_ms)
            one[1] += 1
    return {task: total_ms / count / 1000 for task, (total_ms, count) in sums.items()}
