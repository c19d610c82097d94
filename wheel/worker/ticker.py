"""The ticker: the only sleeper. It ticks on every whole second of the wall clock, and at due instants in between.

A step looks at what is the case, decides (``claim_limit``, ``nap``: pure), performs, and returns how long to sleep:

    collect     what the workers have ended since
    claim       as many due jobs as there is credit for, in one call; they go to the workers at once
    settle      everything collected, in one call
    nap         until the next due instant, at most to the next whole second

Nothing is chained: each step finds out anew from the store what is due, so a late, lost or doubled wake-up costs time
at most, and less than a second. Wall time says what is due, monotonic time how long to sleep, and since no sleep is
longer than a second a wall clock that was set does not matter for longer.

Who wakes the ticker before its nap is over: ``submit`` of a job that is due before the end of the nap (``horizon_ms``),
a worker that leaves the queue low, ``stop``, and a store that another process has changed. Each sets ``_woken`` first
and rings then. The loop clears ``_woken`` *before* it looks, says that it sleeps, and looks at ``_woken`` again:
whoever comes in between is seen by one or the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from operator import length_hint
from typing import Final

from ..clock import Clock
from ..contract import Store, Wakeup
from ..errors import StoreClosed, StoreError
from ..events import Events
from ..job import Claim, Claims, Job, Outcome, Released
from ..results.waits import without_waits
from ..safety.latch import Latch
from ..schedules.fires import Schedules
from . import log
from .late import Late
from .leases import Leases
from .lending import Lending
from .outage import Bugs, Jumps, Trouble
from .pool.credit import STUCK_S, Pace
from .pool.protocol import Done, Pool
from .quarantine import Quarantine
from .run.refused import Without
from .settling import settle
from .stepping import claim_limit, nap, penance_s
from .unheard import unheard

_ALWAYS: Final = 1 << 62
_NO_WAITS: Final = "get() cannot wait in a hook that the scheduler's own thread calls: it would wait for itself"
_JOIN_S: Final = 0.75
"""stop() waits so much longer than it was told for the ticker's last settling."""


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
        on: Events | None = None,
        schedules: Schedules | None = None,
        without: Callable[[], Without] = Without,
        name: str = "hourwheel",
    ) -> None:
        """A ticker that is not started.

        Args:
            store: keeps the ring.
            pool: runs what is claimed; the ticker starts and ends it.
            clock: wall and monotonic time.
            owner: in whose name to claim; unique among all that use the store.
            queues: claim from these only; None for all.
            owed: outcomes that an earlier ticker could not settle.
            on: the hooks to tell.
            schedules: to look after.
            without: gives an option of claims: what cannot be run here; see Refused.
            name: what the thread is called.
        """
        self.horizon_ms = 0
        """A job due before this instant is worth a wake(); 0 while the ticker does not run, or has no credit."""
        self.died: BaseException | None = None
        """What ended the thread, if it was a bug."""
        self.ended = False
        """Whether the thread has done its last act but for on_end()."""
        self.on_end: Callable[[], None] = lambda: None
        """Called by the thread as its last act."""
        self.pool = pool
        self.pace = Pace(pool.workers)
        self._store = store
        self._clock = clock
        self._owner = owner
        self._queues = queues
        self._on = on or Events()
        self._schedules = schedules or Schedules()
        self._without = without
        self._lending = Lending(store, pool)
        self._leases = Leases(store, clock)
        self._quarantine = Quarantine(isolates=pool.isolates)
        self._unsettled: list[tuple[Claim, Outcome]] = list(owed)
        self._inflight = 0  # claims handed to the pool and not collected yet
        self._next_due_ms: int | None = None
        self._next_known = False
        self._swept_ms = -1  # the last claim took everything that was due by then
        self._in_vain = 0  # how often in a row the store then named one that was due all the same
        self._second = -1
        self._newest = 0  # the newest token heard of
        self._asked_ms: int | None = None  # when claim() was called that has not answered
        self._jumps = Jumps(log.LOG)
        self._queue_seen = (0, 0.0)
        self._trouble = Trouble(log.LOG)
        self._bugs = Bugs(log.LOG)
        self.late = Late(store, clock)  # what becomes of jobs that outlive this ticker
        self._stop_at: float | None = None
        self._gone = threading.Event()
        self._begun = self._over = self._woken = self._asleep = False
        self._shared_bell = isinstance(store, Wakeup)
        bell = store if isinstance(store, Wakeup) else Latch()
        self._ring, self._wait = bell.notify, bell.wait
        self.thread = threading.Thread(
            target=without_waits, args=(self._live, _NO_WAITS), name=f"{name}-ticker", daemon=True
        )

    # ---- from other threads ------------------------------------------------------------------------------

    def wake(self) -> None:
        """End the nap, if there is one."""
        self._woken = True
        if self._asleep:
            self._ring()

    def start(self, ready: Callable[[], None] = lambda: None) -> None:
        """Start the workers and, when ``ready`` has returned, the thread."""
        self._begun = True
        self.pool.start(wake=self.wake, settle_late=self.late.settle)
        ready()
        self.thread.start()

    @property
    def alive(self) -> bool:
        """Whether it turns and claims, or is about to."""
        return self._begun and self._stop_at is None and not self.ended

    def stop_claiming(self, timeout_s: float) -> None:
        """Claim no more; end when the running jobs have, or in ``timeout_s`` seconds. Another call can shorten that."""
        stop_at = self._clock.monotonic() + timeout_s
        self._stop_at = stop_at if self._stop_at is None else min(self._stop_at, stop_at)
        self.wake()

    def stop(self, timeout_s: float) -> list[Job]:
        """Stop claiming, and wait until the running jobs have ended, at most ``timeout_s`` seconds.

        Called from inside a job it cannot wait for itself, and returns at once. Returns the jobs that still run.
        """
        self.stop_claiming(timeout_s)
        if not self.pool.is_inside() and threading.current_thread() is not self.thread:
            with suppress(RuntimeError):  # it has not begun: a hook of worker_ready stops it
                self.thread.join(min(self._left_s(), timeout_s + _JOIN_S, threading.TIMEOUT_MAX))
        return self.pool.running() if self._inflight > 0 else []

    def _left_s(self) -> float:
        """How long a ticker that is to stop may still take to end; later, its store does not answer."""
        return max(0.0, (self._stop_at or 0.0) + _JOIN_S - self._clock.monotonic())

    def owes(self) -> list[tuple[Claim, Outcome]]:
        """What the store would not take before the ticker ended; for the next one."""
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
                except (Exception, SystemExit) as error:  # a bug of ours
                    sleep_s = self._bugs.pause_s(error, self._clock.monotonic())
                if sleep_s > 0.0:
                    self._sleep(sleep_s)
        except BaseException as error:
            self.died = error
            log.LOG.critical("The ticker died of a bug; this scheduler runs nothing any more", exc_info=True)
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
        if not self._woken and not self._over:
            self._wait(sleep_s)
        self._asleep = False

    def step(self) -> float:
        """Do what is to be done now. Seconds until the next step, if no wake-up comes before."""
        monotonic = self._clock.monotonic()
        self._take(self.pool.collect())
        self._recall_if_stuck(monotonic)
        if self._stop_at is not None and self._drained(monotonic):
            self._over = True
            return 0.0
        pause_s = self._trouble.left_s(monotonic)
        if not pause_s:
            try:
                pause_s = self._turn()
                self._trouble.end()
            except StoreClosed:
                self._over = True
                log.LOG.error("The store was closed; this scheduler runs nothing any more")
            except StoreError as error:
                self._next_known = False
                pause_s = self._trouble.begin(error, monotonic)
        pause_s = self._leases.nap_s(pause_s)
        return pause_s if self._stop_at is None else min(pause_s, max(0.0, self._stop_at - monotonic))

    def _turn(self) -> float:
        """Claim, settle, and say how long to sleep. What the store refuses is tried again by a later step."""
        self._leases.renew(self._clock.now_ms())
        if self._trouble:
            self._settle()  # first what the store owes: it must not hand out more than it can take back
        asked, came = self._claim()
        self._settle()
        self._lend()
        if self._stop_at is not None:
            return 0.0 if self._inflight <= 0 else 1.0
        credit = self._credit()
        if asked and came == asked and credit > 0:
            return 0.0  # more may be due than one call takes
        if not self._next_known and credit > 0:
            self._look_ahead()
        sleep_s, self.horizon_ms = nap(
            self._clock.now_ns(), credit=credit, next_due_ms=self._next_due_ms, waiting=self.pool.waiting() > 0
        )
        return max(self._lending.nap_s(sleep_s, self._clock.now_ms()), penance_s(self._in_vain))

    # ---- claiming ----------------------------------------------------------------------------------------

    def _credit(self) -> int:
        room = self.pool.ready + self.pace.queue_room() - self._inflight
        return self._quarantine.credit(room, self._inflight, self._clock.monotonic())

    def _claim(self) -> tuple[int, int]:
        """(how many were asked for, how many came)."""
        if self._stop_at is not None:
            return 0, 0
        if self._asked_ms is not None:
            self._give_back_unheard(self._asked_ms)
        now_ms = self._clock.now_ms()
        credit = self._credit()
        ticks = now_ms // 1000 != self._second
        if not ticks and credit > 0 and self._must_look(now_ms):
            self._look_ahead()
        limit = claim_limit(now_ms, ticks=ticks, credit=credit, next_due_ms=self._next_due_ms)
        if limit is None:
            return 0, 0
        if ticks:
            self._jumps.look(now_ms, self._clock.monotonic())
            self._schedules.look_after(self._store, now_ms)
        self._asked_ms = now_ms
        claims = self._store.claim(self._owner, now_ms, limit, queues=self._queues, **self._without())
        self._second = now_ms // 1000
        if len(claims) < limit:
            self._swept_ms = now_ms
            self._next_known = False
        elif limit:
            self._next_due_ms, self._next_known = now_ms, True  # there may be more: not worth a look before the claim
        if isinstance(claims, Claims):
            log.unrun(claims.unrun, self._on)
        taken, back = self._quarantine.admit(claims, self._inflight, self._clock.monotonic(), now_ms)
        self._unsettled += back
        self._hand_over(taken, self.pool.put)
        self._asked_ms = None
        return limit, len(claims)

    def _lend(self) -> None:
        """Take what jobs of this pool wait for, though all workers are busy, and also while they are to end."""
        room = self._lending.room(self._inflight)
        if room <= 0:
            return
        now_ms = self._clock.now_ms()
        ids = self._lending.wanted(now_ms)
        if ids:
            self._asked_ms = now_ms
            self._hand_over(
                self._store.claim(self._owner, now_ms, room, queues=self._queues, ids=ids, **self._without()),
                self.pool.lend,
            )
            self._asked_ms = None

    def _give_back_unheard(self, asked_ms: int) -> None:
        given = Released(reason="the answer to its claim was lost")
        self._unsettled += [(claim, given) for claim in unheard(self._store, self._owner, asked_ms, self._newest)]
        self._asked_ms = None

    def _must_look(self, now_ms: int) -> bool:
        """Whether it is not known what is next, or not due: then it was something newer that ended the nap."""
        return not self._next_known or self._next_due_ms is None or self._next_due_ms > now_ms

    def _look_ahead(self) -> None:
        self._next_due_ms = self._store.next_due(self._queues, **self._without())
        self._next_known = True
        contradicts = self._next_due_ms is not None and self._next_due_ms <= self._swept_ms
        self._in_vain = self._in_vain + 1 if contradicts else 0

    def _hand_over(self, claims: Sequence[Claim], put: Callable[[Iterable[Claim]], None]) -> None:
        if not claims:
            return
        newest = claims[-1].token
        taken, ended = self._schedules.follow(claims, self._store, self._clock.now_ms(), self._on)
        self.pool.low_water = self.pace.queue_room() // 2
        log.received(taken, self._on)
        self._newest = newest  # until here all of them count as not heard of, should anything fail
        self._unsettled += ended
        todo = iter(taken)
        try:
            put(todo)
        except BaseException:
            at = max(0, len(taken) - length_hint(todo) - 1)  # the one that it was at has not been taken
            self._unsettled += [(left, Released(reason="no worker could take it")) for left in taken[at:]]
            taken = taken[:at]
            raise
        finally:
            self._inflight += len(taken)
            self._leases.took(taken)

    # ---- settling ----------------------------------------------------------------------------------------

    def _take(self, done: Sequence[Done]) -> None:
        if not done:
            return
        self._unsettled += [(one.claim, one.outcome) for one in done]
        self._inflight -= len(done)
        self.pace.ran(len(done), sum(one.seconds for one in done))

    def _settle(self) -> None:
        if self._unsettled:
            self._leases.leave(self._unsettled)
            for claim in settle(self._store, self._unsettled, self._clock.now_ms()):
                log.lost(claim)
            if self._shared_bell:
                self._ring()  # somebody may wait for a result

    def _recall_if_stuck(self, monotonic: float) -> None:
        """Give the queue back if nobody takes from it: others may be idle. While stopping, give it back at once."""
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
        """Let go of the workers, and settle what can be settled; what ends later its worker settles."""
        self._over = True
        self._give_back(self.pool.close(), "the worker stopped before it began")
        self.pool.join(_JOIN_S / 2)
        self._take(self.pool.abandon())
        try:
            if self._asked_ms is not None:
                self._give_back_unheard(self._asked_ms)
            self._settle()
        except Exception as error:
            left = len(self._unsettled)
            log.LOG.error("%d outcomes could not be recorded before the scheduler stopped: %s", left, error)
        self.late.expect(self._inflight)

    def leave(self) -> None:
        """The process ends: give back what still runs, once the ticker has ended, which it must in its time."""
        # not join(), which takes a thread for dead after a Ctrl-C has interrupted it (CPython 3.11)
        if self._begun and self._gone.wait(min(self._left_s(), _JOIN_S)):
            self.late.leave(self.pool.running)
