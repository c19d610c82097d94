"""travel() and eager(): a scheduler on a clock that a test moves, in the test's own thread and without sleeping.

Time moves in steps, from one due instant to the next. At each step the clock is set to the instant, and the scheduler
does what ``run_due()`` does. So each job runs exactly when it is due and sees that time on the scheduler's clock; jobs
that it adds run at their own time. Between the steps nothing happens, so a year takes as long as its jobs take.

An app is usually made when its module is imported, with a file and the machine's clock. For the time of the block it
has another clock, backing and life; afterwards it has its own again, even if the block raises.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from ..clock import Clock, SystemClock, as_datetime
from ..contract import Filter, Store
from ..errors import InvalidValue, SchedulerError
from ..job import State
from ..scheduler.backing import Backing
from ..scheduler.life import Life
from ..scheduler.scheduler import Scheduler
from ..schedules.stored import DEFINITION
from ..tasks import default_app as default
from ..tasks.context import current_job
from ..zones import checked_zone
from .clock import FakeClock
from .forgetful import Forgetful
from .hand import Hand
from .ran import RUNS_MOST, Due, Ran, Record, RecordingRunner, due_of
from .travel_clock import NS_IN_MS, Frozen, TravelClock, moment_ms, stands_still

_SCHEDULED: Final = Filter(states=frozenset({State.SCHEDULED}))
_ALL: Final = 1 << 62
_FAR_NS: Final = 1 << 67
"""In the year 6645: before the end of the year 9999, when jobs that wait for others are nominally due."""
_FOR_EVER: Final = float("inf")


class Travel:
    """A scheduler that travels in time; yielded by travel(), eager() and the fixture ``hourwheel``."""

    def __init__(self, app: Scheduler, base: Clock, frozen: Frozen | None, zone: tzinfo, most: int) -> None:
        self.app: Final = app
        """The scheduler."""
        self.eager = False
        """Whether calls that are due run immediately; they do as well if ``app.eager`` is true."""
        self._zone = zone
        self._record = Record(most)
        self._clock = TravelClock(base, frozen, self._pass_time)
        self._store: Forgetful | None = None
        self._unrun = 0
        self._lock = threading.Lock()
        self._sweeps = 0
        self._added = False

    def __repr__(self) -> str:
        return f"<Travel of {self.app!r}, now {self.now.isoformat(sep=' ')}, {len(self._record)} runs>"

    # ---- looking -----------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The current time on the scheduler's clock, in the time zone of travel()."""
        return as_datetime(self._clock.now_ms()).astimezone(self._zone)

    @property
    def ran(self) -> list[Ran]:
        """The runs so far, in order."""
        return self._record.runs(self._zone)

    @property
    def pending(self) -> list[Due]:
        """The scheduled jobs, the earliest first."""
        self._refuse_if_over()
        jobs = self.app.store.scan(_SCHEDULED, _ALL)
        return [due_of(job, self._zone) for job in jobs if job.task != DEFINITION]

    def clear(self) -> None:
        """Empty ``ran``."""
        self._record.clear()

    # ---- moving ------------------------------------------------------------------------------------------

    def advance(
        self,
        by: timedelta | None = None,
        *,
        weeks: float = 0,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        milliseconds: float = 0,
    ) -> list[Ran]:
        """Advance the time, and run each job when it is due. Without arguments, run what is due now.

        A day is always 24 hours, even if the clocks are changed on it. Use to() for a time of day.

        Returns:
            The runs of this call.

        Raises:
            InvalidValue: the sum is negative.
            SchedulerError: there were more than ``most`` runs, as in an endless loop of jobs that add each other.
            StoreError: the store failed.

        >>> with travel(app, "2026-03-01 12:00") as t:
        ...     result = remind.delay(1, "x", countdown=900)
        ...     [(ran.task, ran.at.minute) for ran in t.advance(hours=1)]
        [('app.remind', 15)]
        """
        passed = timedelta(
            weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds
        )
        if by is not None:
            if not isinstance(by, timedelta):
                raise InvalidValue.of("by", "a timedelta; or pass seconds=, minutes=, hours= or days=", by)
            passed += by
        if passed < timedelta():
            raise InvalidValue.of("advance()", "called with zero or more time", passed)
        return self._go(self._clock.now_ns() + passed // timedelta(microseconds=1) * 1000)

    def to(self, when: datetime | str) -> list[Ran]:
        """Advance the time to an instant; see advance().

        Args:
            when: an aware datetime, or text such as "2026-03-29 01:59" in the time zone of travel().

        Returns:
            The runs of this call.

        Raises:
            InvalidValue: it is not a valid time, or is in the past.
        """
        until_ms = moment_ms(when, self._zone, "when")
        if until_ms < self._clock.now_ms():
            raise InvalidValue.of("when", f"no earlier than now, {self.now.isoformat(sep=' ')}", when)
        return self._go(until_ms * NS_IN_MS)

    async def aadvance(self, by: timedelta | None = None, **parts: float) -> list[Ran]:
        """Like advance(), for coroutines. Jobs run in another thread: in this one a loop is already running."""
        return await asyncio.to_thread(self.advance, by, **parts)

    async def ato(self, when: datetime | str) -> list[Ran]:
        """Like to(), for coroutines; see aadvance()."""
        return await asyncio.to_thread(self.to, when)

    # ---- stepping ----------------------------------------------------------------------------------------

    def _refuse_if_over(self) -> None:
        if travel_of(self.app) is not self:
            raise SchedulerError("this travel() has ended: use the Travel inside its block only")

    def _go(self, until_ns: int) -> list[Ran]:
        self._refuse_if_over()
        before = len(self._record)
        self._record.begin()
        while self._step(until_ns):
            pass
        self._clock.move_to(until_ns)
        self._sweep()  # so that leases lapse and jobs expire at that time, too
        if self._store is not None:
            self._store.tidy(self._clock.now_ms())
        return self._record.runs(self._zone, before)

    def _step(self, until_ns: int) -> bool:
        """Move to the next instant at which something is due, and run it. Return False if there is none by then."""
        now_ms = self._clock.now_ms()
        self._look_after(now_ms)
        due_ms = self._next_ms()
        if due_ms is None or max(due_ms, now_ms) * NS_IN_MS > until_ns:
            return False
        self._clock.move_to(due_ms * NS_IN_MS)
        if not self._sweep() and self._next_ms() == due_ms:
            # The store reports a due job, but it cannot be claimed: try again at each tick, as the ticker does.
            self._clock.move_to(min((self._clock.now_ms() // 1000 + 1) * 1000 * NS_IN_MS, until_ns))
            return self._clock.now_ns() < until_ns
        return True

    def _look_after(self, now_ms: int) -> None:
        """Add the missing fires of schedules, before time is moved."""
        schedules = self.app.fires
        if schedules.entries:
            if not self._spare_look():
                schedules.begin()
            schedules.look_after(self.app.store, now_ms)
            if self._store is not None:
                self._unrun = self._store.unrun

    def _spare_look(self) -> bool:
        """Skip the look for missing fires unless a job was cancelled; otherwise each fire has its next one."""
        if self._store is None or self._store.unrun != self._unrun:
            return False
        self.app.fires.spare_look(self._clock.now_ms())
        return True

    def _next_ms(self) -> int | None:
        return self.app.store.next_due(self.app.queues, self.app.life.runner.refused.names())

    def _sweep(self) -> int:
        """Run what is due, including jobs that are added meanwhile. Return how many were run."""
        with self._lock:
            self._sweeps += 1
        runs = 0
        try:
            while True:
                self._added = False
                self._spare_look()
                runs += self.app.run_due()
                with self._lock:
                    if not (self._is_eager and self._added):  # after this, adding a job starts a new sweep
                        self._sweeps -= 1
                        return runs
        except BaseException:
            with self._lock:
                self._sweeps -= 1
            raise

    # ---- called by the scheduler -------------------------------------------------------------------------

    @property
    def _is_eager(self) -> bool:
        return self.eager or self.app.eager

    def _horizon_ms(self) -> int:
        return self._clock.now_ms() + 1 if self._is_eager else 0

    def _wake(self) -> None:
        """In eager mode, run what is due, unless a sweep is going on, which will find it."""
        with self._lock:
            self._added = True
            if not self._is_eager or self._sweeps:
                return
        self._record.begin()
        self._sweep()

    def _pass_time(self, most_s: float) -> float:
        """Advance time for a caller that waits for a job; see Passing."""
        before_ns = self._clock.now_ns()
        until_ns = _FAR_NS if most_s == _FOR_EVER else before_ns + round(most_s * 1_000_000_000)
        if not self._step(until_ns):
            if most_s != _FOR_EVER:
                self._clock.move_to(until_ns)
                return most_s
            if not self._sweeps or current_job() is not None:
                raise SchedulerError("get() waits for a job that will never end: nothing else is due")
            threading.Event().wait(0.001)  # another thread runs jobs
        return (self._clock.now_ns() - before_ns) / 1_000_000_000


# ---- in and out ------------------------------------------------------------------------------------------


@contextmanager
def travel(
    app: Scheduler,
    start: datetime | str | None = None,
    *,
    tz: str | tzinfo | None = None,
    eager: bool = False,
    store: Store | None = None,
    frozen: Frozen | None = None,
    most: int = RUNS_MOST,
) -> Iterator[Travel]:
    """In the block, put ``app`` on a clock that stands still until you move it.

    Nothing runs in the background: start() does nothing, and jobs run in the thread that advances the time. Waiting for
    a result advances the time, too. Calls of shared tasks go to ``app``.

    Args:
        app: a scheduler that is stopped.
        start: the time at the beginning: an aware datetime, or text such as "2026-03-29 01:59" in ``tz``. None for now;
            if the scheduler's own clock is a FakeClock, or within freeze_time(), that clock is followed.
        tz: the time zone of text, and of the times in ``ran`` and ``pending``; None for the scheduler's.
        eager: whether to run a call that is due immediately. One with a countdown waits until time has passed.
        store: the store to use in the block; None for a new, empty memory store.
        frozen: what freezegun's freeze_time() or time-machine's travel() yielded. It is moved along, so that jobs see
            the same time in datetime.now().
        most: how many runs in one call are an error, because jobs seem to add each other endlessly.

    Raises:
        InvalidValue: an argument is not valid.
        SchedulerError: the scheduler is running, or is in travel() already.

    >>> with travel(app, "2026-03-29 01:59", tz="Europe/Berlin") as t:
    ...     result = remind.delay(1, "x", countdown=3600)
    ...     ran = t.advance(hours=3)
    ...     ran[0].result, str(ran[0].at), result.state  # its result_ttl, an hour, is over
    ('X', '2026-03-29 03:59:00+02:00', 'unknown')
    """
    zone = _checked(app, tz)
    if type(most) is not int or most < 1:
        raise InvalidValue.of("most", "a whole number, 1 or more", most)
    base: Clock = app.clock
    if frozen is not None:
        base = SystemClock()
        if start is not None:
            frozen.move_to(as_datetime(moment_ms(start, zone, "start")))
    elif start is not None or not stands_still(app.clock):
        base = FakeClock(app.clock.now_ms() if start is None else moment_ms(start, zone, "start"))
    with _begun(Travel(app, base, frozen, zone, most), store) as begun:
        begun.eager = eager
        yield begun


@contextmanager
def eager(app: Scheduler, start: datetime | str | None = None, **options: Any) -> Iterator[Travel]:
    """In the block, run each call that is due immediately, in the caller's thread.

    A call with a countdown or a future eta waits until time has passed, as it would outside of tests: with advance(),
    get(), or, within freezegun's freeze_time(), with frozen.tick() and ``app.run_due()``. Calls return an AsyncResult,
    as usual.

    Args:
        app: a scheduler that is stopped; or one that is in travel(), which becomes eager for the block.
        start: as in travel().
        options: as in travel().

    Raises:
        InvalidValue, SchedulerError: as in travel().

    >>> with eager(app) as t:
    ...     now, later = remind.delay(1, "x"), remind.delay(2, "y", countdown=900)
    ...     now.state, later.state
    ...     ran = t.advance(minutes=15)
    ...     later.result
    ('succeeded', 'scheduled')
    'Y'
    """
    travelling = travel_of(app)
    if travelling is None:
        with travel(app, start, eager=True, **options) as begun:
            yield begun
        return
    if start is not None or options:
        rule = "left out: the scheduler is in travel() already"
        raise InvalidValue.of("start and options", rule, (start, options))
    before, travelling.eager = travelling.eager, True
    try:
        yield travelling
    finally:
        travelling.eager = before


def travel_of(app: Scheduler) -> Travel | None:
    """Return the Travel of a scheduler; None if it is not in travel()."""
    owner = getattr(getattr(app.clock, "pass_time", None), "__self__", None)
    return owner if isinstance(owner, Travel) else None


def _checked(app: Scheduler, tz: str | tzinfo | None) -> tzinfo:
    if not isinstance(app, Scheduler):
        raise InvalidValue.of("app", "a Scheduler", app)
    if travel_of(app) is not None:
        raise SchedulerError("the scheduler is in travel() already: move it with to() or advance()")
    if app.life.ticker is not None and app.life.ticker.thread.is_alive():
        raise SchedulerError("the scheduler is running: stop() it first, because travel() runs the jobs itself")
    return app.timezone if tz is None else checked_zone(tz)


@contextmanager
def _begun(begun: Travel, store: Store | None) -> Iterator[Travel]:
    """Give the app the clock, store, runner and hand of the Travel, and restore its own afterwards."""
    app, clock = begun.app, begun._clock
    own = Forgetful(clock) if store is None else None
    begun._store = own
    runner: Any = RecordingRunner(app.life.runner, clock, begun._record)
    hand: Any = Hand(begun._horizon_ms, begun._wake)
    carrier, before = default.default_or_none(), (app.clock, app.backing, app.life)
    app.clock, app.backing, app.life = clock, Backing(app.conf, clock, own or store), Life(app, runner, hand)
    app.fires.begin()
    default.set_default(app)
    try:
        begun._look_after(clock.now_ms())
        yield begun
    finally:
        default.set_default(carrier)
        app.clock, app.backing, app.life = before
        app.fires.begin()
        if own is not None:
            own.close()
