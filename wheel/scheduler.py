"""Scheduler: the one object that users hold. It glues; what is decided is decided in ticker, credit and runner.

Life: stopped -> running -> stopped, as often as one likes. ``start`` makes a pool and a ticker, ``stop`` asks the
ticker to end and waits for it; neither is ever used again, so nothing of one life can be left over in the next. A
thread does not survive a fork: in a child the scheduler is stopped, whatever it was in the parent, and may be started
anew.
"""

from __future__ import annotations

import atexit
import os
import secrets
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from uuid import UUID

from . import log
from .clock import Clock, SystemClock
from .config import (
    checked_owner,
    checked_queues,
    checked_store,
    checked_timeout,
    checked_timezone,
    checked_ttl_ms,
    checked_workers,
    moment_ms,
)
from .contract import OnConflict, Store
from .decorator import TaskDecorator
from .default import offer_default, withdraw_default
from .errors import InvalidValue, SchedulerError
from .ids import normal_id
from .job import Job
from .naming import checked_name
from .options import CallOptions, Plan
from .pool import ThreadPool
from .registry import SHARED, Registry
from .result import AsyncResult
from .results import Results
from .runner import Runner
from .signals import Waiter
from .sweep import At, Sweep
from .task import Task, send
from .ticker import Ticker

if TYPE_CHECKING:
    from typing import Unpack

R = TypeVar("R")

_EXIT_S: Final = 1.0
"""A program that ends without stop() waits so long for the jobs that run."""


class Scheduler:
    """Runs functions later, and never loses one.

    Args:
        store: where the ring lives: a path, a URL, or a Store. A path or URL is opened when it is first needed.
        workers: how many jobs run at the same time, each in a thread of its own.
        clock: where time comes from; tests pass a FakeClock.
        owner: how this process is called in the store, for people; host, pid and a random part make it unique.
        queues: take jobs from these queues only; None for all.
        result_ttl: how long a finished job and its result are kept, in seconds.
        timezone: of crontab() and nothing else.
        durability: passed to the store that is opened: "sync", "interval" or "os".

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
        store: str | os.PathLike[str] | Store = "tasks.json",
        *,
        workers: int = 4,
        clock: Clock | None = None,
        owner: str | None = None,
        queues: Iterable[str] | None = None,
        result_ttl: float | timedelta = 3600,
        timezone: str | tzinfo = "UTC",
        durability: str | None = None,
    ) -> None:
        self.workers = checked_workers(workers)
        """How many jobs run at once; read by start(), so that ``noria worker -c`` may set it before."""
        self.queues = checked_queues(queues)
        """As ``workers``."""
        self.result_ttl_ms: Final = checked_ttl_ms(result_ttl)
        self.timezone: Final = checked_timezone(timezone)
        self.clock: Final[Clock] = clock or SystemClock()
        self._label = checked_owner(owner)
        self._url, self._store = checked_store(store, durability)
        self._durability = durability
        self.registry: Final = Registry(SHARED)
        self.task: Final = TaskDecorator(self)
        """The decorator: ``@app.task`` or ``@app.task(name=..., ...)``; see TaskDecorator."""
        self._runner = Runner(self.registry, self.clock)
        self._begin()
        _ALL.add(self)
        offer_default(self)

    def _begin(self) -> None:
        """What a process must have for itself; a forked child begins anew."""
        self._lock = threading.RLock()
        self._ticker: Ticker | None = None
        self.owner = f"{self._label}-{os.getpid()}-{secrets.token_hex(4)}"
        """In whose name this process claims."""

    def __repr__(self) -> str:
        where = self._url if self._store is None else self._store
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
                    self._store = self._open()
        return self._store

    def _open(self) -> Store:
        from ..store import open_store  # the one place where wheel knows of store

        assert self._url is not None
        return open_store(self._url) if self._durability is None else open_store(self._url, durability=self._durability)

    def close(self) -> None:
        """Stop, and close the store if the scheduler opened it. Twice is fine; used again, it is opened again."""
        self.stop()
        withdraw_default(self)
        with self._lock:
            if self._url is not None and self._store is not None:
                store, self._store = self._store, None  # first: a child forked meanwhile opens it anew
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
        id = store.add((job,), on_conflict=on_conflict, fresh=fresh)[0]
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
        ids = self.store.add(jobs, on_conflict=on_conflict, fresh=fresh)
        ticker = self._ticker
        if ticker is not None and min(job.due_ms for job in jobs) < ticker.horizon_ms:
            ticker.wake()
        return ids

    def schedule_many(
        self,
        task: Task[..., R],
        calls: Iterable[tuple[Sequence[Any], Mapping[str, Any]]],
        **options: Unpack[CallOptions],
    ) -> Results[R]:
        """Many calls of one task in one durable write: all of them, or none.

        Args:
            task: the task.
            calls: (args, kwargs) of each call.
            options: countdown, eta and the others of apply_async, the same for all.

        Returns:
            A hold on each job, in the order of the calls.

        Raises:
            TypeError, PayloadError, InvalidValue, StoreError: see Task.delay; nothing was stored.

        >>> app.schedule_many(remind, [((1, "x"), {}), ((2,), {"text": "y"})], countdown=900)
        <Results: 2 jobs>
        """
        if not isinstance(task, Task):
            raise InvalidValue.of("task", "a task, as @app.task makes it", task)
        if options.get("task_id") is not None:
            raise InvalidValue.of("task_id", "absent: each of the jobs has its own", options["task_id"])
        jobs, plan = task.prepare(calls, **options)
        return Results(self.submit_many(jobs, fresh=plan.fresh, on_conflict=plan.on_conflict), self)

    def send_task(
        self,
        name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncResult[Any]:
        """Call a task by its name, which need not be registered here. The arguments are not checked against it.

        Args:
            name: of the task.
            args: the function's positional arguments.
            kwargs: its keyword arguments.
            options: see CallOptions.

        Raises:
            PayloadError, InvalidValue, StoreError: see Task.delay.

        >>> app.send_task("shop.mail.welcome", (7,), countdown=900).state
        'scheduled'
        """
        rest: dict[str, Any] = dict(options)
        countdown, eta = rest.pop("countdown", None), rest.pop("eta", None)
        plan = Plan().but(rest)
        return send(self, checked_name("name", name), tuple(args), dict(kwargs or {}), plan, countdown, eta)

    def AsyncResult(self, id: str | UUID) -> AsyncResult[Any]:  # noqa: N802 - the name that Celery's users know
        """A hold on the job of that id, whether there is one or not."""
        return AsyncResult(normal_id(id), self)

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

        Raises:
            StoreError: the store cannot be opened.
        """
        store = self.store
        with self._lock:
            before = self._ticker
            if before is not None and before.alive:
                log.LOG.debug("start(): %r runs already", self)
                return
            self._ticker = self._new_ticker(store, owed=[] if before is None else before.owes())
            self._ticker.start()

    def _new_ticker(self, store: Store, owed: Sequence[Any]) -> Ticker:
        pool = ThreadPool(self.workers, self._runner, self.clock)
        return Ticker(store, pool, self.clock, owner=self.owner, queues=self.queues, owed=owed)

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
        waiter = Waiter()
        with log.handler_if_none(), waiter.listening():
            self.start()
            ticker = self._ticker
            assert ticker is not None
            ticker.on_end = waiter.happened
            log.LOG.info("Ready: %d workers on %r as %s", self.workers, self.store, self.owner)
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
        clock, run = self.clock, self._runner
        if now is not None:
            clock = At(self.clock, moment_ms(now))
            run = Runner(self.registry, clock)
        return Sweep(self.store, run, clock, owner=self.owner, queues=self.queues).sweep()


# ---- the ends of a process -------------------------------------------------------------------------------

_ALL: Final[weakref.WeakSet[Scheduler]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for scheduler in list(_ALL):
        scheduler._begin()


def _at_exit() -> None:
    for scheduler in list(_ALL):
        scheduler.stop(_EXIT_S)


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
