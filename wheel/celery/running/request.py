"""Context: what ``self.request`` is in a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...clock import Passing
from ...errors import HourwheelError
from ...tasks import context
from ...tasks.context import Request
from ..settings import absent
from ..settings.absent import forbid
from ..settings.call_plan import headers_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...job import Job
    from ...tasks.options.time_limits import Limits


class Context(Request):
    """The running job, with the attributes of Celery's ``request``. ``get(name)`` gives one of them or a default."""

    __slots__ = ("_task",)

    def __init__(self, job: Job | None, task: Any) -> None:
        super().__init__(job)
        self._task = task

    def __getitem__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(self, name):
            raise KeyError(name)
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """The attribute of that name; ``default`` if there is none."""
        return default if name.startswith("_") else getattr(self, name, default)

    def keys(self) -> Iterator[str]:
        """The names of the attributes."""
        names = dict.fromkeys([*dir(self), *self._headers])
        return (name for name in names if not name.startswith("_") and not callable(getattr(self, name, None)))

    @property
    def is_eager(self) -> bool:
        """Whether the task runs in the process that called it: by apply(), or with task_always_eager."""
        app = self._task.scheduler
        return self._job is not None and (self._job.owner == EAGER or (app.eager and isinstance(app.clock, Passing)))

    @property
    def correlation_id(self) -> str | None:
        """The id of the job."""
        return self.id

    @property
    def root_id(self) -> str | None:
        """The first job of its chain; its own id if it waited for none."""
        return None if self._job is None else self._first(self._job)

    def _first(self, job: Job) -> str:
        while job.after is not None and job.after.ids:
            before = self._task.scheduler.store.get([job.after.ids[0]])[0]
            if before is None:
                return job.after.ids[0]
            job = before
        return job.id

    @property
    def parent_id(self) -> str | None:
        """The job before it in a chain; None if it waited for none."""
        job = self._job
        return None if job is None or job.after is None or not job.after.ids else job.after.ids[0]

    @property
    def timelimit(self) -> list[float | None]:
        """The time limit and the soft time limit, in seconds."""
        return [self.time_limit, self.soft_time_limit]

    @property
    def ignore_result(self) -> bool:
        """Whether the result is not kept."""
        return self._job is not None and self._job.ignore_result

    @property
    def time_limit(self) -> float | None:
        """The time limit of the call, or else of the task, in seconds."""
        return self._limits.hard_s

    @property
    def soft_time_limit(self) -> float | None:
        """The soft one."""
        return self._limits.soft_s

    @property
    def _limits(self) -> Limits:
        found: Limits = self._task.limits if self._job is None else self._task.limits_of(self._job)
        return found

    @property
    def properties(self) -> dict[str, Any]:
        """The id, under the names of a message's properties."""
        return {"correlation_id": self.id, "reply_to": None}

    @property
    def headers(self) -> dict[str, Any] | None:
        """The headers of the call; None if it has none. Each of them is an attribute of the request as well."""
        found = self._headers
        inner = found.get("headers")  # as instrumentation says it, for old versions of Celery
        return (inner if isinstance(inner, dict) else found) or None

    @property
    def _headers(self) -> dict[str, Any]:
        return {} if self._job is None else headers_in(self._job.extra)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self._headers:
            return self._headers[name]
        advice = absent.REQUEST.get(name, "the request has no such attribute, and the call no such header")
        raise AttributeError(f"{type(self).__name__}.{name} is not there: {advice}")

    @property
    def children(self) -> list[Any]:
        """Nothing: what a task has called is not recorded."""
        return []

    group = None
    group_index = None
    chord = None
    chain = None
    callbacks = None
    errbacks = None
    reply_to = None
    origin = None
    shadow = None
    taskset = None
    loglevel = None
    logfile = None
    replaced_task_nesting = 0
    utc = True
    lang = "py"

    def update(self, *_: Any, **__: Any) -> None:
        """Refused: the request is the job's."""
        raise HourwheelError("self.request is the running job's and cannot be changed; pass arguments to the task")

    clear = update


forbid(Context, absent.REQUEST)


EAGER = "eager"
"""The owner of a job that apply() runs."""


def context_of(task: Any) -> Context:
    """The request of a task: of the job that runs, if it is one of this task."""
    return Context(context.current_job(), task)
