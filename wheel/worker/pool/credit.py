"""Credit: how many jobs to claim, so that a pool never has more than it has room for. Pure.

A claimed job has left the ring, so no other process can take it, even if that one is idle. The queue between the ticker
and its workers is therefore as short as possible without workers having to wait for the store:

- While jobs are slow, one job is claimed for each idle worker, and no more (no prefetching). The round trip to the
  store, half a millisecond, does not matter.
- While jobs are short, the round trip would dominate. So more are claimed: for each worker about as many as it can run
  in QUEUE_MS milliseconds, at most QUEUE_MOST. A job then waits for about that time in the queue.

Whether jobs are short is judged by a moving average of past runs, which may be wrong about the next ones. So a queue
that does not move for STUCK_S is released, and the average is adjusted.
"""

from __future__ import annotations

from typing import Final

QUEUE_MS: Final = 10.0
"""How long a worker's share of the queue should last."""
QUEUE_MOST: Final = 256
"""The most jobs in a worker's share of the queue."""
SLOW_MS: Final = 5.0
"""With an average above this there is no queue."""
CLAIM_MOST: Final = 1024
"""The most jobs in one call of claim(), to limit how long the ticker is busy with it."""
STUCK_S: Final = 0.05
"""A queue from which nothing was taken for this long is released."""
_WINDOW: Final = 256.0


class Pace:
    """The recent duration of runs, and the length of the queue that follows from it.

    >>> pace = Pace(workers=4)
    >>> pace.queue_room()
    0
    >>> pace.ran(100, 0.2)
    >>> pace.queue_room()
    20
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self.mean_ms = QUEUE_MS  # assume slow at first
        """The moving average of the duration of runs, in milliseconds."""
        self._weight = 0.0

    def ran(self, runs: int, seconds: float) -> None:
        """Record that ``runs`` runs took ``seconds`` in total. The newest 256 make up about two thirds of it."""
        total_ms = self.mean_ms * self._weight + seconds * 1000.0
        self.mean_ms = total_ms / (self._weight + runs)
        self._weight = min(self._weight + runs, _WINDOW)

    def stuck(self, seconds: float) -> None:
        """Record that all workers have been busy for ``seconds`` with jobs that have not ended."""
        self.mean_ms = max(self.mean_ms, seconds * 1000.0)
        self._weight = max(self._weight, float(self._workers))

    def queue_room(self) -> int:
        """Return how many claims may wait in the queue, in addition to one for each idle worker."""
        if self.mean_ms > SLOW_MS:
            return 0
        each = min(QUEUE_MOST, int(QUEUE_MS / max(self.mean_ms, 0.001)))
        return each * self._workers
