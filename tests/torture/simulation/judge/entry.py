"""Entry: what the ledger knows of one job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hourwheel.job import Job

Where = Literal["scheduled", "running", "succeeded", "failed", "cancelled", "expired"]


@dataclass(slots=True)
class Entry:
    """A job as it must be, told only by what was done to it."""

    job: Job
    """As it was added."""
    due_ms: int
    where: Where = "scheduled"
    token: int = 0
    """Of the newest claim."""
    owner: str = ""
    """Who holds it."""
    attempt: int = 0
    crashes: int = 0
    begun: int = 0
    """How often a worker began to run it."""
    excused: int = 0
    """How often it may begin again: its worker died or was taken for dead, or the run asked for another."""
    began_token: int = 0
    disowned: bool = False
    brief: bool = False
    """Whether it was replaced, and may be dropped after a minute."""
    asked: bool = False
    """Whether it was asked to end while it ran: it will not be scheduled again."""

    @property
    def id(self) -> str:
        return self.job.id

    @property
    def finished(self) -> bool:
        """Whether it is in a final state."""
        return self.where not in ("scheduled", "running")
