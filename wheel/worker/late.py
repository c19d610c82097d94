"""Late: jobs that outlive the ticker which claimed them, because stop() did not wait for them any longer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from ..clock import Clock
from ..contract import Store
from ..job import Claim, Failed, Failure, Job, Outcome, Released
from . import log
from .pool.protocol import Done
from .settling import settle

_MOMENT_S: Final = 0.002
_MOMENTS: Final = 250
"""So often is looked at exit whether a worker has come to its end: half a second at most."""
_ENDED: Final = "the program ended in order while it ran"


class Late:
    """Settles them when they end, and knows when the last of them has.

    Args:
        store: where they are settled.
        clock: says when.
        over: called when the last has ended, once it is known that there are no more.
    """

    def __init__(self, store: Store, clock: Clock, over: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._clock = clock
        self._over = over
        self._expects = False
        self._lock = threading.Lock()
        self._ended = 0
        self._awaited = 0
        self._then: Callable[[], None] | None = None
        self._to_do = False
        """Whether ``_then`` is still to be done, or is being done."""

    def settle(self, done: Sequence[Done]) -> None:
        """Called by a worker whose job outlived the ticker."""
        try:
            for claim in settle(self._store, [(one.claim, one.outcome) for one in done], self._clock.now_ms()):
                log.lost(claim)
        except Exception as error:
            log.LOG.error("%d jobs ended after the scheduler, and could not be recorded: %s", len(done), error)
        with self._lock:
            self._ended += len(done)
        self._look()

    def expect(self, count: int) -> None:
        """The ticker has ended, and so many jobs had not."""
        with self._lock:
            self._awaited = count
            self._expects = True
        self._look()

    def when_over(self, then: Callable[[], None]) -> bool:
        """Have ``then`` called when the last has ended; False if none runs any more."""
        with self._lock:
            if self._ended >= self._awaited:
                return False
            self._then, self._to_do = then, True
            return True

    def _look(self) -> None:
        if self._ended >= self._awaited:
            self._end()

    def _end(self) -> None:
        if self._expects:
            self._over()
        with self._lock:
            then, self._then = self._then, None
        if then is not None:
            then()
            self._to_do = False

    def leave(self, running: Callable[[], Sequence[Job]]) -> None:
        """The process ends now, in order: give back what still runs, uncounted. What must not run twice has failed.

        What has just ended its worker settles; so much time there is.
        """
        _wait_for(lambda: self._ended + len(running()) >= self._awaited)
        if jobs := running():
            self._give_back(jobs)
        _wait_for(lambda: not self._to_do)  # the worker of the last job may be at it

    def _give_back(self, jobs: Sequence[Job]) -> None:
        settlements: list[tuple[Claim, Outcome]] = [
            (Claim(job, job.token, job.owner or ""), _left(job)) for job in jobs
        ]
        try:
            settle(self._store, settlements, self._clock.now_ms())
            log.LOG.info("The program ends; %d jobs that were running start again", len(jobs))
        except Exception as error:
            log.LOG.error("%d running jobs could not be given back at exit: %s", len(jobs), error)
        self._end()


def _wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(_MOMENTS):
        if condition():
            return
        time.sleep(_MOMENT_S)


def _left(job: Job) -> Outcome:
    if job.max_crashes > 1:
        return Released(reason=_ENDED)
    error = Failure("WorkerEnded", f"{_ENDED}, and it is not to run twice")
    return Failed(error=error, reason="at most once (acks_early): it had begun")
