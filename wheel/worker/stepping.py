"""The decisions of a step of the ticker: whether to claim, and how long to sleep. Pure."""

from __future__ import annotations

from typing import Final

from .pool.credit import CLAIM_MOST

LINGER_S: Final = 0.01
"""How long the ticker sleeps at most while claims wait in the queue, so that outcomes are settled soon."""
_SECOND_NS: Final = 1_000_000_000
_MS_NS: Final = 1_000_000


def claim_limit(now_ms: int, *, ticks: bool, stale: bool, credit: int, next_ms: int | None) -> int | None:
    """How many jobs to claim now; None for no call at all.

    There is always a call on a tick, so that the store moves its hand and recovers the jobs of dead owners.

    Args:
        now_ms: the current time.
        ticks: whether this is the first step in its second.
        stale: whether something may have changed since the last claim.
        credit: for how many jobs there is room.
        next_ms: Claims.next_ms of the last claim.

    >>> claim_limit(5_000, ticks=False, stale=False, credit=4, next_ms=5_001) is None
    True
    >>> claim_limit(5_001, ticks=False, stale=False, credit=4, next_ms=5_001)
    4
    """
    if ticks or (credit > 0 and (stale or (next_ms is not None and next_ms <= now_ms))):
        return max(0, min(credit, CLAIM_MOST))
    return None


def nap(now_ns: int, *, credit: int, next_ms: int | None, waiting: bool) -> tuple[float, int]:
    """How long to sleep, in seconds, and the horizon: adding a job that is due before it (ms) ends the sleep.

    >>> nap(5_200_000_000, credit=4, next_ms=5_500, waiting=False)
    (0.3, 5500)
    >>> nap(5_200_000_000, credit=0, next_ms=5_500, waiting=False)
    (0.8, 0)
    """
    until_ns = (now_ns // _SECOND_NS + 1) * _SECOND_NS
    if credit > 0 and next_ms is not None:
        until_ns = min(until_ns, next_ms * _MS_NS)
    sleep_s = max(0.0, (until_ns - now_ns) / _SECOND_NS)
    horizon_ms = until_ns // _MS_NS if credit > 0 else 0
    return (min(sleep_s, LINGER_S) if waiting else sleep_s), horizon_ms


def backoff_s(empty_claims: int) -> float:
    """How long to wait after this many claims that returned nothing although a job was said to be due.

    >>> backoff_s(2), backoff_s(3)
    (0.0, 0.008)
    """
    return 0.0 if empty_claims < 3 else min(1.0, 0.001 * 2.0 ** min(empty_claims, 16))
