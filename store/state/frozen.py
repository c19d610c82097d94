"""Frozen: the jobs of a snapshot, as a State sees them: a read-only ring beneath the one in memory.

A State lays what has happened since over the frozen jobs: whatever it holds under an id hides the frozen job of that
id. The memory store has nothing frozen; the JSON store's frozen jobs stay on disk (snapshot.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from ...job import Job

Hidden = Callable[[str], bool]
"""Whether the layer above holds a job of that id."""


class Frozen(Protocol):
    """Read-only jobs; the only thing that moves is how far the scheduled ones have been taken."""

    @property
    def over_ms(self) -> int | None:
        """When the first of the finished jobs may be dropped, at the earliest; None if there is none."""

    def get(self, id: str) -> Job | None:
        """The job as it was frozen."""

    def find_key(self, key: str) -> list[str]:
        """Ids of jobs that may have been frozen unfinished with that key."""

    def take_due(self, until_ms: int, hidden: Hidden) -> list[Job]:
        """Scheduled jobs not taken before with due_ms <= until_ms, save the hidden ones."""

    def next_due(self, hidden: Hidden) -> int | None:
        """The earliest due_ms among those not taken and not hidden."""

    def jobs(self) -> Iterator[Job]:
        """All jobs that were frozen, in no particular order."""

    def scheduled(self) -> Iterator[tuple[int, str, Job | None]]:
        """The scheduled ones as (due_ms, id, job or None for get(id)), by due_ms and id."""


class Nothing:
    """No frozen jobs."""

    over_ms: int | None = None

    def get(self, id: str) -> Job | None:  # noqa: ARG002
        """See Frozen.get."""
        return None

    def find_key(self, key: str) -> list[str]:  # noqa: ARG002
        """See Frozen.find_key."""
        return []

    def take_due(self, until_ms: int, hidden: Hidden) -> list[Job]:  # noqa: ARG002
        """See Frozen.take_due."""
        return []

    def next_due(self, hidden: Hidden) -> int | None:  # noqa: ARG002
        """See Frozen.next_due."""
        return None

    def jobs(self) -> Iterator[Job]:
        """See Frozen.jobs."""
        return iter(())

    def scheduled(self) -> Iterator[tuple[int, str, Job | None]]:
        """See Frozen.scheduled."""
        return iter(())


NOTHING = Nothing()
