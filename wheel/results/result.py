"""AsyncResult: a handle to one job."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeVar

from ..clock import as_datetime
from ..contract import Found, Wakeup, find
from ..errors import JobCancelled, JobExpired, JobFailed, ResultError, ResultTimeout, UnknownJob, WrongUse
from ..job import FINISHED, Job, State
from ..tasks.carrier import Carrier
from ..tasks.options.times import Seconds, due_ms, refuse_new_time, refuse_too_late
from ..wrong_use import OF_RESULT, NoOperand, lacks
from .members import upto
from .waiting import Awaiting, Patience

R_co = TypeVar("R_co", covariant=True)

UNKNOWN: Final = "unknown"


@lacks("a result", OF_RESULT)
class AsyncResult(NoOperand, Generic[R_co]):
    """A handle to one job: wait for it, cancel it, move it to another time. ``R`` is what the function returns.

    Every property reads the store, so it is up to date. Two handles are equal if their ids are.
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

    if not TYPE_CHECKING:  # checkers report it; inspect.isawaitable() takes a result for awaitable because of this

        def __await__(self) -> NoReturn:
            raise WrongUse(
                "a result cannot be awaited; write await task.adelay(...) to make the call without blocking the event "
                "loop, and await result.aget() for what the function returns"
            )

    # ---- looking -----------------------------------------------------------------------------------------

    @property
    def task_id(self) -> str:
        """Celery's name for the id."""
        return self.id

    def job(self) -> Job | None:
        """Return the job as it is now, or None if the store has no job of this id."""
        return find(self._keeper.store, self.id)

    @property
    def state(self) -> str:
        """The job's state: "scheduled", "running", "succeeded", "failed", "cancelled", "expired" or "unknown".

        "unknown" means that the store has no job of this id: it never had one, or the job's result_ttl is over.
        """
        job = self.job()
        return UNKNOWN if job is None else job.state.value

    status = state
    """Celery's name for the state."""

    def ready(self) -> bool:
        """Return whether the job has ended: succeeded, failed, cancelled or expired."""
        return self.state in FINISHED

    def successful(self) -> bool:
        """Return whether the job has succeeded."""
        return self.state == State.SUCCEEDED

    def failed(self) -> bool:
        """Return whether the job has failed: it raised and is not retried, or it was set aside."""
        return self.state == State.FAILED

    @property
    def result(self) -> Any:
        """What the function returned; if the job failed, the JobFailed that get() would raise; otherwise None."""
        job = self.job()
        if job is None or job.state is not State.FAILED:
            return None if job is None else job.result
        return error_of(job)

    @property
    def traceback(self) -> str | None:
        """The traceback of the last failed attempt, as text; None if no attempt failed."""
        job = self.job()
        return None if job is None or job.error is None else job.error.traceback

    info = result
    """Celery's other name for the result."""

    @property
    def name(self) -> str | None:
        """The task's name. Like the properties below, None if the job is unknown."""
        return getattr(self.job(), "task", None)

    @property
    def args(self) -> tuple[Any, ...] | None:
        """The positional arguments."""
        return getattr(self.job(), "args", None)

    @property
    def kwargs(self) -> dict[str, Any] | None:
        """The keyword arguments."""
        return getattr(self.job(), "kwargs", None)

    @property
    def queue(self) -> str | None:
        """The job's queue."""
        return getattr(self.job(), "queue", None)

    @property
    def retries(self) -> int | None:
        """How often the job has been retried so far."""
        return getattr(self.job(), "retries", None)

    @property
    def eta(self) -> datetime | None:
        """When the job is or was due, as an aware datetime in UTC."""
        job = self.job()
        return None if job is None else as_datetime(job.due_ms)

    @property
    def date_done(self) -> datetime | None:
        """When the job ended, as an aware datetime in UTC; None if it has not."""
        job = self.job()
        return None if job is None or job.finished_ms is None else as_datetime(job.finished_ms)

    @property
    def progress(self) -> Any:
        """What the function last passed to update_state(); None if nothing."""
        return getattr(self.job(), "progress", None)

    def exists(self) -> bool:
        """Return whether the store has the job."""
        return self.job() is not None

    # ---- what belongs to it ------------------------------------------------------------------------------

    @property
    def parent(self) -> AsyncResult[Any] | None:
        """The job before this one in a chain, or None. After a group, it is the group's last job; see parents."""
        return next(reversed(self.parents), None)

    @property
    def parents(self) -> list[AsyncResult[Any]]:
        """The jobs that this one waits or waited for: the one before it in a chain, or the group's jobs in a chord.

        >>> [one.get(timeout=5) for one in (remind.s(1, "x") | remind.si(2, "y")).delay().parents]
        ['X']
        """
        job = self.job()
        return [] if job is None or job.after is None else self._handles(job.after.ids)

    @property
    def children(self) -> list[AsyncResult[Any]]:
        """The jobs that wait or waited for this one: the next in a chain, and what ``link`` and ``link_error`` name.

        A job that was run again with retry() has none any more.
        """
        job = self.job()
        return [] if job is None else self._handles(job.wakes)

    def members(self) -> list[AsyncResult[Any]]:
        """Return all jobs of the chain or chord that this one ends, itself included, in the order in which they run.

        They are read from the store, so any process that knows the id can do this. Linked jobs are not among them, but
        are ``children``. Jobs that were dropped when their result_ttl was over are "unknown", and what came before them
        is missing.

        >>> result = (remind.s(1, "x") | remind.si(2, "y") | remind.si(3, "z")).delay()
        >>> [one.get(timeout=5) for one in app.AsyncResult(result.id).members()]
        ['X', 'Y', 'Z']
        """
        return self._handles(upto(self._keeper.store, [self.id]))

    def _handles(self, ids: Iterable[str]) -> list[AsyncResult[Any]]:
        return [self._keeper.result_type(id, self._keeper) for id in ids]

    # ---- waiting -----------------------------------------------------------------------------------------

    def get(self, timeout: Seconds | None = None, *, propagate: bool = True) -> R_co:
        """Wait for the job to end, and return what the function returned.

        A scheduler must be running somewhere, in this process or another one. A job may call get() for other jobs: the
        pool runs them, even if all its workers are waiting. In a coroutine, await aget() instead.

        Args:
            timeout: how long to wait, in seconds or as a timedelta; None for no limit.
            propagate: whether to raise the JobFailed, JobCancelled or JobExpired of a job that did not succeed. If
                False, it is returned.

        Raises:
            JobFailed: the function raised. The error has the type, message and traceback of the worker's exception.
            JobCancelled: the job was cancelled.
            JobExpired: the job's ``expires`` passed before it ran.
            UnknownJob: the store has no job of this id.
            ResultTimeout: the job has not ended within the timeout. It is not cancelled.
            Deadlock: called in a job that the other job waits for.
            SchedulerError: called where waiting would block what runs the job: in a coroutine of an asyncio pool, or
                in a hook on the scheduler's own thread.

        >>> remind.delay(1, "x").get(timeout=5)
        'X'
        """
        patience = Patience(self._keeper, timeout)
        if not (job := self._held(self.job())).finished:
            with Awaiting(self._keeper, (self.id,), blocks=True) as awaiting:
                while not (job := self._held(self.job())).finished:
                    if awaiting.is_long:
                        awaiting.look()
                    if not awaiting.help() and not patience.wait():
                        raise self._too_late(job, timeout)
        found: R_co = self._given(job, propagate=propagate)
        return found

    async def aget(self, timeout: Seconds | None = None, *, propagate: bool = True) -> R_co:  # noqa: ASYNC109 - as get()
        """Like get(), for coroutines: does not block the event loop.

        >>> asyncio.run(remind.delay(1, "x").aget(timeout=5))
        'X'
        """
        patience = Patience(self._keeper, timeout)
        if not (job := self._held(await self.ajob())).finished:
            with Awaiting(self._keeper, (self.id,), blocks=False) as awaiting:
                while not (job := self._held(await self.ajob())).finished:
                    if awaiting.is_long:
                        await asyncio.to_thread(awaiting.look)
                    if not awaiting.help() and not await patience.await_():
                        raise self._too_late(job, timeout)
        found: R_co = self._given(job, propagate=propagate)
        return found

    async def ajob(self) -> Job | None:
        """Like job(), for coroutines."""
        return await asyncio.to_thread(self.job)

    def _held(self, job: Job | None) -> Job:
        if job is None:
            raise UnknownJob(f"the store has no job {self.id}: it never had, or the job's result_ttl is over")
        return job

    def _too_late(self, job: Job, timeout: Seconds | None) -> ResultTimeout:
        why = self._keeper.why_not_ended(job)
        message = f"job {self.id} of {job.task} is still {job.state} after {timeout} s"
        return ResultTimeout(f"{message}. {why}" if why else message)

    @staticmethod
    def _given(job: Job, *, propagate: bool) -> Any:
        if job.state is State.SUCCEEDED:
            return job.result
        error = error_of(job)
        if propagate:
            raise error
        return error

    # ---- changing ----------------------------------------------------------------------------------------

    def cancel(self) -> Found:
        """Cancel the job, durably, if it has not started.

        Returns:
            The state in which the job was found. Found.SCHEDULED means that it is cancelled. A running job goes on.

        >>> remind.after(900).delay(1, "x").cancel()
        <Found.SCHEDULED: 'scheduled'>
        """
        found = self._keeper.store.cancel([self.id], self._keeper.clock.now_ms())[0]
        if found is Found.SCHEDULED:
            self._keeper.on.cancelled.tell(self.id)
        return found

    revoke = cancel
    """Celery's name for it."""

    def reschedule(self, *, countdown: Seconds | None = None, eta: datetime | None = None) -> Found:
        """Move the job to another time, durably, if it has not started.

        Args:
            countdown: seconds from now, or a timedelta.
            eta: an aware datetime, instead of countdown.

        Returns:
            The state in which the job was found. Found.SCHEDULED means that it was moved.

        Raises:
            InvalidValue: neither or both of countdown and eta are given; or the job is chained after others, or would
                expire first.
        """
        now_ns = self._keeper.clock.now_ns()
        store, due = self._keeper.store, due_ms(now_ns, countdown, eta)
        refuse_new_time(find(store, self.id), due)
        found = store.reschedule([self.id], due, now_ns // 1_000_000)[0]
        if found is Found.SCHEDULED and isinstance(store, Wakeup):
            store.notify()  # it may now be due before the ticker would wake up
        return found

    def retry(self, *, countdown: Seconds = 0) -> Found:
        """Run a finished job again, whether it failed, was cancelled, expired or succeeded.

        Attempts and crashes are counted from zero again. The id, arguments and options stay the same.

        Args:
            countdown: seconds from now, or a timedelta.

        Returns:
            The state in which the job was found. Found.FINISHED means that it is scheduled again.

        Raises:
            DuplicateJob: another job has the job's key by now.
            InvalidValue: the job's ``expires`` has passed or would pass first; call the task again instead.
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
        """Drop a finished job, its arguments and its result now, instead of when its result_ttl is over.

        Its state is "unknown" from then on. Its text stays in the store's files until the next compaction.

        Returns:
            The state in which the job was found. Found.FINISHED means that it was dropped; otherwise it is kept.

        >>> remind.delay(1, "x").forget()
        <Found.SCHEDULED: 'scheduled'>
        """
        return self._keeper.store.forget([self.id])[0]


def error_of(job: Job) -> ResultError:
    """The error of a finished job that did not succeed."""
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
