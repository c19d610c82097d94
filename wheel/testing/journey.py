"""Travel in time: a whole scheduler on a clock that a test moves, in the test's own thread, without any sleep.

Time does not flow, it steps: from due instant to due instant. At each the clock is set there, and the scheduler does
what it does for ``run_due()``. So every job runs at the very instant at which it is due, finds that instant on the
scheduler's clock, and what it adds is found at its own instant in turn. In between nothing happens, so a year costs
what its jobs cost.

An app is usually made when its module is imported, with a file and the machine's clock. For the time of the block it
has another clock, backing and life, and afterwards those that it had before, whatever happened in the block.
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
"""In the year 6645: before the end of all time, at which those jobs are due that wait for others."""
_FOR_EVER: Final = float("inf")


class Travel:
    """A journey of one scheduler through time; given by travel() and eager(), and by the fixture ``hourwheel``."""

    def __init__(self, app: Scheduler, base: Clock, frozen: Frozen | None, zone: tzinfo, most: int) -> None:
        self.app: Final = app
        """The scheduler."""
        self.eager = False
        """Whether a call that is due is run at once."""
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
        """The present, in the journey's time zone."""
        return as_datetime(self._clock.now_ms()).astimezone(self._zone)

    @property
    def ran(self) -> list[Ran]:
        """What has run so far, in order."""
        return self._record.runs(self._zone)

    @property
    def pending(self) -> list[Due]:
        """What has not begun, the earliest first."""
        self._refuse_if_over()
        return [due_of(job, self._zone) for job in self.app.store.scan(_SCHEDULED, _ALL)]

    def clear(self) -> None:
        """Forget what has run so far, so that ``ran`` begins anew."""
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
        """Let time pass, and run each job at the instant at which it is due. Without arguments: what is due now.

        A day is 24 hours, also where the clocks are changed; to() knows the time of day.

        Returns:
            What has run meanwhile.

        Raises:
            InvalidValue: time would go back.
            SchedulerError: more than ``most`` runs: jobs add each other for ever.
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
                raise InvalidValue.of("by", "a timedelta; or say seconds=, minutes=, hours= or days=", by)
            passed += by
        if passed < timedelta():
            raise InvalidValue.of("advance()", "a way ahead, zero or more", passed)
        return self._go(self._clock.now_ns() + passed // timedelta(microseconds=1) * 1000)

    def to(self, when: datetime | str) -> list[Ran]:
        """Let time pass until that instant; see advance().

        Args:
            when: an aware datetime, or text such as "2026-03-29 01:59", which is in the journey's time zone.

        Returns:
            What has run meanwhile.

        Raises:
            InvalidValue: it is no instant, or has passed.
        """
        until_ms = moment_ms(when, self._zone, "when")
        if until_ms < self._clock.now_ms():
            raise InvalidValue.of("when", f"no earlier than now, {self.now.isoformat(sep=' ')}", when)
        return self._go(until_ms * NS_IN_MS)

    async def aadvance(self, by: timedelta | None = None, **parts: float) -> list[Ran]:
        """advance() for coroutines, whose own thread could not run tasks that are coroutine functions."""
        return await asyncio.to_thread(self.advance, by, **parts)

    async def ato(self, when: datetime | str) -> list[Ran]:
        """to() for coroutines; see aadvance()."""
        return await asyncio.to_thread(self.to, when)

    # ---- stepping ----------------------------------------------------------------------------------------

    def _refuse_if_over(self) -> None:
        if travel_of(self.app) is not self:
            raise SchedulerError("the journey is over: the scheduler lives on its own clock and store again")

    def _go(self, until_ns: int) -> list[Ran]:
        self._refuse_if_over()
        before = len(self._record)
        self._record.begin()
        while self._step(until_ns):
            pass
        self._clock.move_to(until_ns)
        self._sweep()  # the tick in which leases lapse and time is over for what waits
        if self._store is not None:
            self._store.tidy(self._clock.now_ms())
        return self._record.runs(self._zone, before)

    def _step(self, until_ns: int) -> bool:
        """Go to the next instant at which something is to happen, and let it; False if there is none by then."""
        now_ms = self._clock.now_ms()
        self._look_after(now_ms)
        due_ms = self._next_ms()
        if due_ms is None or max(due_ms, now_ms) * NS_IN_MS > until_ns:
            return False
        self._clock.move_to(due_ms * NS_IN_MS)
        if not self._sweep() and self._next_ms() == due_ms:
            # The store names a job that is due and does not give it: look again at each tick, as the ticker does.
            self._clock.move_to(min((self._clock.now_ms() // 1000 + 1) * 1000 * NS_IN_MS, until_ns))
            return self._clock.now_ns() < until_ns
        return True

    def _look_after(self, now_ms: int) -> None:
        """Let every schedule have its next fire in the store, before time is moved."""
        schedules = self.app.fires
        if schedules.entries:
            if not self._spare_look():
                schedules.begin()
            schedules.look_after(self.app.store, now_ms)
            if self._store is not None:
                self._unrun = self._store.unrun

    def _spare_look(self) -> bool:
        """A fire is followed by the next in the store itself, unless it was cancelled: look only if something was."""
        if self._store is None or self._store.unrun != self._unrun:
            return False
        self.app.fires.spare_look(self._clock.now_ms())
        return True

    def _next_ms(self) -> int | None:
        return self.app.store.next_due(self.app.queues, **self.app.life.runner.refused.option())

    def _sweep(self) -> int:
        """Run what is due, also what is added meanwhile; how much that was."""
        with self._lock:
            self._sweeps += 1
        runs = 0
        try:
            while True:
                self._added = False
                self._spare_look()
                runs += self.app.run_due()
                with self._lock:
                    if not (self.eager and self._added):  # who adds a job from now on finds that no sweep goes on
                        self._sweeps -= 1
                        return runs
        except BaseException:
            with self._lock:
                self._sweeps -= 1
            raise

    # ---- what the scheduler's own parts ask --------------------------------------------------------------

    def _horizon_ms(self) -> int:
        return self._clock.now_ms() + 1 if self.eager else 0

    def _wake(self) -> None:
        """Something is due in eager mode: run it, unless a sweep goes on, which will find it."""
        with self._lock:
            self._added = True
            if not self.eager or self._sweeps:
                return
        self._record.begin()
        self._sweep()

    def _pass_time(self, most_s: float) -> float:
        """Somebody waits for a job to end; see Passing."""
        before_ns = self._clock.now_ns()
        until_ns = _FAR_NS if most_s == _FOR_EVER else before_ns + round(most_s * 1_000_000_000)
        if not self._step(until_ns):
            if most_s != _FOR_EVER:
                self._clock.move_to(until_ns)
                return most_s
            if not self._sweeps or current_job() is not None:
                raise SchedulerError("the job that is waited for will never end: nothing is due any more")
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
    """For the time of the block ``app`` lives on a clock that stands still, and moves when it is told.

    Nothing of it runs in the background meanwhile: start() does nothing, and jobs run in the thread that lets time
    pass. Waiting for a result lets time pass. Shared tasks are carried by ``app``.

    Args:
        app: a scheduler that is stopped.
        start: when the journey begins: an aware datetime, or text such as "2026-03-29 01:59", which is in ``tz``.
            None for the present; and if the scheduler's own clock stands still (a FakeClock, or within freeze_time()),
            the journey follows that, besides being moved.
        tz: the time zone of text, and of what the journey shows; None for the scheduler's.
        eager: run a call that is due at once; one with a countdown waits until time has passed.
        store: where jobs are kept meanwhile; None for a new, empty memory store.
        frozen: what freezegun's freeze_time() or time-machine's travel() gave: it is moved along, so that jobs find the
            instant in datetime.now() too.
        most: so many runs at one go are an error: jobs that add each other for ever.

    Raises:
        InvalidValue: an argument breaks its rule.
        SchedulerError: the scheduler runs, or travels already.

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
    """For the time of the block a call that is due is run at once, in the caller's thread.

    A call with a countdown (or an eta ahead) is never run at once: it waits, as it would outside of a test, until time
    has passed: by advance(), by get(), or, within freezegun's freeze_time(), by frozen.tick() and ``app.run_due()``.
    What a call gives is an AsyncResult like any other.

    Args:
        app: a scheduler that is stopped; or one that travels, which is eager from now until the end of the block.
        start: as in travel().
        options: as in travel().

    Raises:
        InvalidValue, SchedulerError: see travel().

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
        raise InvalidValue.of("start and options", "absent: the scheduler travels already", (start, options))
    before, travelling.eager = travelling.eager, True
    try:
        yield travelling
    finally:
        travelling.eager = before


def travel_of(app: Scheduler) -> Travel | None:
    """The journey that a scheduler is on."""
    owner = getattr(getattr(app.clock, "pass_time", None), "__self__", None)
    return owner if isinstance(owner, Travel) else None


def _checked(app: Scheduler, tz: str | tzinfo | None) -> tzinfo:
    if not isinstance(app, Scheduler):
        raise InvalidValue.of("app", "a Scheduler", app)
    if travel_of(app) is not None:
        raise SchedulerError("the scheduler travels already: move it with to() or advance()")
    if app.life.ticker is not None and app.life.ticker.thread.is_alive():
        raise SchedulerError("the scheduler runs: stop() it first, a journey runs the jobs itself")
    return app.timezone if tz is None else checked_zone(tz)


@contextmanager
def _begun(begun: Travel, store: Store | None) -> Iterator[Travel]:
    """Put the journey's clock, store, runner and hand under the app; put back what was there."""
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
