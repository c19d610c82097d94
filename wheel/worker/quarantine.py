"""Quarantine: a job that was running when a worker died is run alone, so that it can take no other job with it.

When a process dies, it is unknown which of its jobs has killed it. Those that had started are suspects (Job.crashes
above zero). A suspect is run while this process runs nothing else. If the process dies again, it was this job;
otherwise, the job is innocent. The others have to wait meanwhile, so there are bounds:

    the running jobs take too long to end     the suspect is postponed; the next time, the wait may be twice as long
    the suspect runs for more than ALONE_S    other jobs are started, unless this is its last chance
    there are many suspects                   they are run in groups, except those for which this is the last chance

So a job is set aside only for a death that it has caused. A pool that runs each job in its own process needs no
quarantine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from ..job import Claim, Job, Outcome, Released, Snoozed
from . import log

ALONE_S: Final = 60.0
"""How long a suspect runs alone."""
PATIENCE_S: Final = 10.0
"""How long running jobs may take, at first, to make way for a suspect."""
_PATIENCE_MOST_S: Final = 3600.0
_MANY: Final = 16


class Quarantine:
    """The quarantine of one ticker. Pure: times are given in monotonic seconds."""

    def __init__(self, *, isolates: bool) -> None:
        """``isolates``: whether the pool runs each job in its own process."""
        self._isolates = isolates
        self._since: float | None = None
        """Since when nothing is claimed, so that a suspect can run alone; None for no quarantine."""
        self._alone_until = 0.0
        self._patience_s = PATIENCE_S
        self._not_before = 0.0
        self._group = 1

    def look(self, inflight: int, monotonic: float) -> None:
        """End it if it has lasted too long."""
        if self._since is None or inflight <= 0 or monotonic < self._alone_until:
            return
        if self._alone_until or monotonic - self._since > self._patience_s:
            self._give_up(monotonic, patient=bool(self._alone_until))

    def credit(self, credit: int, inflight: int) -> int:
        """Return how many jobs may be claimed if there is room for ``credit``."""
        if self._since is None:
            return credit
        return min(credit, self._group) if inflight <= 0 else 0

    def _give_up(self, monotonic: float, *, patient: bool) -> None:
        self._since, self._alone_until = None, 0.0
        if not patient:
            self._not_before = monotonic + self._patience_s
            self._patience_s = min(2 * self._patience_s, _PATIENCE_MOST_S)

    def admit(
        self, claims: Sequence[Claim], inflight: int, monotonic: float, now_ms: int
    ) -> tuple[Sequence[Claim], list[tuple[Claim, Outcome]]]:
        """Return (claims to run now, claims to settle with these outcomes)."""
        suspects = [] if self._isolates else [claim for claim in claims if claim.job.crashes]
        if not suspects:
            if claims:
                self._since, self._alone_until, self._group = None, 0.0, 1
            return claims, []
        if inflight <= 0 and len(suspects) == len(claims):
            chosen = self._chosen(suspects)
            self._begin(chosen, monotonic)
            return chosen, _back(suspects[len(chosen) :])
        others = [claim for claim in claims if not claim.job.crashes]
        if monotonic < self._not_before:
            due_ms = now_ms + math.ceil(1000 * (self._not_before - monotonic))
            return others, [(claim, Snoozed(due_ms=due_ms, reason=_reason(claim.job))) for claim in suspects]
        if self._since is None:
            self._since, self._alone_until = monotonic, 0.0
        return others, _back(suspects)

    def _chosen(self, suspects: Sequence[Claim]) -> Sequence[Claim]:
        """The first suspect, or as many as are run together."""
        if _is_last_chance(suspects[0].job):
            self._group = 1
        elif len(suspects) > _MANY:
            self._group = math.isqrt(len(suspects))
        elif len(suspects) < self._group:
            self._group = 1
        together = 0
        while together < min(self._group, len(suspects)) and not _is_last_chance(suspects[together].job):
            together += 1
        return suspects[: max(1, together)]

    def _begin(self, chosen: Sequence[Claim], monotonic: float) -> None:
        self._since, self._patience_s = monotonic, PATIENCE_S
        self._alone_until = math.inf if _is_last_chance(chosen[0].job) else monotonic + ALONE_S
        for claim in chosen:
            log.alone(claim.job)


def _is_last_chance(job: Job) -> bool:
    return job.crashes + 1 >= job.max_crashes


def _back(suspects: Sequence[Claim]) -> list[tuple[Claim, Outcome]]:
    return [(claim, Released(reason=_reason(claim.job))) for claim in suspects]


def _reason(job: Job) -> str:
    return f"it ran when a worker died ({job.crashes} of {job.max_crashes} times), and is tried alone"
