"""The asyncio pool: coroutines on event loops, up to LOOP_MOST on each, with a thread for each loop.

The loops take claims from one queue, each as many as it has room for. So a loop that a function blocks takes no more. A
plain function would block its loop; it runs in one of up to SYNC_MOST threads while the loop awaits it.

Each job has its own asyncio task and therefore its own context (contextvars). A hard limit cancels the coroutine where
it awaits. If it has not ended after GRACE_S seconds, its place is given to another job, and its result is ignored.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, Final

from ...clock import Clock
from ...errors import TimeLimitExceeded
from ...job import Claim, Crashed, Job, Outcome
from ...safety.calm import CalmLogger
from ...tasks import context
from ...tasks.options.time_limits import within
from ..run.failure import OURS, end_forked_child
from ..run.runner import Known, Run, Runner
from .protocol import Done, Outbox, taken_from

OURS.add(__file__)
_LOG: Final = CalmLogger("hourwheel.worker")
LOOP_MOST: Final = 500
"""How many jobs run on one loop at once."""
SYNC_MOST: Final = 32
"""How many plain functions run at once."""
GRACE_S: Final = 1.0
"""How long a cancelled coroutine may take to end."""


class AsyncioPool(Outbox):
    """Runs claims on event loops; see Pool."""

    def __init__(self, workers: int, runner: Runner, clock: Clock) -> None:
        """Make a pool for up to ``workers`` jobs at once, without starting it."""
        super().__init__(workers)
        self.runner = runner
        self.monotonic = clock.monotonic
        self.inbox: deque[Claim] = deque()
        self.threads = _Threads(min(SYNC_MOST, workers), self)
        loops = math.ceil(workers / LOOP_MOST)
        self._loops = [_Loop(self, math.ceil(workers / loops), f"hourwheel-loop-{number}") for number in range(loops)]

    def start(self, *, wake: Callable[[], None], settle_late: Callable[[list[Done]], None]) -> None:
        """See Pool.start."""
        self._wake, self._settle_late = wake, settle_late
        self.waits.changed = self._job_waits
        for loop in self._loops:
            loop.thread.start()

    def put(self, claims: Iterable[Claim]) -> None:
        """See Pool.put."""
        self.inbox.extend(claims)
        for loop in self._loops:
            loop.look()

    def lend(self, claims: Iterable[Claim]) -> None:
        """See Pool.lend."""
        for claim in claims:
            min(self._loops, key=lambda loop: len(loop.running)).lend(claim)

    def _job_waits(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loops[0].soon(self.threads.hire)
        self._wake()

    def waiting(self) -> int:
        """See Pool.waiting."""
        return len(self.inbox)

    def recall(self) -> list[Claim]:
        """See Pool.recall."""
        return taken_from(self.inbox)

    def running(self) -> list[Job]:
        """See Pool.running."""
        return [claim.job for loop in self._loops for claim in list(loop.running.values())]

    def is_inside(self) -> bool:
        """See Pool.is_inside."""
        thread = threading.current_thread()
        return thread in self.threads or any(loop.thread is thread for loop in self._loops)

    def close(self) -> list[Claim]:
        """See Pool.close."""
        recalled = self.recall()
        for loop in self._loops:
            loop.close()
        self.threads.close()
        return recalled

    def join(self, timeout_s: float) -> None:
        """See Pool.join."""
        until = self.monotonic() + timeout_s
        for loop in self._loops:
            if not loop.running and loop.thread.is_alive() and loop.thread is not threading.current_thread():
                loop.thread.join(max(0.0, until - self.monotonic()))


class _Loop:
    """An event loop in a thread, with room for ``most`` jobs."""

    def __init__(self, pool: AsyncioPool, most: int, name: str) -> None:
        self.running: dict[int, Claim] = {}
        self._pool = pool
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()
        self._looks = False
        self._closing = False
        self._loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._live, name=name, daemon=True)

    # ---- from other threads ------------------------------------------------------------------------------

    def look(self) -> None:
        """Make the loop look at the queue, and at whether close() was called."""
        if not self._looks:
            self._looks = True
            try:
                self._loop.call_soon_threadsafe(self._fill)
            except RuntimeError:  # the loop is closed
                return

    def soon(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function in the loop's thread."""
        self._loop.call_soon_threadsafe(function, *args)

    def lend(self, claim: Claim) -> None:
        """Run a claim even if there is no room."""
        self.running[claim.token] = claim
        self.soon(self._begin, claim)

    def close(self) -> None:
        """End the loop when nothing is running."""
        self._closing = True
        self._looks = False
        if self.thread.ident is None:
            self._loop.close()
        else:
            self.look()

    # ---- in the thread -----------------------------------------------------------------------------------

    def _live(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not (self._closing and not self.running):
            try:
                self._loop.run_forever()
            except BaseException:  # SystemExit in an asyncio task that a job has created
                _LOG.critical("an event loop was interrupted and continues", exc_info=True)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _fill(self) -> None:
        self._looks = False
        inbox = self._pool.inbox
        while len(self.running) < self._most:
            try:
                claim = inbox.popleft()
            except IndexError:
                break
            self._begin(claim)
        if self._closing and not self.running:
            self._loop.stop()

    def _begin(self, claim: Claim) -> None:
        self.running[claim.token] = claim
        task = self._loop.create_task(self._run(claim))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, claim: Claim) -> None:
        pool = self._pool
        started = pool.monotonic()
        pool.waits.enter(claim.token, self._loop)
        try:
            outcome = await self._outcome(claim.job, started)
        except BaseException as error:  # not from the function: its exceptions become outcomes
            outcome = Crashed(reason=f"its worker was interrupted: {type(error).__qualname__}")
        pool.waits.set(claim.token, ())
        del self.running[claim.token]
        pool.hand_over(Done(claim, outcome, pool.monotonic() - started))
        if pool.inbox or self._closing:
            self._fill()

    async def _outcome(self, job: Job, started: float) -> Outcome:
        runner = self._pool.runner
        found = runner.find(job)
        if not isinstance(found, Known):
            return found
        if job.after is None:
            given = runner.admit(job)
        else:
            given, raised = await self._pool.threads.run(runner.admit, job)
            if raised is not None:
                raise raised
        if not isinstance(given, Job):
            return given
        job = given
        runner.begin(job)
        run, pid = Run(), os.getpid()
        try:
            if found.is_coroutine:
                run.value = await _called(found, job, run)
            else:
                run.value, run.raised = await self._pool.threads.run(runner.call, found, job, run)
        except BaseException as error:
            run.raised = error
        if os.getpid() != pid:
            end_forked_child(run.raised)
        return runner.outcome(job, found.task, run, started)


async def _called(known: Known, job: Job, run: Run) -> Any:
    """Await the coroutine function, and return its result."""
    context.enter(job)
    args, kwargs = job.call
    task, limits = known.task, known.limits
    run.entered = True
    work: Coroutine[Any, Any, Any] = task.entry(*args, **kwargs)
    if limits.soft_s is not None:
        work = within(work, limits.soft_s)
    return await (work if limits.hard_s is None else _stopped_after(work, limits.hard_s, job))


async def _stopped_after(work: Coroutine[Any, Any, Any], hard_s: float, job: Job) -> Any:
    task = asyncio.get_running_loop().create_task(work)
    await asyncio.wait({task}, timeout=hard_s)
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait({task}, timeout=GRACE_S)
    if not task.done():
        _UNSTOPPED.add(task)
        task.add_done_callback(_UNSTOPPED.discard)
        _LOG.error("Task %s[%s] is still running although it was cancelled; its result is ignored", job.task, job.id)
    raise TimeLimitExceeded(f"it ran for more than its time_limit, {hard_s:g} s, and was cancelled")


_UNSTOPPED: Final[set[asyncio.Task[Any]]] = set()
"""Keeps references: an event loop has only weak ones."""


class _Threads:
    """Up to ``most`` threads for plain functions, started when they are needed."""

    def __init__(self, most: int, pool: AsyncioPool) -> None:
        self._most = most
        self._pool = pool
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._lock = threading.Lock()

    def __contains__(self, thread: threading.Thread) -> bool:
        return thread in self._threads

    async def run(self, function: Callable[..., Any], *args: Any) -> tuple[Any, BaseException | None]:
        """Call a function in a thread. Returns (result, exception), because a coroutine cannot raise StopIteration."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        ours = copy_context()

        def work() -> None:
            value, raised = None, None
            try:
                value = ours.run(function, *args)
            except BaseException as error:
                raised = error
            loop.call_soon_threadsafe(_resolve, future, value, raised)

        with self._lock:
            self._busy += 1
        try:
            self.hire()
            self._queue.put(work)
            value, raised = await future
        finally:
            with self._lock:
                self._busy -= 1
        return value, raised

    def hire(self) -> None:
        """Start one more thread if there is work for it. Jobs that wait in get() keep theirs, so do not count."""
        with self._lock:
            if len(self._threads) >= min(self._busy, self._most + len(self._pool.waits)):
                return
            name = f"hourwheel-worker-{len(self._threads)}"
            self._threads.append(threading.Thread(target=self._live, name=name, daemon=True))
            try:
                self._threads[-1].start()
            except RuntimeError:  # no more threads can be started; use those that exist
                self._threads.pop()
                if not self._threads:
                    raise

    def close(self) -> None:
        """End each thread when it is idle."""
        for _ in self._threads:
            self._queue.put(None)

    def _live(self) -> None:
        while (work := self._queue.get()) is not None:
            work()


def _resolve(future: asyncio.Future[Any], value: Any, raised: BaseException | None) -> None:
    if not future.done():
        future.set_result((value, raised))  # not set_exception, which refuses StopIteration
