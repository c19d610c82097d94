"""Results in Celery's words: AsyncResult, GroupResult and EagerResult."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar, cast

from ..contract import Found
from ..errors import HourwheelError, JobFailed, ResultError, ResultTimeout
from ..job import Job, State
from ..results import result
from ..tasks.options.times import Seconds
from . import states
from .group_result import GroupResult, ResultSet, callback_in
from .running.eager_result import EagerResult
from .running.raised import error_of
from .settings import absent
from .settings.absent import forbid

__all__ = ["AsyncResult", "EagerResult", "GroupResult", "ResultSet", "allow_join_result", "result_from_tuple"]

R_co = TypeVar("R_co", covariant=True)

_WORDS: Final = {
    State.SCHEDULED: states.PENDING,
    State.RUNNING: states.PENDING,
    State.SUCCEEDED: states.SUCCESS,
    State.FAILED: states.FAILURE,
    State.CANCELLED: states.REVOKED,
    State.EXPIRED: states.REVOKED,
}


class AsyncResult(result.AsyncResult[R_co], Generic[R_co]):
    """A handle to one job, in Celery's words. ``str()`` of it is its id."""

    __slots__ = ()

    def __init__(self, id: str, keeper: Any = None, *, app: Any = None, **_: Any) -> None:
        """Make a handle.

        Args:
            id: of the job.
            keeper: its app; by default the current one.
            app: the same, as Celery calls it.
        """
        from .current import the_app

        super().__init__(str(id), keeper or app or the_app())

    def __str__(self) -> str:
        return self.id

    # ---- looking -----------------------------------------------------------------------------------------

    @property
    def app(self) -> Any:
        """The app."""
        return self._keeper

    @property
    def state(self) -> str:
        """What has become of the job, in Celery's words, or the word that update_state() has said."""
        return self._state_of(self.job())

    @property
    def status(self) -> str:
        """The same."""
        return self.state

    def _state_of(self, job: Job | None) -> str:
        if job is None:
            return states.PENDING
        said = _said(job)
        if job.state is State.RUNNING:
            return str(said.get("state")) if said.get("state") else self._running(job)
        if job.state is State.SUCCEEDED and said.get("left"):
            return str(said["state"])
        if job.state is State.SCHEDULED and job.error is not None:
            return states.RETRY
        return _WORDS[job.state]

    def _running(self, job: Job) -> str:
        task = self._keeper.registry.find(job.task)
        tracked = getattr(task, "track_started", None)
        if tracked is None:
            tracked = getattr(getattr(self._keeper, "conf", None), "task_track_started", False)
        return states.STARTED if tracked else states.PENDING

    def ready(self) -> bool:
        """Whether the job has ended."""
        job = self.job()
        return job is not None and job.finished

    def successful(self) -> bool:
        """Whether it has succeeded."""
        return self.state == states.SUCCESS

    def failed(self) -> bool:
        """Whether it has failed."""
        return self.state == states.FAILURE

    @property
    def result(self) -> Any:
        """What it returned; the exception if it failed or is to be retried; what update_state() has said before."""
        job = self.job()
        if job is None:
            return None
        if job.state is State.SUCCEEDED:
            said = _said(job)
            return said.get("meta") if said.get("left") else job.result
        if job.finished or (job.state is State.SCHEDULED and job.error is not None):
            return error_of(job)
        if job.state is State.RUNNING and job.progress is not None:
            return _said(job).get("meta")
        return {"hostname": job.owner} if self._state_of(job) == states.STARTED else None

    @property
    def info(self) -> Any:
        """The same as result: Celery's other name."""
        return self.result

    @property
    def worker(self) -> str | None:
        """The name of the worker that runs or ran it."""
        return cast("str | None", getattr(self.job(), "owner", None))

    # ---- waiting -----------------------------------------------------------------------------------------

    def get(self, timeout: Seconds | None = None, propagate: bool = True, **ignored: Any) -> Any:
        """Wait for the job to end, and return what it returned, or raise what it raised.

        The exception has the class that the task raised, where that is imported here, and is a JobFailed besides.

        Args:
            timeout: how long to wait, in seconds; None for no limit.
            propagate: whether to raise the error of a job that did not succeed; if not, it is returned.
            ignored: interval, no_ack, disable_sync_subtasks and others that need no saying here; ``callback`` is called
                with the id and the result.

        Raises:
            TimeoutError: it has not ended.
            TaskRevokedError: it was cancelled, or has expired.
        """
        callback = callback_in(ignored)
        try:
            found: Any = super().get(timeout, propagate=False)
        except JobFailed as error:  # pragma: no cover - propagate is False
            found = error
        job = self.job()
        if job is not None and job.state is State.SUCCEEDED and _said(job).get("left"):
            found = None
        if isinstance(found, ResultError) and job is not None:
            found = error_of(job)
            if propagate:
                raise found
        if callback is not None:
            callback(self.id, found)
        return found

    wait = get

    def maybe_throw(self, propagate: bool = True, callback: Any = None) -> Any:
        """Raise what the task raised, if it has failed; return its result otherwise."""
        found = self.result
        if propagate and isinstance(found, BaseException) and self.state in states.PROPAGATE_STATES:
            raise found
        if callback is not None:
            callback(self.id, found)
        return found

    maybe_reraise = throw = maybe_throw
    TimeoutError = ResultTimeout
    supports_native_join = False
    ignored = False

    def then(self, *_: Any, **__: Any) -> Any:
        """Refused: nothing in the caller's process waits for results."""
        raise HourwheelError("then() is not there; pass link= to apply_async(), or connect task_success")

    # ---- changing ----------------------------------------------------------------------------------------

    def revoke(
        self,
        connection: Any = None,
        terminate: bool = False,
        signal: Any = None,
        wait: bool = False,
        timeout: Any = None,
    ) -> Found:
        """Cancel the job, durably, if it has not started.

        Raises:
            HourwheelError: with ``terminate``, if it runs: a run cannot be stopped from outside.
        """
        found = self.cancel()
        if terminate and found is Found.RUNNING:
            raise HourwheelError(
                f"job {self.id} runs, and a run cannot be stopped from outside; it is marked as cancelled: let the "
                "task look at self.is_cancelled(), or give it a time_limit"
            )
        return found

    def forget(self) -> Found:
        """Drop the finished job and its result."""
        return super().forget()

    def as_tuple(self) -> Any:
        """((id, the parent's), children), from which result_from_tuple() makes a handle again."""
        parent: Any = self.parent
        return (self.id, parent and parent.as_tuple()), None

    def as_list(self) -> list[str]:
        """The ids of it and of those before it."""
        parent: Any = self.parent
        return [self.id, *(parent.as_list() if parent else [])]

    def iterdeps(self, intermediate: bool = False) -> Iterator[tuple[Any, Any]]:
        """Pairs (parent, job) of it and of what waited for it."""
        todo: list[tuple[Any, Any]] = [(None, self)]
        while todo:
            parent, one = todo.pop(0)
            yield parent, one
            todo += [(one, child) for child in one.children]

    def collect(self, intermediate: bool = False, **options: Any) -> Iterator[tuple[Any, Any]]:
        """Pairs (job, result) of it and of what waited for it."""
        for _, one in self.iterdeps(intermediate):
            yield one, one.get(**options)


def _said(job: Job) -> dict[str, Any]:
    """What update_state() has said: its state and meta."""
    found = job.progress
    return found if isinstance(found, dict) and found.keys() <= {"state", "meta", "left"} else {"meta": found}


def result_from_tuple(r: Any, app: Any = None) -> Any:
    """The handle that as_tuple() has described."""
    (id, _), members = r
    if members is None:
        return AsyncResult(id, app=app)
    from .current import the_app

    return GroupResult([member[0][0] for member in members], app or the_app())


@contextmanager
def allow_join_result() -> Iterator[None]:
    """Nothing to allow: a job may wait for others, which run meanwhile."""
    yield


forbid(AsyncResult, absent.RESULT)
