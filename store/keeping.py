"""Keeping: how long finished jobs stay in a store, and how many may be scheduled in it.

A job that has succeeded is kept for its result_ttl. One that has failed or expired is evidence: on Monday you want to
see what went wrong on Friday. It is kept for the store's failed_ttl, or for its result_ttl if that is longer.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from ..errors import InvalidValue
from ..job import Job, State

FAILED_TTL_S: Final = 7 * 86_400.0
FAILED_TTL_MS: Final = int(FAILED_TTL_S * 1000)
_MOST_S: Final = 1e12
_EVIDENCE: Final = (State.FAILED, State.EXPIRED)


def is_over(job: Job, now_ms: int, failed_ttl_ms: int) -> bool:
    """Whether the time of a finished job is over."""
    return job.finished_ms is not None and over_ms(job, failed_ttl_ms) <= now_ms


def was_over(job: Job, tidied: Iterable[tuple[int, int]]) -> bool:
    """Whether a finished job was over at one of these instants, each with a failed_ttl_ms."""
    return any(is_over(job, now_ms, failed_ttl_ms) for now_ms, failed_ttl_ms in tidied)


def over_ms(job: Job, failed_ttl_ms: int) -> int:
    """The instant at which a finished job may be dropped."""
    kept_ms = max(job.result_ttl_ms, failed_ttl_ms) if job.state in _EVIDENCE else job.result_ttl_ms
    return (job.finished_ms or 0) + kept_ms


def checked_lease_ms(value: int) -> int:
    """The length of a lease, if it is valid."""
    if type(value) is not int or value < 1:
        raise InvalidValue.of("lease_ms", "whole milliseconds, 1 or more", value)
    return value


def checked_failed_ttl_ms(ttl: float | timedelta) -> int:
    """A failed_ttl in milliseconds, if it is valid."""
    seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= _MOST_S:
        raise InvalidValue.of("failed_ttl", "a number of seconds or a timedelta, zero or more", ttl)
    return int(seconds * 1000)


def checked_max_pending(value: int | None) -> int | None:
    """The number of jobs that may be scheduled, if it is valid."""
    if value is not None and (type(value) is not int or value < 1):
        raise InvalidValue.of("max_pending", "a whole number, 1 or more, or None", value)
    return value
