"""Frozen: the jobs of a snapshot, as a State sees them: a read-only ring beneath the one in memory.

A State lays what has happened since over the frozen jobs: whatever it holds under an id hides the frozen job of that
id. The memory store has nothing frozen; the JSON store's frozen jobs stay on the disk (snapshot.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...job import Job

Hidden = Callable[[str], bool]
"""Whether the layer above holds a job of that id."""


class Frozen:
    """Read-only jobs, here none; the only thing that changes is how far the scheduled ones have been taken."""

    @property
    def over_ms(self) -> int | None:
        """When the first of the finished jobs may be dropped, at the earliest; None if there is none."""
        return None

    def get(self, id: str) -> Job | None:  # noqa: ARG002
        """The job as it was frozen."""
        return None

    def find_key(self, key: str) -> list[str]:  # noqa: ARG002
        """Ids of jobs that may have been frozen unfinished with that key."""
        return []

    def take_due(self, until_ms: int, hidden: Hidden) -> list[Job]:  # noqa: ARG002
        """Scheduled jobs not taken before with due_ms <= until_ms, except the hidden ones."""
        return []

    def next_due(self, hidden: Hidden) -> int | None:  # noqa: ARG002
        """The earliest due_ms among those not taken and not hidden."""
        return None

    def jobs(self) -> Iterator[Job]:
        """All jobs that were frozen, in no particular order."""
        return iter(())

    def scheduled(self, slot: int | None = None) -> Iterator[tuple[int, str, Job | None]]:  # noqa: ARG002
        """The scheduled ones, of a slot or all, as (due_ms, id, job or None for get(id)), by due_ms and id."""
        return iter(())


NOTHING = Frozen()
