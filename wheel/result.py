"""AsyncResult: a hold on one job, for whoever waits for it, cancels it or moves it."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Protocol, TypeVar

from .clock import Clock
from .contract import Found, Store, Wakeup
from .errors import InvalidValue, JobCancelled, JobExpired, JobFailed, ResultError, ResultTimeout, UnknownJob
from .job import FINISHED, Job, State
from .options import Seconds, due_ms

R_co = TypeVar("R_co", covariant=True)

UNKNOWN: Final = "unknown"
_ONE_SECOND: Final = timedelta(seconds=1)
_FIRST_WAIT_S: Final = 0.002
_LONGEST_WAIT_S: Final = 0.1
"""Between two looks at the store: a missed wake-up, or a store that has none, costs so much at most."""


class Keeper(Protocol):
    """What a result needs of a scheduler."""

    @property
    def store(self) -> Store:
        """Where the jobs are."""

    @property
    def clock(self) -> Clock:
        """Where time comes from."""


class AsyncResult(Generic[R_co]):
    """One job, by its id; ``R`` is what the task's function returns.

    Two are equal if their ids are. Each look at the job asks the store anew.
    """

    __slots__ = ("_keeper", "id")

    def __init__(self, id: str, keeper: Keeper) -> None:
        self.id: Final = id
        self._keeper: Final = keeper

    def __repr__(self) -> str:
        return f"<AsyncResult: {self.id}>"

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, AsyncResult) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    # ---- looking -----------------------------------------------------------------------------------------

    @property
    def task_id(self) -> str:
        """The id, as Celery calls it."""
        return self.id

    def job(self) -> Job | None:
        """The job as it is now, or None if the store holds none of this id."""
        return self._keeper.store.get(self.id)

    @property
    def state(self) -> str:
        """A State ("scheduled", "running", "succeeded", "failed", "cancelled", "expired"), or "unknown".

        "unknown" is an id that the store does not hold: it never did, or the result_ttl is over.
        """
        job = self.job()
        return UNKNOWN if job is None else job.state.value

    @property
    def status(self) -> str:
        """The state."""
        return self.state

    def ready(self) -> bool:
        """Whether the job has ended, in whatever way."""
        return self.state in FINISHED

    def successful(self) -> bool:
        """Whether the function has returned."""
        return self.state == State.SUCCEEDED

    def failed(self) -> bool:
        """Whether the function has raised for the last time, or the job was set aside."""
        return self.state == State.FAILED

    @property
    def result(self) -> Any:
        """What the function returned; the JobFailed that get() would raise if it failed; None before."""
        job = self.job()
        if job is None or job.state is not State.FAILED:
            return None if job is None else job.result
        return _error_of(job)

    @property
    def traceback(self) -> str | None:
        """The traceback of the last attempt that failed, as text; None if none did."""
        job = self.job()
        return None if job is None or job.error is None else job.error.traceback

    # ---- waiting -----------------------------------------------------------------------------------------

    def get(self, timeout: Seconds | None = None) -> R_co:
        """Wait for the job to end, and return what the function returned.

        Something must run the job: a scheduler that was started, here or in another process. Called from inside a job
        it occupies that job's worker while it waits, and if all workers wait so, none is left for what they wait for.

        Args:
            timeout: how long to wait, in seconds or as a timedelta; None for as long as it takes.

        Raises:
            JobFailed: the function raised; type, message and traceback are those of the worker's exception.
            JobCancelled: the job was cancelled.
            JobExpired: the job ended unrun, because its ``expires`` had passed.
            UnknownJob: the store holds no job of this id.
            ResultTimeout: it has not ended within the timeout; it goes on.

        >>> remind.delay(1, "x").get(timeout=5)
        'X'
        """
        patience = _Patience(self._keeper, timeout)
        while True:
            job = self.job()
            if job is None:
                raise UnknownJob(f"the store holds no job {self.id}: it never did, or its result_ttl is over")
            if job.state is State.SUCCEEDED:
                return job.result  # type: ignore[no-any-return]
            if job.state in FINISHED:
                raise _error_of(job)
            if not patience.wait():
                raise ResultTimeout(f"job {self.id} of {job.task} is still {job.state} after {timeout} s")

    # ---- changing ----------------------------------------------------------------------------------------

    def cancel(self) -> Found:
        """End the job unrun, durably and at once, if it has not begun.

        Returns:
            How it was found: only Found.SCHEDULED was cancelled. One that runs goes on.

        >>> remind.after(900).delay(1, "x").cancel()
        <Found.SCHEDULED: 'scheduled'>
        """
        return self._keeper.store.cancel([self.id], self._keeper.clock.now_ms())[0]

    def revoke(self) -> Found:
        """cancel(), as Celery calls it."""
        return self.cancel()

    def reschedule(self, *, countdown: Seconds | None = None, eta: datetime | None = None) -> Found:
        """Move the job to another instant, durably and at once, if it has not begun.

        Args:
            countdown: seconds from now, or a timedelta.
            eta: an aware datetime, in the place of countdown.

        Returns:
            How it was found: only Found.SCHEDULED was moved.

        Raises:
            InvalidValue: not exactly one of the two is given.
        """
        now_ns = self._keeper.clock.now_ns()
        store = self._keeper.store
        found = store.reschedule(self.id, due_ms(now_ns, countdown, eta), now_ns // 1_000_000)
        if found is Found.SCHEDULED and isinstance(store, Wakeup):
            store.notify()  # it may be due before the ticker's nap is over
        return found


def _error_of(job: Job) -> ResultError:
    if job.state is State.CANCELLED:
        return JobCancelled(f"job {job.id} of {job.task} was cancelled" + (f": {job.reason}" if job.reason else ""))
    if job.state is State.EXPIRED:
        return JobExpired(f"job {job.id} of {job.task} expired" + (f": {job.reason}" if job.reason else ""))
    if job.error is None:
        return JobFailed(f"job {job.id} of {job.task} failed: {job.reason}")
    kind, message, traceback = job.error
    words = f"{kind}: {message}" if message else kind
    return JobFailed(f"{words} ({job.reason})" if job.reason else words, type=kind, traceback=traceback)


class _Patience:
    """Waits between two looks at a store, and knows when to give up.

    Time that passed is what the clock says, or the sum of the waits if that is more: a clock that stands still
    (freezegun, FakeClock) must not make a timeout last for ever.
    """

    def __init__(self, keeper: Keeper, timeout: Seconds | None) -> None:
        self._left_s = _seconds(timeout)
        self._clock = keeper.clock
        self._last = self._clock.monotonic()
        store = keeper.store
        self._sleep = store.wait if isinstance(store, Wakeup) else _sleep
        self._nap_s = _FIRST_WAIT_S

    def wait(self) -> bool:
        """Sleep until it may be worth a look; False if the time is over."""
        if self._left_s <= 0.0:
            return False
        nap_s = min(self._nap_s, self._left_s)
        self._nap_s = min(self._nap_s * 2.0, _LONGEST_WAIT_S)
        slept_s = 0.0 if self._sleep(nap_s) else nap_s
        now = self._clock.monotonic()
        self._left_s -= max(slept_s, now - self._last)
        self._last = now
        return True


def _sleep(seconds: float) -> bool:
    threading.Event().wait(seconds)
    return False


def _seconds(timeout: Seconds | None) -> float:
    if timeout is None:
        return float("inf")
    seconds = timeout / _ONE_SECOND if isinstance(timeout, timedelta) else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise InvalidValue.of("timeout", "a number of seconds or a timedelta, zero or more, or None", timeout)
    return seconds
