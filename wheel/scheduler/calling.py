"""Calling: methods of Scheduler for many calls at once, calls by name, and jobs by id."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload
from uuid import UUID

from ..errors import InvalidValue
from ..ids import sought_id
from ..results.many import Results
from ..results.result import AsyncResult
from ..tasks.carrier import Carrier
from ..tasks.draft import send_linked
from ..tasks.naming import checked_name
from ..tasks.options.plan import CallOptions
from ..tasks.sender import Args, Kwargs, R
from ..tasks.signature import given
from ..tasks.task import Task, send

if TYPE_CHECKING:
    from typing import Unpack

    from ..job import Job

    Calls = Iterable[tuple[Sequence[Any], Mapping[str, Any]]]


@overload
def schedule_many(
    app: Carrier, task: Task[..., Coroutine[Any, Any, R]], calls: Calls, **options: Unpack[CallOptions]
) -> Results[R]: ...
@overload
def schedule_many(app: Carrier, task: Task[..., R], calls: Calls, **options: Unpack[CallOptions]) -> Results[R]: ...
def schedule_many(app: Carrier, task: Task[..., Any], calls: Calls, **options: Unpack[CallOptions]) -> Results[Any]:
    """Many calls of one task in one durable write: all of them, or none.

    Args:
        task: the task.
        calls: (args, kwargs) of each call.
        options: countdown, eta and the others of apply_async, the same for all.

    Returns:
        A handle to each job, in the order of the calls.

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
    if plan.link or plan.link_error:
        return app.results_type(send_linked(app, jobs, plan), app)
    return app.results_type(app.submit_many(jobs, fresh=plan.fresh, on_conflict=plan.on_conflict), app)


def send_task(
    app: Carrier, name: str, args: Args = None, kwargs: Kwargs = None, **options: Unpack[CallOptions]
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
    plan = app.registry.plan.but(rest)
    return send(app, checked_name("name", name), *given(args, kwargs), plan, countdown, eta)


def why_not_ended(app: Carrier, job: Job) -> str:
    """Why a job has not ended, as far as can be told cheaply; "" if that is not known."""
    from ..explain import unanswered  # rarely needed

    return unanswered.why_not_ended(app, job)


def warn_if_nobody_runs(app: Carrier, id: str) -> None:
    """Log, once, that no live process could run a job that is waited for."""
    from ..explain import unanswered

    unanswered.warn_if_nobody_runs(app, id)


def result_of(app: Carrier, id: str | UUID) -> AsyncResult[Any]:
    """A handle to the job of that id, whether it exists or not."""
    return app.result_type(sought_id(id), app)
