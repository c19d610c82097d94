"""Sweep: run everything that is due in the calling thread, for cron, serverless and tests."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from ..clock import Clock
from ..contract import Beginning, Claims, Store
from ..events import Events
from ..job import Claim, Failed, Job, Outcome, Released, Snoozed
from ..results.waits import HERE, Here
from ..safety.gate import Gate
from ..schedules.fires import Schedules
from . import log
from .asking import Asking
from .heart import Heart
from .lending import due_for
from .pool.credit import STUCK_S, Pace
from .run.ctrl_c import noted
from .run.runner import Runner
from .settling import settle

_INTERRUPTED: Final = Released(reason="Ctrl-C while it ran")
_UNRUN: Final = Released(reason="the sweep did not start it")
_SWEEP_ENDED: Final = Released(reason="the sweep that had claimed it was interrupted")
_SETTLE_S: Final = 0.01
_TIDY_MOST: Final = 10_000
"""How long an outcome may wait until it is settled, in addition to the run that follows it."""


class Account:
    """What the sweeps of a process owe to a store that has failed: claims without an answer, unsettled outcomes.

    A sweep ends at the first error, but the process may live on and would hold these jobs. So the next sweep settles
    them first. (If an outcome was recorded after all, its claim is lost the second time, which changes nothing.)

    Args:
        store: where to claim and settle.
        owner: the name to claim in; no other, such as a ticker of this process, may use it.
        clock: times the signs of life.
    """

    def __init__(self, store: Store, owner: str, clock: Clock) -> None:
        self.store: Final = store
        self.owner: Final = owner
        heart = Heart(store, clock, owner)
        self._heart = heart
        self._mark = heart.marks()
        self._gate = Gate("run_due()")
        self._asking = Asking(store, clock, owner, heart)
        self._began = False
        self._lock = threading.RLock()  # a signal's handler may call run_due() at any line
        self._sweeps = 0
        self.unsettled: list[tuple[Claim, Outcome]] = []
        """To be settled by the next sweep."""

    @contextmanager
    def alive(self) -> Iterator[None]:
        """During a sweep, give signs of life. Sweeps may overlap: in other threads, or in a job of a sweep."""
        with self._lock:
            self._sweeps += 1
            self._heart.start()
        try:
            yield
        finally:
            with self._lock:
                self._sweeps -= 1
                if not self._sweeps:
                    self._heart.stop()

    def claim(self, now_ms: int, limit: int, into: dict[int, Claim], **options: Any) -> Claims:
        """Store.claim, in one thread at a time, after settling what is owed.

        The claims are also put into ``into``, by their tokens, even if an exception strikes. Claims whose answer was
        lost in an earlier call come again.
        """
        return self._gate.run(self._claim, now_ms, limit, into, options)

    def _claim(self, now_ms: int, limit: int, into: dict[int, Claim], options: dict[str, Any]) -> Claims:
        if self.unsettled:
            settle(self.store, self.unsettled, now_ms)
        if not self._began and isinstance(self.store, Beginning):
            self.store.begin(self.owner, 0)
        self._began = True
        claims = self._asking.claim(now_ms, limit, **options)
        into.update({claim.token: claim for claim in claims})
        self._asking.heard(claims)
        return claims

    def begin(self, claim: Claim) -> None:
        """Mark the job of a claim as started; see contract.Beginning."""
        if self._mark is not None:
            self._mark(self.owner, claim.token)


class Sweep:
    """Claims and runs everything that is due, in claim order."""

    def __init__(
        self,
        account: Account,
        run: Runner,
        clock: Clock,
        *,
        queues: Collection[str] | None = None,
        on: Events | None = None,
        schedules: Schedules | None = None,
    ) -> None:
        self._account = account
        self._run = run
        self._clock = clock
        self._queues = queues
        self._on = on or Events()
        self._schedules = schedules or Schedules()
        self._pace = Pace(workers=1)
        self._runs = 0
        self._interrupted: Callable[[], bool] = lambda: False
        self._unstarted: deque[Claim] = deque()
        """Claimed and not started."""
        self._held: dict[int, Claim] = {}
        """Claimed and not settled, by token."""
        self._unsettled: list[tuple[Claim, Outcome]] = []

    def sweep(self) -> int:
        """Run until nothing is due. Return how many runs were started.

        Raises:
            StoreError: the store failed. Outcomes that could not be settled are settled by the next sweep of this
                process; if there is none, these jobs run again when the process has ended.
            KeyboardInterrupt: Ctrl-C was pressed while a job ran. The job is released like the others; one that must
                not run twice fails, and so does one that raised KeyboardInterrupt itself.
        """
        now_ms = self._clock.now_ms()
        self._schedules.look_after(self._account.store, now_ms)
        with self._account.alive(), noted() as self._interrupted:
            while self._claim_and_run(now_ms, 1 + self._pace.queue_room()):
                pass
        while self._account.store.tidy(now_ms, _TIDY_MOST) >= _TIDY_MOST:
            pass
        return self._runs

    def _claim_and_run(self, now_ms: int, limit: int, ids: Collection[str] | None = None) -> bool:
        try:
            try:
                return self._turn(now_ms, limit, ids)
            finally:  # twice, for an exception from outside may strike in the first
                self._release_all()
        finally:
            self._release_all()

    def _turn(self, now_ms: int, limit: int, ids: Collection[str] | None) -> bool:
        without = self._run.refused.names()
        claims = self._account.claim(now_ms, limit, self._held, queues=self._queues, ids=ids, without=without)
        log.unrun(claims.unrun, self._on)
        log.received(claims, self._on)
        to_run, ended = self._schedules.follow(claims, self._account.store, now_ms, self._on)
        if not claims:
            return False
        self._unsettled += ended
        self._run_all(to_run)
        return True

    def _run_all(self, claims: Sequence[Claim]) -> None:
        monotonic = self._clock.monotonic
        settled_at = monotonic()
        self._unstarted.extend(claims)
        before = HERE.set(Here(help=self._help))
        try:
            while self._unstarted:
                claim = self._unstarted.popleft()
                started = monotonic()
                job = self._run.given(claim.job, self._account.store.get)
                self._account.begin(claim)
                outcome = self._run(claim._replace(job=job)) if isinstance(job, Job) else job
                ended = monotonic()
                interrupted = _is_interrupt(outcome)
                if interrupted and self._interrupted() and claim.job.max_crashes > 1:
                    outcome = _INTERRUPTED  # by the user: the job has not failed
                self._unsettled.append((claim, outcome))
                self._runs += isinstance(job, Job)
                self._pace.ran(1, ended - started)
                if interrupted:  # the Ctrl-C is for this thread, too
                    raise KeyboardInterrupt
                if ended - started > STUCK_S:
                    return  # the next may be as slow: release the others, so that another process may run them
                if ended - settled_at > _SETTLE_S:
                    self._settle()
                    settled_at = ended
        finally:
            HERE.reset(before)

    def _release_unstarted(self) -> None:
        """Release what was not started."""
        self._unsettled += [(claim, _UNRUN) for claim in self._unstarted]
        self._unstarted.clear()
        self._settle()

    def _release_all(self) -> None:
        """At the end of a turn: release what was not started, and what was interrupted."""
        if self._held:
            self._release_unstarted()
        if self._held:
            self._unsettled += [(claim, _SWEEP_ENDED) for claim in self._held.values()]
            self._settle()

    def _help(self, id: str) -> bool:
        """Run the job ``id``, for which a job of this sweep waits: there may be no other process to run it."""
        self._release_unstarted()  # it may be among these
        now_ms = self._clock.now_ms()
        ids, _ = due_for(self._account.store, [id], now_ms)
        inner = Sweep(
            self._account, self._run, self._clock, queues=self._queues, on=self._on, schedules=self._schedules
        )
        inner._interrupted = self._interrupted
        return bool(ids) and inner._claim_and_run(now_ms, 1, ids)

    def _settle(self) -> None:
        if settlements := list(self._unsettled):
            left = list(settlements)  # settle() removes what the store has recorded
            try:
                for claim in settle(self._account.store, left, self._clock.now_ms()):
                    log.lost(claim)
            except Exception:
                self._account.unsettled += left
                self._forget(settlements)
                raise
            self._forget(settlements)

    def _forget(self, settlements: list[tuple[Claim, Outcome]]) -> None:
        for claim, _ in settlements:
            self._held.pop(claim.token, None)
        del self._unsettled[: len(settlements)]


def _is_interrupt(outcome: Outcome) -> bool:
    """Whether a Ctrl-C interrupted the job, in its function or just before it was started."""
    if type(outcome) is Snoozed:
        return (outcome.reason or "").endswith(": KeyboardInterrupt")
    return type(outcome) is Failed and outcome.error.type == "KeyboardInterrupt"


class At(Clock):
    """A clock whose wall time stands still at ``now_ms``, for the jobs of a sweep at a given time."""

    def __init__(self, clock: Clock, now_ms: int) -> None:
        self._clock = clock
        self._now_ms = now_ms

    def now_ns(self) -> int:
        """The given time."""
        return self._now_ms * 1_000_000

    def monotonic(self) -> float:
        """The time of the underlying clock."""
        return self._clock.monotonic()
