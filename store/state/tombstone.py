"""What stands in the rows of a State for a job that was dropped: it hides the job that is frozen under its id.

No verb shows it, no snapshot holds it.
"""

from __future__ import annotations

from typing import Final

from ...job import Job, State

TOMBSTONE: Final = Job("", "", 0, state=State.CANCELLED, finished_ms=0, result_ttl_ms=-1)
"""One for all: what is known of a dropped job is the key of its row."""


def is_tombstone(row: Job) -> bool:
    """Whether a row is one."""
    return row is TOMBSTONE
