"""Scheduler: the one object that users hold. It glues; what is decided is decided in ticker, credit and runner.

Life: stopped -> running -> stopped, as often as one likes. ``start`` makes a pool and a ticker, ``stop`` asks the
ticker to end and waits for it; neither is ever used again, so nothing of one life can be left over in the next. A
thread does not survive a fork: in a child the scheduler is stopped, whatever it was in the parent, and may be started
anew.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from ..clock import Clock, SystemClock
from ..contract import Beginning, OnConflict, Store
from ..errors import SchedulerError, StoreReentered
from ..events import Events
from ..job import Job
from ..schedules.fires import Schedules
from ..settings.checks import checked_timeout, moment_ms
from ..settings.table import UNSET, Unset
from ..tasks.decorator import TaskDecorator
from ..tasks.default_app import offer_default, withdraw_default
from ..tasks.registry import SHARED, Registry
from ..worker import log, starting
from ..worker.heart import Heart
from ..worker.looking import held_back
from ..worker.pool import PoolArguments, inside
from ..worker.pool.make import make_pool
from ..worker.run import ending
from ..worker.run.refused import Refused
from ..worker.run.runner import Runner
from ..worker.signals import Waiter
from ..worker.sweep import Account, At, Sweep
from ..worker.ticker import Ticker
from .calling import Calling
from .configured import Configured
from .pausing import Pausing
from .scheduling import Scheduling

if TYPE_CHECKING:
    from typing import Unpack

R = TypeVar("R")


class Scheduler(Calling, Configured, Pausing, Scheduling):
    """Runs functions later, and never loses one.

    Args:
        store: where the ring lives: a path, a URL, or a Store. A path or URL is opened when it is first needed.
        clock: where time comes from; tests pass a FakeClock.
        owner: how this process is called in the store, for people; host, pid and a random part make it unique.
        queues: take jobs from these queues only; None for all.
        result_ttl: how long a finished job and its result are kept, in seconds.
        timezone: of crontab() and nothing else.
        durability: passed to the store that is opened: "sync", "interval" or "os".
        pool: how many jobs run at the same time (``workers=4``), in what (``pool="threads"``); see PoolArguments.

    What is not given comes from ``app.conf``: an object, the environment, a TOML table; see docs/configuration.md.

    Raises:
        InvalidValue: an argument breaks its rule; nothing was opened.

    >>> app = Scheduler("tasks.json", workers=4)
    >>> @app.task
    ... def remind(user_id: int, text: str) -> str:
    ...     return text.upper()
    >>> result = remind.delay(1, "x", countdown=0)
    >>> with app:
    ...     result.get(timeout=5)
    'X'
    """

    def __init__(
        self,
        store: str | os.PathLike[str] | Store | Unset = UNSET,
        *,
        clock: Clock | None = None,
        owner: str | Unset | None = UNSET,
        queues: Iterable[str] | Unset | None = UNSET,
        result_ttl: float | timedelta | Unset = UNSET,
        timezone: str | tzinfo | Unset = UNSET,
        durability: str | Unset | None = UNSET,
        **pool: Unpack[PoolArguments],
    ) -> None:
        given = {"store": store, "owner": owner, "queues": queues, "result_ttl": result_ttl, "timezone": timezone}
        self._configure({**given, "durability": durability}, pool)
        self.clock: Clock = clock or SystemClock()
        self.registry: Final = Registry(SHARED)
        self.task: Final = TaskDecorator(self)
        """The decorator: ``@app.task`` or ``@app.task(name=..., ...)``; see TaskDecorator."""
        self.on: Final = Events()
        """Hooks: ``@app.on.failed`` and others; see Events."""
        self._schedules = Schedules(self)
        self._runner = Runner(self.registry, self.clock, self.on, refused=Refused(self.registry, self._schedules))
        self._begin()
        ending.ALL.add(self)
        offer_default(self)

    def _begin(self) -> None:
        """What a process must have for itself; a forked child begins anew."""
        self._lock = threading.RLock()
        self._opening = False
        self._ticker: Ticker | None = None
        self._starts = False
        self._account: Account | None = None
        self._anew()
        self._schedules.begin()

    def _anew(self) -> None:
        """Claim under a name that nobody has had."""
        self._mark = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._forget(["owner"])

    def _stand_in(
        self, clock: Clock, url: str | None, store: Store | None, runner: Runner, ticker: Ticker | None
    ) -> tuple[Clock, str | None, Store | None, Runner, Ticker | None]:
        """Live by these; gives what it lived by before, to be put back. For hourwheel.testing, and nothing else."""
        before = self.clock, self._url, self._store, self._runner, self._ticker
        self.clock, self._url, self._store, self._runner, self._ticker = clock, url, store, runner, ticker
        self._schedules.begin()
        return before

    @property
    def workers(self) -> int:
        """How many jobs run at once."""
        return self.pool.workers

    def __repr__(self) -> str:
        where = self.conf.store if self._store is None else self._store
        return f"Scheduler({where!r}, workers={self.workers}, {'running' if self.running else 'stopped'})"

    # ---- the store ---------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The store; opened now if it was not yet.

        Raises:
            StoreError: it cannot be opened.
        """
        if self._store is None:
            with self._lock:
                if self._store is None:
                    self._store = self._opened()
        return self._store

    def _opened(self) -> Store:
        if self._opening:  # in the handler of a signal that has interrupted this thread in here
            raise StoreReentered("the store is just being opened")
        self._opening = True
        try:
            return self._open()
        finally:
            self._opening = False

    def close(self) -> None:
        """Stop, and close the store if the scheduler opened it. Twice is fine; used again, it is opened again.

        Jobs that still run keep the store open, and the life sign of this process shown, until the last has ended.

        Raises:
            SchedulerError: a job of this scheduler calls it, and could not be recorded any more.
        """
        inside.refuse_closing(self._ticker)
        self.stop()
        withdraw_default(self)
        with self._lock:
            if self._url is not None and self._store is not None:
                store, self._store = self._store, None  # first: a child forked meanwhile opens it anew
                ticker, self._ticker = self._ticker, None
                if ticker is not None and ending.leave_open(ticker, store):
                    self._anew()  # what comes next is another life, with a name of its own
                else:
                    store.close()

    # ---- adding jobs -------------------------------------------------------------------------------------

    def submit(self, job: Job, *, fresh: bool = False, on_conflict: OnConflict = "keep") -> str:
        """Store a job, durably; see Store.add. What the calls of a Task come to.

        Returns:
            The id of the job that stands for it: its own, or that of one with the same key.
        """
        store = self._store
        if store is None:
            store = self.store
        if self.on.before_add:
            self.on.before_add.tell(job)
        now_ms = job.created_ms if fresh else self.clock.now_ms()
        id = store.add((job,), now_ms, on_conflict=on_conflict, fresh=fresh)[0]
        ticker = self._ticker
        if ticker is not None and job.due_ms < ticker.horizon_ms:
            ticker.wake()
        return id

    def submit_many(self, jobs: Sequence[Job], *, fresh: bool = True, on_conflict: OnConflict = "keep") -> list[str]:
        """Store jobs in one durable write, all of them or none; see Store.add.

        Args:
            jobs: state scheduled, attempt 0.
            fresh: the ids are new, and there are no keys.
            on_conflict: what becomes of a job whose key another one holds.

        Returns:
            For each the id of the job that stands for it.
        """
        if not jobs:
            return []
        if self.on.before_add:
            for job in jobs:
                self.on.before_add.tell(job)
        ids = self.store.add(jobs, self.clock.now_ms(), on_conflict=on_conflict, fresh=fresh)
        ticker = self._ticker
        if ticker is not None and min(job.due_ms for job in jobs) < ticker.horizon_ms:
            ticker.wake()
        return ids

    def wake(self) -> None:
        """End the ticker's nap, if there is one: something has changed that it cannot see."""
        ticker = self._ticker
        if ticker is not None:
            ticker.wake()

    # ---- life --------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether it claims jobs. False while it stops, and after its ticker died."""
        return self._ticker is not None and self._ticker.alive

    @property
    def stuck(self) -> bool:
        """Whether stop() gave up waiting for the ticker: its store does not answer, and close() would wait for that."""
        return self._ticker is not None and not self._ticker.alive and self._ticker.thread.is_alive()

    def start(self) -> None:
        """Run due jobs in threads of this process, until stop(). Does nothing if it is running.

        Nor, and it says so, where the module that calls it is imported by a command of ours or collected by pytest.

        Raises:
            StoreError: the store cannot be opened.
            SchedulerError: the pool cannot be had here, or cannot do what a task asks of it; or the program is ending.
        """
        if held_back(self, "start()") or inside.is_job():  # which runs, in the parent process
            return
        ending.watch()
        self.discover_tasks()
        store = self.store
        self._schedules.begin()
        with self._lock:
            before = self._ticker
            if self._starts or (before is not None and before.alive):
                log.LOG.debug("start(): %r runs already", self)
                return
            self._starts = True  # a hook may call start(), too
            try:
                self.on.worker_init.tell(self)
                self._ticker = self._new_ticker(store, before)
                starting.start(self._ticker, partial(self.on.worker_ready.tell, self))
            except BaseException:
                self._ticker = before
                raise
            finally:
                self._starts = False

    def _new_ticker(self, store: Store, before: Ticker | None) -> Ticker:
        self._begin_in(store)
        refused, heart = Refused(self.registry, self._schedules), Heart(store, self.clock, self.owner)
        pool = make_pool(self.pool, self.registry, self.clock, self.on, self.queues, self.routes, refused, store, heart)
        rest = self._shared() if before is None else {**self._shared(), "owed": before.owes()}
        ticker = Ticker(store, pool, self.clock, owner=self.owner, heart=heart, without=refused.option, **rest)
        ticker.on_end = partial(self.on.shutdown.tell, self)
        if not self.pool.kind.imports:  # else each worker process tells its own
            self.on.worker_process_init.tell(self)
            ended = partial(self.on.worker_process_shutdown.tell, self)
            ticker.on_end = partial(_one_after_the_other, ended, ticker.on_end)
        return ticker

    def _begin_in(self, store: Store) -> None:
        if isinstance(store, Beginning):
            store.begin(self.owner, 0)

    def _shared(self) -> dict[str, Any]:
        """What a ticker and a sweep must know of this scheduler."""
        return {"queues": self.queues, "on": self.on, "schedules": self._schedules}

    def stop(self, timeout: float = 30.0) -> list[Job]:
        """Claim nothing more, and wait for the running jobs; what was claimed and not begun goes back to the ring.

        Before start(), and twice, is fine. From inside a job it does not wait (the job would wait for itself): it
        returns at once, and the scheduler ends when the running jobs have.

        Args:
            timeout: how long to wait, in seconds.

        Returns:
            The jobs that still run. They go on, and are recorded if they end before the process does.
        """
        timeout = checked_timeout(timeout)
        ticker = self._ticker
        return [] if ticker is None else ticker.stop(timeout)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        self.stop()

    def run(self, *, timeout: float = 30.0) -> list[Job]:
        """Start, and block until SIGTERM, SIGINT or stop(): the scheduler as a program of its own.

        The first signal stops claiming at once and lets the running jobs end; a second one means now. The handlers
        that were there before are put back. (Signals reach the main thread only: called in another thread, this
        blocks until stop().) If the program has set up no logging, log lines go to stderr.

        Args:
            timeout: how long to wait for the running jobs after the first signal, in seconds.

        Returns:
            The jobs that still run.

        Raises:
            SchedulerError: the ticker died of a bug.
        """
        timeout = checked_timeout(timeout)
        if held_back(self, "run()"):
            return []
        self._begin_in(self.store)  # which may wait for other processes: until then a signal ends the program
        waiter = Waiter()
        with log.handler_if_none(), waiter.listening():
            self.start()
            ticker = self._ticker
            assert ticker is not None
            ticker.on_end = partial(_one_after_the_other, ticker.on_end, waiter.happened)
            log.LOG.info("Ready: %d workers on %r as %s", self.pool.workers, self.store, self.owner)
            waiter.wait_while(lambda: not ticker.ended and waiter.signals < 1)
            if waiter.signals:
                log.LOG.info("Stopping: waiting up to %g s for running jobs; once more means now", timeout)
                ticker.stop_claiming(timeout)
                waiter.wait_while(lambda: not ticker.ended and waiter.signals < 2, timeout)
            left = ticker.stop(0.0)
        if ticker.died is not None:
            raise SchedulerError(f"the ticker died: {ticker.died!r}") from ticker.died
        return left

    def run_due(self, now: datetime | int | None = None) -> int:
        """One sweep in this thread, running or not: claim and run everything that is due. For cron and for tests.

        What is due is what is due at the moment of the call. A job that adds another one, due at once, under a clock
        that stands still (freezegun), finds it run in the same sweep.

        Args:
            now: run what is due at this instant (an aware datetime, or milliseconds since the epoch) and let the jobs
                be retried and settled as if it were now; None for the clock's.

        Returns:
            How many jobs were run.

        >>> app.run_due()
        0
        """
        if held_back(self, "run_due()"):
            return 0
        self.discover_tasks()
        clock = self.clock if now is None else At(self.clock, moment_ms(now, self.clock.now_ms()))
        run = self._runner if now is None else self._runner.by(clock)
        return Sweep(self._sweeper(), run, clock, **self._shared()).sweep()

    def _sweeper(self) -> Account:
        """In whose name sweeps claim: not in the ticker's, which could not tell their claims from its own."""
        with self._lock:
            owner = f"{self.owner}-due"
            if self._account is None or self._account.store is not self.store or self._account.owner != owner:
                self._account = Account(self.store, owner, self.clock)
            return self._account


def _one_after_the_other(*functions: Callable[[], None]) -> None:
    for function in functions:
        function()


def _after_fork_in_child() -> None:
    for scheduler in list(ending.ALL):
        scheduler._begin()


os.register_at_fork(after_in_child=_after_fork_in_child)
