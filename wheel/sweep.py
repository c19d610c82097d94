"""One sweep in the calling thread, for cron, serverless and tests: claim what is due, run it here, settle it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from . import log
from .clock import Clock
from .contract import Store
from .events import Events
from .intake import take_in
from .job import Claim, Claims, Failed, Outcome, Released
from .pool.credit import STUCK_S, Pace
from .schedules import Schedules

_UNRUN: Final = Released(reason="the sweep did not begin it")
_SETTLE_S: Final = 0.01
"""An outcome waits at most so long (and for the end of the run that follows it) until it is settled."""


class Sweep:
    """Claims and runs everything that is due at ``clock``'s now, in claim order."""

    def __init__(
        self,
        store: Store,
        run: Callable[[Claim], Outcome],
        clock: Clock,
        *,
        owner: str,
        queues: Collection[str] | None = None,
        on: Events | None = None,
        schedules: Schedules | None = None,
    ) -> None:
        self._store = store
        self._run = run
        self._clock = clock
        self._owner = owner
        self._queues = queues
        self._on = on or Events()
        self._schedules = schedules or Schedules()
        self._pace = Pace(workers=1)
        self._runs = 0
        self._unsettled: list[tuple[Claim, Outcome]] = []

    def sweep(self) -> int:
        """Run until nothing is due; how many runs were begun.

        Raises:
            StoreError: the store failed; what ran and could not be settled will run again.
            KeyboardInterrupt: in the midst of a job, which is recorded as failed; the others are given back.
        """
        now_ms = self._clock.now_ms()
        self._schedules.look_after(self._store, now_ms)
        while True:
            claims = self._store.claim(self._owner, now_ms, 1 + self._pace.queue_room(), queues=self._queues)
            if isinstance(claims, Claims):
                log.unrun(claims.unrun, self._on)
            if not claims:
                return self._runs
            log.received(claims, self._on)
            to_run, ended = take_in(claims, self._store, now_ms, self._on, self._schedules)
            self._unsettled += ended
            self._run_all(to_run)

    def _run_all(self, claims: Sequence[Claim]) -> None:
        recorded = 0
        monotonic = self._clock.monotonic
        settled_at = monotonic()
        try:
            for claim in claims:
                started = monotonic()
                outcome = self._run(claim)
                ended = monotonic()
                self._unsettled.append((claim, outcome))
                recorded += 1
                self._pace.ran(1, ended - started)
                _pass_on_interrupt(outcome)
                if ended - started > STUCK_S:
                    return  # who knows how long the next takes: the others go back, where another process may take them
                if ended - settled_at > _SETTLE_S:
                    self._settle()
                    settled_at = ended
        finally:
            self._runs += recorded
            self._unsettled += [(claim, _UNRUN) for claim in claims[recorded:]]
            self._settle()

    def _settle(self) -> None:
        settlements, self._unsettled = self._unsettled, []
        if settlements:
            for claim in self._store.settle(settlements, self._clock.now_ms()):
                log.lost(claim)


def _pass_on_interrupt(outcome: Outcome) -> None:
    """The runner records every exception, but the Ctrl-C of the person who waits is for this thread too."""
    if type(outcome) is Failed and outcome.error.type == "KeyboardInterrupt":
        raise KeyboardInterrupt


class At:
    """A clock whose wall stands still at ``now_ms``: what the jobs of a sweep for a given moment are to see."""

    def __init__(self, clock: Clock, now_ms: int) -> None:
        self._clock = clock
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """The given moment."""
        return self._now_ms

    def now_ns(self) -> int:
        """The given moment."""
        return self._now_ms * 1_000_000

    def monotonic(self) -> float:
        """As the clock beneath."""
        return self._clock.monotonic()
