"""The ticker: a thread that ticks on every whole second of the wall clock, and at due instants in between.

A step of it does this (``claim_limit`` and ``nap`` decide, and are pure):

    collect     the outcomes of the workers
    claim       as many due jobs as there is credit for, in one call, and give them to the workers
    settle      all outcomes, in one call
    nap         until the next due instant, at most to the next whole second

Each step asks the store what is due and relies on no earlier step. So a late, lost or doubled wake-up costs less than a
second. Wall time decides what is due, monotonic time how long to sleep. No sleep is longer than a second, so after the
wall clock was set, the ticker is right again within a second.

The ticker is woken by an added job that is due before the end of the nap (``horizon_ms``), a worker that leaves the
queue low, ``stop``, and a store that another process has changed. Each sets ``_woken`` first, and then rings. The loop
clears ``_woken`` *before* it looks for work, says that it sleeps, and then checks ``_woken`` again. So it misses none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from operator import length_hint
from typing import Final

from ..clock import Clock, Following
from ..contract import Claims, Store, Wakeup
from ..errors import StoreClosed, StoreError
from ..events import Events
from ..job import Claim, Job, Outcome, Released
from ..results.waits import without_waits
from ..safety.latch import Latch
from ..schedules.fires import Schedules
from . import log
from .asking import Asking
from .heart import Heart
from .late import Late
from .lending import Lending
from .outage import Bugs, Jumps, Trouble
from .pool.credit import STUCK_S, Pace
from .pool.protocol import Done, Pool
from .quarantine import Quarantine
from .settling import may_bring_more, settle
from .stepping import backoff_s, claim_limit, nap

_ALWAYS: Final = 1 << 62
_NO_WAITS: Final = "get() cannot wait in a hook that the scheduler's own thread calls: it would wait for itself"
_TIDY_MS: Final = 10_000
_TIDY_MOST: Final = 5_000
"""Jobs to drop at once; others wait for the store meanwhile, for some 20 ms."""
_JOIN_S: Final = 0.75
"""How much longer than its timeout stop() waits, for the ticker to settle the last outcomes."""


class Ticker:
    """One thread that turns the ring, claims what is due, and settles what has ended."""

    def __init__(
        self,
        store: Store,
        pool: Pool,
        clock: Clock,
        *,
        owner: str,
        queues: Collection[str] | None = None,
        owed: Sequence[tuple[Claim, Outcome]] = (),
        heart: Heart | None = None,
        on: Events | None = None,
        schedules: Schedules | None = None,
        without: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """Make a ticker, without starting it.

        Args:
            store: keeps the ring.
            pool: runs what is claimed; the ticker starts and ends it.
            clock: wall and monotonic time.
            owner: the name to claim in; unique among all users of the store.
            queues: claim from these only; None for all.
            owed: outcomes that an earlier ticker could not settle.
            heart: gives the owner's signs of life; None to make one.
            on: the hooks to call.
            schedules: whose fires to add.
            without: returns what this process cannot run; see Refused.names.
        """
        self.horizon_ms = 0
        """Call wake() after adding a job that is due before this; 0 while the ticker does not run or has no credit."""
        self.died: BaseException | None = None
        """The error that ended the thread, if it was a bug."""
        self.ended = False
        """Whether the thread has ended, apart from calling on_end()."""
        self.on_end: Callable[[], None] = lambda: None
        """Called by the thread when it ends."""
        self.pool = pool
        self.pace = Pace(pool.workers)
        self._store = store
        self._clock = clock
        self._queues = queues
        self._on = on or Events()
        self._schedules = schedules or Schedules()
        self._without = without
        self._lending = Lending(store, pool)
        self._heart = heart or Heart(store, clock, owner)
        self._quarantine = Quarantine(isolates=pool.isolates)
        self._unsettled: list[tuple[Claim, Outcome]] = list(owed)
        self._inflight = 0  # claims handed to the pool and not collected yet
        self._next_ms: int | None = None  # when to ask the store again; see Claims
        self._stale = True  # whether something may have changed since
        self._empty_claims = 0  # how often in a row a claim returned nothing although a job was said to be due
        self._second = -1
        self._asking = Asking(store, clock, owner, self._heart)
        self._tidied_ms = -_TIDY_MS
        self._jumps = Jumps()
        self._queue_seen = (0, 0.0)
        self._trouble = Trouble()
        self._bugs = Bugs()
        self.late = Late(store, clock, self._heart.stop)  # settles jobs that end after this ticker
        self._stop_at: float | None = None
        self._gone = threading.Event()
        self._begun = self._over = self._woken = self._asleep = False
        self._shared_bell = isinstance(store, Wakeup)
        bell = store if isinstance(store, Wakeup) else Latch()
        self._ring, self._wait = bell.notify, bell.wait
        target, args = without_waits, (self._live, _NO_WAITS)
        self.thread = threading.Thread(target=target, args=args, name="hourwheel-ticker", daemon=True)

    # ---- from other threads ------------------------------------------------------------------------------

    def wake(self) -> None:
        """End the nap, if there is one: a job was added that is due before the horizon."""
        self._stale = True
        self.nudge()

    def nudge(self) -> None:
        """End the nap, if there is one: a worker has finished a job, or wants more."""
        self._woken = True
        if self._asleep:
            self._ring()

    def start(self, ready: Callable[[], None] = lambda: None) -> None:
        """Start the workers and, when ``ready`` has returned, the thread."""
        self._begun = True
        self.pool.start(wake=self.nudge, settle_late=self.late.settle)
        ready()
        self._heart.start()
        self.thread.start()

    @property
    def alive(self) -> bool:
        """Whether it claims jobs, or is about to."""
        return self._begun and self._stop_at is None and not self.ended

    def stop_claiming(self, timeout_s: float) -> None:
        """Claim no more, and end after the running jobs, or in ``timeout_s`` seconds. A later call can shorten that."""
        stop_at = self._clock.monotonic() + timeout_s
        self._stop_at = stop_at if self._stop_at is None else min(self._stop_at, stop_at)
        self.nudge()

    def stop(self, timeout_s: float) -> list[Job]:
        """Stop claiming, wait for the running jobs for at most ``timeout_s`` seconds, and return those still running.

        When called from a job, it does not wait.
        """
        self.stop_claiming(timeout_s)
        if not self.pool.is_inside() and threading.current_thread() is not self.thread:
            with suppress(RuntimeError):  # it has not started: a hook of worker_ready stops it
                self.thread.join(min(self._left_s(), timeout_s + _JOIN_S, threading.TIMEOUT_MAX))
        return self.pool.running() if self._inflight > 0 else []

    def _left_s(self) -> float:
        """How long a ticker that is stopping may still take. If it takes longer, its store does not answer."""
        return max(0.0, (self._stop_at or 0.0) + _JOIN_S - self._clock.monotonic())

    def owes(self) -> list[tuple[Claim, Outcome]]:
        """Return the outcomes that the store did not record before the ticker ended, for the next ticker."""
        owed, self._unsettled = self._unsettled, []
        return owed

    # ---- the loop ----------------------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            while not self._over:
                self._woken = False
                self.horizon_ms = _ALWAYS
                try:
                    sleep_s = self.step()
                except (Exception, SystemExit) as error:  # a bug
                    sleep_s = self._bugs.pause_s(error, self._clock.monotonic())
                if sleep_s > 0.0:
                    self._sleep(sleep_s)
        except BaseException as error:
            self.died = error
            log.LOG.critical("The ticker died of a bug; this scheduler runs no more jobs", exc_info=True)
        finally:
            self.horizon_ms = 0
            try:
                self.finish()
            finally:
                self.ended = True
                self.on_end()
                self._gone.set()

    def _sleep(self, sleep_s: float) -> None:
        self._asleep = True
        if not self._woken and not self._over and self._wait(sleep_s):
            self._stale = True  # another process may have changed something
        self._asleep = False

    def step(self) -> float:
        """Do what is to be done now. Return the seconds until the next step, if no wake-up comes before."""
        monotonic = self._clock.monotonic()
        self._take(self.pool.collect())
        self._quarantine.look(self._inflight, monotonic)
        self._recall_if_stuck(monotonic)
        if self._stop_at is not None and self._drained(monotonic):
            self._over = True
            return 0.0
        pause_s = self._trouble.left_s(monotonic)
        if not pause_s:
            try:
                pause_s = self._heart.nap_s(self._turn())
                self._trouble.end()
            except StoreClosed:
                self._over = True
                log.LOG.error("The store was closed; this scheduler runs no more jobs")
            except StoreError as error:
                self._stale = True
                pause_s = self._trouble.begin(error, monotonic)
        return pause_s if self._stop_at is None else min(pause_s, max(0.0, self._stop_at - monotonic))

    def _turn(self) -> float:
        """Claim, settle, and return how long to sleep. If the store fails, a later step tries again."""
        self._heart.beat_if_due()
        if self._trouble:
            self._settle()  # first: do not claim what may not be settled
        self._claim()
        self._settle()
        self._lend()
        if self._stop_at is not None:
            return 0.0 if self._inflight <= 0 else 1.0
        credit = self.credit
        if self._stale and credit > 0:
            return 0.0
        sleep_s, self.horizon_ms = nap(
            self._clock.now_ns(), credit=credit, next_ms=self._next_ms, waiting=self.pool.waiting() > 0
        )
        return max(self._lending.nap_s(sleep_s, self._clock.now_ms()), backoff_s(self._empty_claims))

    # ---- claiming ----------------------------------------------------------------------------------------

    @property
    def credit(self) -> int:
        """How many more jobs there is room for."""
        room = self.pool.ready + self.pace.queue_room() - self._inflight
        return self._quarantine.credit(room, self._inflight)

    def _claim(self) -> None:
        if self._stop_at is not None:
            return
        now_ms = self._clock.now_ms()
        credit = self.credit
        ticks = now_ms // 1000 != self._second
        limit = claim_limit(now_ms, ticks=ticks, stale=self._stale, credit=credit, next_ms=self._next_ms)
        if limit is None:
            if not self._asking.unheard:
                return
            limit = 0
        if ticks:
            self._jumps.look(now_ms, self._clock.monotonic())
            self._schedules.look_after(self._store, now_ms)
        self._stale = False  # changes from here on are not in the answer
        claims = self._asking.claim(now_ms, limit, queues=self._queues, without=self._without())
        self._second = now_ms // 1000
        self._next_ms = claims.next_ms
        empty = limit > 0 and not claims and claims.next_ms is not None and claims.next_ms <= now_ms
        self._empty_claims = self._empty_claims + 1 if empty else 0
        log.unrun(claims.unrun, self._on)
        taken, back = self._quarantine.admit(claims, self._inflight, self._clock.monotonic(), now_ms)
        self._hand_over(claims, taken, back, self.pool.put)
        if ticks:
            self._tidy(now_ms)

    def _lend(self) -> None:
        """Run the jobs that jobs of this pool wait for, even if all workers are busy or the ticker is stopping."""
        room = self._lending.room(self._inflight)
        if room <= 0 or self._asking.unheard:
            return
        now_ms = self._clock.now_ms()
        ids = self._lending.wanted(now_ms)
        if ids:
            claims = self._asking.claim(now_ms, room, queues=self._queues, ids=ids, without=self._without())
            self._hand_over(claims, claims, (), self.pool.lend)

    def _tidy(self, now_ms: int) -> None:
        """Every ten seconds: drop jobs whose result_ttl is over, and compare the clock with the store's."""
        if not 0 <= now_ms - self._tidied_ms < _TIDY_MS:
            if self._store.tidy(now_ms, _TIDY_MOST) < _TIDY_MOST:  # else go on at the next tick
                self._tidied_ms = now_ms
            if isinstance(self._clock, Following):
                self._clock.look()

    def _hand_over(
        self,
        claims: Claims,
        taken: Sequence[Claim],
        back: Sequence[tuple[Claim, Outcome]],
        put: Callable[[Iterable[Claim]], None],
    ) -> None:
        """Give the claims in ``taken`` to the workers, and settle those in ``back``."""
        ended: list[tuple[Claim, Outcome]] = []
        if taken:
            taken, ended = self._schedules.follow(taken, self._store, self._clock.now_ms(), self._on)
            self.pool.low_water = self.pace.queue_room() // 2
            log.received(taken, self._on)
        self._unsettled += [*back, *ended]
        self._asking.heard(claims)  # not before: if something fails, they come again
        if not taken:
            return
        todo = iter(taken)
        try:
            put(todo)
        except BaseException:
            at = max(0, len(taken) - length_hint(todo) - 1)  # the one that put() was at has not been taken
            self._unsettled += [(left, Released(reason="no worker could take it")) for left in taken[at:]]
            taken = taken[:at]
            raise
        finally:
            self._inflight += len(taken)

    # ---- settling ----------------------------------------------------------------------------------------

    def _take(self, done: Sequence[Done]) -> None:
        if not done:
            return
        self._unsettled += [(one.claim, one.outcome) for one in done]
        self._inflight -= len(done)
        self.pace.ran(len(done), sum(one.seconds for one in done))

    def _settle(self) -> None:
        if self._unsettled:
            if any(map(may_bring_more, self._unsettled)):
                self._stale = True
            for claim in settle(self._store, self._unsettled, self._clock.now_ms()):
                log.lost(claim)
            if self._shared_bell:
                self._ring()  # a process may wait for a result

    def _recall_if_stuck(self, monotonic: float) -> None:
        """Release queued claims that no worker takes, because others may be idle; while stopping, all of them."""
        waiting = self.pool.waiting()
        if waiting != self._queue_seen[0]:
            self._queue_seen = (waiting, monotonic)
        if not waiting:
            return
        still_s = monotonic - self._queue_seen[1]
        if self._stop_at is not None:
            self._give_back(self.pool.recall(), "the worker stopped before it began")
        elif still_s > STUCK_S:
            self._give_back(self.pool.recall(), "all workers were busy")
            self.pace.stuck(still_s)

    def _give_back(self, claims: Sequence[Claim], reason: str) -> None:
        self._unsettled += [(claim, Released(reason=reason)) for claim in claims]
        self._inflight -= len(claims)

    # ---- ending ------------------------------------------------------------------------------------------

    def _drained(self, monotonic: float) -> bool:
        self.pool.low_water = _ALWAYS
        assert self._stop_at is not None
        return (self._inflight <= 0 and not self._unsettled) or monotonic >= self._stop_at

    def finish(self) -> None:
        """End the workers, and settle what can be settled. Workers settle jobs that end later."""
        self._over = True
        self._give_back(self.pool.close(), "the worker stopped before it began")
        self.pool.join(_JOIN_S / 2)
        self._take(self.pool.abandon())
        try:
            if self._asking.unheard:
                given = self._asking.claim(self._clock.now_ms(), 0)
                self._unsettled += [(claim, Released(reason="the answer to its claim was lost")) for claim in given]
                self._asking.heard(given)
            self._settle()
        except Exception as error:
            left = len(self._unsettled)
            log.LOG.error("%d outcomes could not be recorded before the scheduler stopped: %s", left, error)
        self.late.expect(self._inflight)

    def leave(self) -> None:
        """At the exit of the process: wait until the ticker has ended, and release what is still running."""
        # not join(), which believes a thread dead after a Ctrl-C has interrupted it (CPython 3.11)
        if self._begun and self._gone.wait(min(self._left_s(), _JOIN_S)):
            self.late.leave(self.pool.running)
