"""AsyncResult: a hold on one job, for whoever waits for it, cancels it or moves it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from ..clock import as_datetime
from ..contract import Found, Wakeup, find
from ..errors import JobCancelled, JobExpired, JobFailed, ResultError, ResultTimeout, UnknownJob
from ..job import FINISHED, Job, State
from ..tasks.carrier import Carrier
from ..tasks.options.times import Seconds, due_ms, refuse_new_time, refuse_too_late
from .waiting import Awaiting, Patience

R_co = TypeVar("R_co", covariant=True)

UNKNOWN: Final = "unknown"


class AsyncResult(Generic[R_co]):
    """One job, by its id; ``R`` is what the task's function returns.

    Two are equal if their ids are. Each look at the job asks the store anew.
    """

    __slots__ = ("_keeper", "id")

    def __init__(self, id: str, keeper: Carrier) -> None:
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
        return find(self._keeper.store, self.id)

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

    @property
    def info(self) -> Any:
        """The result, as Celery calls it too."""
        return self.result

    @property
    def name(self) -> str | None:
        """The task's name; None of an unknown job, as in all that follow."""
        job = self.job()
        return None if job is None else job.task

    @property
    def args(self) -> tuple[Any, ...] | None:
        """The positional arguments."""
        job = self.job()
        return None if job is None else job.args

    @property
    def kwargs(self) -> dict[str, Any] | None:
        """The keyword arguments."""
        job = self.job()
        return None if job is None else job.kwargs

    @property
    def queue(self) -> str | None:
        """The job's queue."""
        job = self.job()
        return None if job is None else job.queue

    @property
    def retries(self) -> int | None:
        """How often the job was tried again already."""
        job = self.job()
        return None if job is None else job.retries

    @property
    def eta(self) -> datetime | None:
        """When the job is due, or was."""
        job = self.job()
        return None if job is None else as_datetime(job.due_ms)

    @property
    def date_done(self) -> datetime | None:
        """When the job ended; None before."""
        job = self.job()
        return None if job is None or job.finished_ms is None else as_datetime(job.finished_ms)

    @property
    def progress(self) -> Any:
        """What the function has said with update_state(), decoded; None if it has said nothing."""
        job = self.job()
        return None if job is None else job.progress

    def exists(self) -> bool:
        """Whether the store holds the job."""
        return self.job() is not None

    # ---- waiting -----------------------------------------------------------------------------------------

    def get(self, timeout: Seconds | None = None, *, propagate: bool = True) -> R_co:
        """Wait for the job to end, and return what the function returned.

        Something must run the job: a scheduler that was started, here or in another process. A job may wait for
        others: its pool runs what it waits for, even if all its workers wait. A coroutine awaits aget() instead.

        Args:
            timeout: how long to wait, in seconds or as a timedelta; None for as long as it takes.
            propagate: raise the JobFailed, JobCancelled or JobExpired of a job that did not succeed; or return it.

        Raises:
            JobFailed: the function raised; type, message and traceback are those of the worker's exception.
            JobCancelled: the job was cancelled.
            JobExpired: the job ended unrun, because its ``expires`` had passed.
            UnknownJob: the store holds no job of this id.
            ResultTimeout: it has not ended within the timeout; it goes on.
            Deadlock: called from inside a job for which the other one waits itself.
            SchedulerError: called where it would block what is to run the job: a coroutine of an asyncio pool, or a
                hook of the scheduler's own thread.

        >>> remind.delay(1, "x").get(timeout=5)
        'X'
        """
        patience = Patience(self._keeper, timeout)
        if not (job := self._held(self.job())).finished:
            with Awaiting(self._keeper, self.id, blocks=True) as awaiting:
                while not (job := self._held(self.job())).finished:
                    if awaiting.is_long:
                        awaiting.look()
                    if not awaiting.help() and not patience.wait():
                        raise self._too_late(job, timeout)
        found: R_co = self._given(job, propagate=propagate)
        return found

    async def aget(self, timeout: Seconds | None = None, *, propagate: bool = True) -> R_co:  # noqa: ASYNC109 - as get()
        """get() for coroutines: the event loop goes on meanwhile.

        >>> asyncio.run(remind.delay(1, "x").aget(timeout=5))
        'X'
        """
        patience = Patience(self._keeper, timeout)
        if not (job := self._held(await self.ajob())).finished:
            with Awaiting(self._keeper, self.id, blocks=False) as awaiting:
                while not (job := self._held(await self.ajob())).finished:
                    if awaiting.is_long:
                        await asyncio.to_thread(awaiting.look)
                    if not awaiting.help() and not await patience.await_():
                        raise self._too_late(job, timeout)
        found: R_co = self._given(job, propagate=propagate)
        return found

    async def ajob(self) -> Job | None:
        """job() for coroutines."""
        return await asyncio.to_thread(self.job)

    def _held(self, job: Job | None) -> Job:
        if job is None:
            raise UnknownJob(f"the store holds no job {self.id}: it never did, or its result_ttl is over")
        return job

    def _too_late(self, job: Job, timeout: Seconds | None) -> ResultTimeout:
        why = self._keeper.why_not_ended(job)
        stands = f"job {self.id} of {job.task} is still {job.state} after {timeout} s"
        return ResultTimeout(f"{stands}. {why}" if why else stands)

    @staticmethod
    def _given(job: Job, *, propagate: bool) -> Any:
        if job.state is State.SUCCEEDED:
            return job.result
        error = _error_of(job)
        if propagate:
            raise error
        return error

    # ---- changing ----------------------------------------------------------------------------------------

    def cancel(self) -> Found:
        """End the job unrun, durably and at once, if it has not begun.

        Returns:
            How it was found: only Found.SCHEDULED was cancelled. One that runs goes on.

        >>> remind.after(900).delay(1, "x").cancel()
        <Found.SCHEDULED: 'scheduled'>
        """
        found = self._keeper.store.cancel([self.id], self._keeper.clock.now_ms())[0]
        if found is Found.SCHEDULED:
            self._keeper.on.cancelled.tell(self.id)
        return found

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
            InvalidValue: not exactly one of the two is given; or the job waits for others, or expires before.
        """
        now_ns = self._keeper.clock.now_ns()
        store, due = self._keeper.store, due_ms(now_ns, countdown, eta)
        refuse_new_time(find(store, self.id), due)
        found = store.reschedule([self.id], due, now_ns // 1_000_000)[0]
        if found is Found.SCHEDULED and isinstance(store, Wakeup):
            store.notify()  # it may be due before the ticker's nap is over
        return found

    def retry(self, *, countdown: Seconds = 0) -> Found:
        """Run the job once more, if it has finished: failed, cancelled, expired, or even succeeded.

        Attempts and crashes count from zero; id, arguments and options stay.

        Args:
            countdown: seconds from now, or a timedelta.

        Returns:
            How it was found: only Found.FINISHED was scheduled once more.

        Raises:
            DuplicateJob: another job holds its key by now.
            InvalidValue: its ``expires`` has passed, or will have passed by then: call the task anew.
        """
        job = self.job()
        if job is not None and not job.finished:
            return Found.RUNNING if job.state is State.RUNNING else Found.SCHEDULED
        now_ns = self._keeper.clock.now_ns()
        store, due = self._keeper.store, due_ms(now_ns, countdown, None)
        refuse_too_late(due, None if job is None else job.expires_ms)
        found = store.revive([self.id], due, now_ns // 1_000_000)[0]
        if found is Found.FINISHED and isinstance(store, Wakeup):
            store.notify()
        return found

    def forget(self) -> Found:
        """Drop the job, its arguments and its result, if it has finished, before its result_ttl is over.

        From now on its state is "unknown". In the store's files its text stays until the next compaction.

        Returns:
            How it was found: only Found.FINISHED was dropped. A job that has not finished is kept: see cancel().

        >>> remind.delay(1, "x").forget()
        <Found.SCHEDULED: 'scheduled'>
        """
        return self._keeper.store.forget([self.id])[0]


def _error_of(job: Job) -> ResultError:
    if job.state is State.CANCELLED:
        return JobCancelled(f"job {job.id} of {job.task} was cancelled" + (f": {job.reason}" if job.reason else ""))
    if job.state is State.EXPIRED:
        words = f"job {job.id} of {job.task} expired" + (f": {job.reason}" if job.reason else "")
        failed = "" if job.error is None else f"; its last attempt failed with {job.error.type}: {job.error.message}"
        return JobExpired(words + failed)
    if job.error is None:
        return JobFailed(f"job {job.id} of {job.task} failed: {job.reason}")
    kind, message, traceback = job.error
    words = f"{kind}: {message}" if message else kind
    return JobFailed(f"{words} ({job.reason})" if job.reason else words, type=kind, traceback=traceback)
