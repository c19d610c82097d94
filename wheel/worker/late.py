"""Late: jobs that are still running when their ticker ends, because stop() did not wait any longer."""

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
"""How often leave() looks whether workers have finished: for half a second at most."""
_ENDED: Final = "the program ended in order while it ran"


class Late:
    """Settles such jobs when they end. ``over`` is called when the ticker and the last of them have ended."""

    def __init__(self, store: Store, clock: Clock, over: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._clock = clock
        self._over = over
        self._ticker_ended = False
        self._lock = threading.Lock()
        self._ended = 0
        self._expected = 0
        self._callback: Callable[[], None] | None = None
        self._calling = False
        """Whether ``_then`` has not returned yet."""

    def settle(self, done: Sequence[Done]) -> None:
        """Called by a worker when its job ends after the ticker."""
        try:
            for claim in settle(self._store, [(one.claim, one.outcome) for one in done], self._clock.now_ms()):
                log.lost(claim)
        except Exception as error:
            log.LOG.error("%d jobs ended after the scheduler, and could not be recorded: %s", len(done), error)
        with self._lock:
            self._ended += len(done)
        self._end_if_over()

    def expect(self, count: int) -> None:
        """The ticker has ended, while this many jobs were running."""
        with self._lock:
            self._expected = count
            self._ticker_ended = True
        self._end_if_over()

    def when_over(self, then: Callable[[], None]) -> bool:
        """Call ``then`` when the last job has ended. Return False if none is running."""
        with self._lock:
            if self._ended >= self._expected:
                return False
            self._callback, self._calling = then, True
            return True

    def _end_if_over(self) -> None:
        if self._ended >= self._expected:
            self._end()

    def _end(self) -> None:
        if self._ticker_ended:
            self._over()
        with self._lock:
            then, self._callback = self._callback, None
        if then is not None:
            then()
            self._calling = False

    def leave(self, running: Callable[[], Sequence[Job]]) -> None:
        """At the exit of the process: release running jobs. Those that must not run twice fail.

        Waits a moment for workers that are settling a job that has just ended.
        """
        _wait_for(lambda: self._ended + len(running()) >= self._expected)
        if jobs := running():
            self._release(jobs)
        _wait_for(lambda: not self._calling)  # the worker of the last job may be calling it

    def _release(self, jobs: Sequence[Job]) -> None:
        settlements: list[tuple[Claim, Outcome]] = [
            (Claim(job, job.token, job.owner or ""), _outcome_at_exit(job)) for job in jobs
        ]
        try:
            settle(self._store, settlements, self._clock.now_ms())
            log.LOG.info("The program ends; %d running jobs will start again", len(jobs))
        except Exception as error:
            log.LOG.error("%d running jobs could not be released at exit: %s", len(jobs), error)
        self._end()


def _wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(_MOMENTS):
        if condition():
            return
        time.sleep(_MOMENT_S)


def _outcome_at_exit(job: Job) -> Outcome:
    if job.max_crashes > 1:
        return Released(reason=_ENDED)
    error = Failure("WorkerEnded", f"{_ENDED}, and it must not run twice")
    return Failed(error=error, reason="at most once (acks_early): it had started")
