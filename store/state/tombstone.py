"""Tombstone: the row of a dropped job, which hides the frozen job of that id. No verb and no snapshot shows it."""

from __future__ import annotations

from typing import Final

from ...job import Job, State

TOMBSTONE: Final = Job("", "", 0, state=State.CANCELLED, finished_ms=0, result_ttl_ms=-1)
"""The same for all: only the id of a dropped job is known, as the key of its row."""


def is_tombstone(row: Job) -> bool:
    """Whether a row is one."""
    return row is TOMBSTONE
