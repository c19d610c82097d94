"""Scheduler: the one object that users hold. It glues, and is made of parts.

    conf        the settings; what they come to is made when it is first needed (configured.py)
    backing     the store: which one, and opened or not
    registry    the tasks; ``task`` is the decorator that adds to it
    fires       the schedules, as a worker sees them
    life        the ticker, while the scheduler runs, and sweeps in the calling thread

What only reads and calls these is written as functions: calling.py, pausing.py, scheduling.py, configured.py.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Final, Self

from ..clock import Clock, Following, SystemClock
from ..contract import OnConflict, Store
from ..events import Events
from ..job import Job
from ..results.many import Results
from ..results.result import AsyncResult
from ..schedules.fires import Schedules
from ..settings.checks import checked_timeout, moment_ms
from ..settings.conf import Conf
from ..settings.table import UNSET, Unset
from ..tasks.decorator import TaskDecorator
from ..tasks.default_app import offer_default, withdraw_default
from ..tasks.discovery import Discovery
from ..tasks.options.routes import Routes
from ..tasks.registry import SHARED, Registry
from ..worker import log
from ..worker.looking import held_back
from ..worker.pool import PoolArguments, PoolOptions, inside
from ..worker.run import ending
from ..worker.sweep import At
from ..wrong_use import OF_SCHEDULER, lacks
from . import calling, configured, pausing, scheduling
from .backing import Backing
from .book import ScheduleBook
from .configured import AT_START, MADE, OF_STORE, forget, refuse_unexpected
from .life import Life

if TYPE_CHECKING:
    from typing import Unpack


@lacks("a Scheduler", OF_SCHEDULER)
class Scheduler:
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

    pool: PoolOptions = MADE["pool"]
    """Which pool runs the jobs; start() reads it, so set it before."""
    queues: frozenset[str] | None = MADE["queues"]
    """Which queues jobs are taken from; None for all. Set it before start()."""
    result_ttl_ms: int = MADE["result_ttl_ms"]
    """How long a finished job is kept if it does not say, in milliseconds."""
    routes: Routes | None = MADE["routes"]
    """Which queue a call goes to that names none; None for the default queue."""
    timezone: tzinfo = MADE["timezone"]
    """The zone of schedules that name none."""
    owner: str = MADE["owner"]
    """The name under which this process claims jobs."""
    decorator_type: type[TaskDecorator] = TaskDecorator
    """What ``@app.task`` is."""
    conf_type: type[Conf] = Conf
    """The settings: ``conf``."""
    result_type: type[AsyncResult[Any]] = AsyncResult
    """What calls return: the handle to a job."""
    results_type: type[Results[Any]] = Results
    """What calls of several jobs return."""

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
        refuse_unexpected(name for name in pool if name not in PoolArguments.__annotations__)
        given = {"store": store, "owner": owner, "queues": queues, "result_ttl": result_ttl, "timezone": timezone}
        self._rename()
        self.conf: Final = self.conf_type(self._reconfigure, arguments={**given, "durability": durability, **pool})
        """The settings; see Conf."""
        self._machine_clock: Final = clock or SystemClock()
        self.clock: Clock = self._machine_clock
        given_store = None if isinstance(store, (str, os.PathLike, Unset)) else store
        self.backing = Backing(self.conf, self.clock, given_store, self._go_by)
        self.registry: Final = Registry(SHARED)
        self.task: Final = self.decorator_type(self)
        """The decorator: ``@app.task`` or ``@app.task(name=..., ...)``; see TaskDecorator."""
        self.on: Final = Events()
        """Hooks: ``@app.on.failed`` and others; see Events."""
        self.fires: Final = Schedules(self)
        self.life = Life(self)
        self.discoveries: Final[list[Discovery]] = []
        self.home: str | None = None
        """The module in which ``hourwheel -A`` found it."""
        if given_store is not None:
            self._go_by(given_store)
        ending.ALL.add(self)
        offer_default(self)

    def _go_by(self, store: Store) -> None:
        """Where the store has a clock of its own, that one says what is due."""
        own = self._machine_clock
        self.clock = own if store.now_ms() is None else Following(own, store.now_ms)
        self.life.runner = self.life.runner.by(self.clock)

    def _begin_in_child(self) -> None:
        """Be stopped, under another name: this process was forked, and what runs belongs to its parent."""
        self.backing.begin()
        self._rename()
        self.life.begin()
        self.fires.begin()

    def _rename(self) -> None:
        """Claim under a name that no process and no scheduler has had."""
        self._mark = f"{os.getpid()}-{secrets.token_hex(4)}"
        forget(self, {"owner"})

    def __repr__(self) -> str:
        where = self.conf.store if self.backing.store is None else self.backing.store
        return f"Scheduler({where!r}, workers={self.workers}, {'running' if self.running else 'stopped'})"

    # ---- settings ----------------------------------------------------------------------------------------

    config_from_object = configured.config_from_object
    config_from_envvar = configured.config_from_envvar
    autodiscover_tasks = configured.autodiscover_tasks
    discover_tasks = configured.discover_tasks

    @property
    def workers(self) -> int:
        """How many jobs run at once."""
        return self.pool.workers

    def _reconfigure(self, names: frozenset[str]) -> None:
        """Follow a change of ``conf``; what is raised here undoes the change."""
        if names & OF_STORE:
            self.backing.change(running=self.running)
        forget(self, names)
        if self.running and names & AT_START:
            told = ", ".join(sorted(names & AT_START))
            log.LOG.warning("The scheduler runs: what was said of %s holds from the next start() on", told)
        try:
            if "beat_schedule" in names:
                scheduling.take_conf(self, self.conf.beat_schedule or {})
            if "timezone" in names:
                self.fires.move_to(self.timezone)
        except BaseException:
            forget(self, names)
            raise

    # ---- the store ---------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The store; opened now if it was not yet.

        Raises:
            StoreError: it cannot be opened.
        """
        store = self.backing.store
        return self.backing.open() if store is None else store

    def close(self) -> None:
        """Stop, and close the store if the scheduler opened it. Twice is fine; used again, it is opened again.

        Jobs that still run keep the store open, and the life sign of this process shown, until the last has ended.

        Raises:
            SchedulerError: a job of this scheduler calls it, and could not be recorded any more.
        """
        inside.refuse_closing(self.life.ticker)
        self.stop()
        withdraw_default(self)
        if self.life.close():
            self._rename()  # what comes next is another life, with a name of its own

    # ---- jobs --------------------------------------------------------------------------------------------

    schedule_many = calling.schedule_many
    send_task = calling.send_task
    AsyncResult = calling.result_of
    why_not_ended = calling.why_not_ended
    warn_if_nobody_runs = calling.warn_if_nobody_runs
    pause = pausing.pause
    resume = pausing.resume
    paused = pausing.paused

    def submit(self, job: Job, *, fresh: bool = False, on_conflict: OnConflict = "keep") -> str:
        """Store a job, durably; see Store.add. What the calls of a Task come to.

        Returns:
            The id of the job that stands for it: its own, or that of one with the same key.
        """
        store = self.backing.store
        if store is None:
            store = self.store
        if self.on.before_add.functions:  # a truth value is slower, and this is for each delay()
            self.on.before_add.tell(job)
        now_ms = job.created_ms if fresh else self.clock.now_ms()
        id = store.add((job,), now_ms, on_conflict=on_conflict, fresh=fresh)[0]
        ticker = self.life.ticker
        if ticker is not None and (job.due_ms < ticker.horizon_ms or job.after is not None):
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
        ticker = self.life.ticker
        soon = ticker is not None and min(job.due_ms for job in jobs) < ticker.horizon_ms
        if ticker is not None and (soon or jobs[0].after is not None):
            ticker.wake()
        return ids

    @property
    def eager(self) -> bool:
        """Whether a test's travel() is to run calls where they are made, as testing.eager() does."""
        return False

    def wake(self) -> None:
        """Wake the ticker, if there is one: something has changed that it cannot see."""
        ticker = self.life.ticker
        if ticker is not None:
            ticker.wake()

    # ---- schedules ---------------------------------------------------------------------------------------

    periodic = scheduling.periodic
    add_periodic_task = scheduling.add_periodic_task
    add_beat_schedule = scheduling.add_beat_schedule
    pause_schedule = scheduling.pause_schedule
    resume_schedule = scheduling.resume_schedule
    run_schedule = scheduling.run_schedule
    remove_schedule = scheduling.remove_schedule

    @property
    def schedules(self) -> ScheduleBook:
        """The schedules by name, and when each fires next: those of the code, and those that it adds to the store.

        >>> name = app.add_periodic_task(every(minutes=5), remind.s(1, "x"), name="reminder")
        >>> app.schedules[-1].name, app.schedules[-1].spec
        ('reminder', 'every 300000 ms')
        """
        return ScheduleBook(self)

    # ---- life --------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether it claims jobs. False while it stops, and after its ticker died."""
        return self.life.running

    @property
    def stuck(self) -> bool:
        """Whether stop() gave up waiting for the ticker: its store does not answer, and close() would wait for that."""
        return self.life.stuck

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
        self.fires.begin()
        self.life.start(store)

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
        ticker = self.life.ticker
        return [] if ticker is None else ticker.stop(timeout)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
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
        return [] if held_back(self, "run()") else self.life.block(self.start, timeout)

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
        at = None if now is None else At(self.clock, moment_ms(now, self.clock.now_ms()))
        return self.life.sweep(at)


def _after_fork_in_child() -> None:
    for scheduler in list(ending.ALL):
        scheduler._begin_in_child()


os.register_at_fork(after_in_child=_after_fork_in_child)
