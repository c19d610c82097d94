"""Jitter: fires of one schedule are delayed, each by another time, so that not everything starts at once. Pure.

The delay is a hash of the schedule's name and the fire's instant. So all processes compute the same one, and the order
of fires stays: a delay ends before the next fire.
"""

from __future__ import annotations

from hashlib import blake2b

from .misfires import After, newest


def jittered(after: After, jitter_ms: int, name: str, ms: int) -> int | None:
    """Return the first delayed fire later than ``ms``.

    Args:
        after: returns the first fire later than an instant, without delays.
        jitter_ms: fires are delayed by less than this, in milliseconds; 0 for no delays.
        name: of the schedule.
        ms: an instant in milliseconds since the epoch.

    >>> jittered(lambda ms: (ms // 60_000 + 1) * 60_000, 10_000, "clean", 0)
    5839
    """
    if not jitter_ms:
        return after(ms)
    first_ms = after(ms - jitter_ms)
    if first_ms is None:
        return None
    if first_ms <= ms:  # one that is past may have been delayed until after ms: the last one
        first_ms = newest(after, ms - jitter_ms, ms)
        delayed_ms = _delayed(after, jitter_ms, name, first_ms)
        if delayed_ms > ms:
            return delayed_ms
        following_ms = after(first_ms)
        if following_ms is None:
            return None
        first_ms = following_ms
    return _delayed(after, jitter_ms, name, first_ms)


def _delayed(after: After, jitter_ms: int, name: str, at_ms: int) -> int:
    following_ms = after(at_ms)
    most_ms = jitter_ms if following_ms is None else min(jitter_ms, following_ms - at_ms)
    digest = blake2b(f"{name}@{at_ms}".encode(errors="surrogatepass"), digest_size=8).digest()
    return at_ms + int.from_bytes(digest) % most_ms
