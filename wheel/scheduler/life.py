"""Life: stopped -> running -> stopped, as often as you like.

``start`` makes a pool and a ticker, ``stop`` asks the ticker to end and waits for it; neither is ever used again, so
nothing of one run can be left over in the next. A thread does not survive a fork: in a child the scheduler is stopped,
whatever it was in the parent, and may be started anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from ..clock import Clock
from ..contract import Beginning, Store
from ..errors import SchedulerError
from ..job import Job
from ..worker import log, starting
from ..worker.heart import Heart
from ..worker.pool.make import make_pool
from ..worker.run import ending
from ..worker.run.refused import Refused
from ..worker.run.runner import Runner
from ..worker.signals import Waiter
from ..worker.sweep import Account, Sweep
from ..worker.ticker import Ticker
from .app import App


class Life:
    """Runs the jobs of a scheduler.

    Args:
        app: the scheduler.
        runner: runs the jobs of sweeps; by default one for the tasks of the scheduler.
        ticker: the one to begin with; None for a scheduler that is stopped.
    """

    def __init__(self, app: App, runner: Runner | None = None, ticker: Ticker | None = None) -> None:
        self._app: Final = app
        self.runner = runner or Runner(app.registry, app.clock, app.on, refused=Refused(app.registry, app.fires))
        self.begin()
        self.ticker = ticker
        """What runs jobs now, or did last; None before the first start()."""

    def begin(self) -> None:
        """What each process needs of its own: a forked child begins anew."""
        self._lock = threading.RLock()
        self.ticker = None
        self._starts = False
        self._account: Account | None = None

    @property
    def running(self) -> bool:
        """See Scheduler.running."""
        return self.ticker is not None and self.ticker.alive

    @property
    def stuck(self) -> bool:
        """See Scheduler.stuck."""
        return self.ticker is not None and not self.ticker.alive and self.ticker.thread.is_alive()

    # ---- the ticker --------------------------------------------------------------------------------------

    def start(self, store: Store) -> None:
        """Start a ticker, unless one runs."""
        app = self._app
        with self._lock:
            before = self.ticker
            if self._starts or (before is not None and before.alive):
                log.LOG.debug("start(): %r runs already", app)
                return
            self._starts = True  # a hook may call start(), too
            try:
                app.on.worker_init.tell(app)
                self.ticker = self._new_ticker(store, owed=[] if before is None else before.owes())
                starting.start(self.ticker, partial(app.on.worker_ready.tell, app))
            except BaseException:
                self.ticker = before
                raise
            finally:
                self._starts = False

    def _new_ticker(self, store: Store, owed: Sequence[Any]) -> Ticker:
        app = self._app
        self._show_in(store)
        refused, heart = Refused(app.registry, app.fires), Heart(store, app.clock, app.owner)
        pool = make_pool(app.pool, app.registry, app.clock, app.on, app.queues, app.routes, refused, store, heart)
        rest = {**self._shared(), "owed": owed, "heart": heart}
        ticker = Ticker(store, pool, app.clock, owner=app.owner, without=refused.names, **rest)
        ticker.on_end = partial(app.on.shutdown.tell, app)
        if not app.pool.kind.imports:  # else each worker process tells its own
            app.on.worker_process_init.tell(app)
            ended = partial(app.on.worker_process_shutdown.tell, app)
            ticker.on_end = partial(_one_after_the_other, ended, ticker.on_end)
        return ticker

    def _show_in(self, store: Store) -> None:
        """Let others see in the store that this process is alive."""
        if isinstance(store, Beginning):
            store.begin(self._app.owner, 0)

    def _shared(self) -> dict[str, Any]:
        """What a ticker and a sweep are given alike."""
        return {"queues": self._app.queues, "on": self._app.on, "schedules": self._app.fires}

    def close(self) -> bool:
        """Close the store, if the scheduler has opened it; True if jobs that still run keep it open for now."""
        with self._lock:
            store = self._app.backing.release()  # first: a child forked meanwhile opens it anew
            if store is None:
                return False
            ticker, self.ticker = self.ticker, None
            if ticker is not None and ending.leave_open(ticker, store):
                return True
            store.close()
            return False

    # ---- in the calling thread ---------------------------------------------------------------------------

    def block(self, start: Callable[[], None], timeout: float) -> list[Job]:
        """Start, and wait for a signal or stop(); see Scheduler.run."""
        app = self._app
        self._show_in(app.store)  # which may wait for other processes: until then a signal ends the program
        waiter = Waiter()
        with log.handler_if_none(), waiter.listening():
            start()
            ticker = self.ticker
            assert ticker is not None
            ticker.on_end = partial(_one_after_the_other, ticker.on_end, waiter.happened)
            log.LOG.info("Ready: %d workers on %r as %s", app.pool.workers, app.store, app.owner)
            waiter.wait_while(lambda: not ticker.ended and waiter.signals < 1)
            if waiter.signals:
                log.LOG.info("Stopping: waiting up to %g s for running jobs; once more means now", timeout)
                ticker.stop_claiming(timeout)
                waiter.wait_while(lambda: not ticker.ended and waiter.signals < 2, timeout)
            left = ticker.stop(0.0)
        if ticker.died is not None:
            raise SchedulerError(f"the ticker died: {ticker.died!r}") from ticker.died
        return left

    def sweep(self, clock: Clock | None) -> int:
        """Run what is due by that clock, or by the scheduler's; see Scheduler.run_due."""
        run = self.runner if clock is None else self.runner.by(clock)
        return Sweep(self._sweeper(), run, clock or self._app.clock, **self._shared()).sweep()

    def _sweeper(self) -> Account:
        """In whose name sweeps claim: not in the ticker's, which could not tell their claims from its own."""
        with self._lock:
            store, owner = self._app.store, f"{self._app.owner}-due"
            if self._account is None or self._account.store is not store or self._account.owner != owner:
                self._account = Account(store, owner, self._app.clock)
            return self._account


def _one_after_the_other(*functions: Callable[[], None]) -> None:
    for function in functions:
        function()
