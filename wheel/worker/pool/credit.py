"""How many jobs may be claimed: never more than there is room for. Pure: numbers in, numbers out.

A claimed job is out of the ring: no other process can take it, whoever idles. So the queue between the ticker and its
workers is as short as it can be without workers waiting for the store:

- While jobs are slow there is one claim for each idle worker and none beyond ("exactly 0 prefetch"). The round trip
  to the store, half a millisecond, is nothing beside them.
- While jobs are short the round trip would be everything, so some more are claimed at once, for each worker about as
  many as it can run in QUEUE_MS milliseconds, at most QUEUE_MOST. What waits in the queue then waits that long.

"Short" is a moving average over the runs, so it can be wrong about what comes next; a queue that stands still
(STUCK_S) is therefore given back to the ring, and the average is told.
"""

from __future__ import annotations

from typing import Final

QUEUE_MS: Final = 10.0
"""A worker's share of the queue is to last about so long."""
QUEUE_MOST: Final = 256
"""A worker's share of the queue is at most so many jobs."""
SLOW_MS: Final = 5.0
"""From this average on there is no queue at all."""
CLAIM_MOST: Final = 1024
"""Jobs in one call of claim(): bounds how long the ticker is away from the clock."""
STUCK_S: Final = 0.05
"""A queue that nobody took from for so long is given back."""
_WINDOW: Final = 256.0


class Pace:
    """How long runs take of late, and what queue that allows.

    >>> pace = Pace(workers=4)
    >>> pace.queue_room()
    0
    >>> pace.ran(100, 0.2)
    >>> pace.queue_room()
    20
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._mean_ms = QUEUE_MS  # unknown is taken for slow
        self._weight = 0.0

    @property
    def mean_ms(self) -> float:
        """The moving average of a run, in milliseconds."""
        return self._mean_ms

    def ran(self, runs: int, seconds: float) -> None:
        """Learn that ``runs`` runs took ``seconds`` together. The newest 256 count for about two thirds."""
        total_ms = self._mean_ms * self._weight + seconds * 1000.0
        self._mean_ms = total_ms / (self._weight + runs)
        self._weight = min(self._weight + runs, _WINDOW)

    def stuck(self, seconds: float) -> None:
        """Learn that all workers have been busy for ``seconds`` with jobs that have not ended."""
        self._mean_ms = max(self._mean_ms, seconds * 1000.0)
        self._weight = max(self._weight, float(self._workers))

    def queue_room(self) -> int:
        """How many claims may wait beyond those that idle workers take at once."""
        if self._mean_ms > SLOW_MS:
            return 0
        each = min(QUEUE_MOST, int(QUEUE_MS / max(self._mean_ms, 0.001)))
        return each * self._workers
