"""Ids of jobs."""

from __future__ import annotations

from ...clock import SystemClock
from ...ids import new_id

_CLOCK = SystemClock()


def uuid() -> str:
    """A new id, as jobs have them."""
    return new_id(_CLOCK.now_ms())


gen_unique_id = uuid
