"""How long to wait before the next attempt. Pure: numbers in, a number out.

The delay doubles from attempt to attempt, up to a limit. With jitter it is drawn evenly from zero to that value ("full
jitter"): jobs that failed together, because a server was down, do not come back together.
"""

from __future__ import annotations

import random
from collections.abc import Callable


def delay_s(
    retries: int, *, factor: float, most: float, jitter: bool, draw: Callable[[], float] = random.random
) -> float:
    """Seconds until the next attempt.

    Args:
        retries: how many attempts have been tried again already, 0 or more.
        factor: the first delay, in seconds.
        most: the longest delay, in seconds.
        jitter: draw from zero to the delay instead of taking it.
        draw: gives a number from 0 to 1.

    >>> [delay_s(n, factor=3, most=20, jitter=False) for n in range(5)]
    [3.0, 6.0, 12.0, 20.0, 20.0]
    >>> delay_s(2, factor=3, most=20, jitter=True, draw=lambda: 0.5)
    6.0
    """
    if factor <= 0.0:
        return 0.0
    doublings = min(retries, 1000)  # 2.0**1024 is too much for a float
    delay = min(float(most), factor * 2.0**doublings)
    return delay * draw() if jitter else delay
