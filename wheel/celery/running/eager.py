"""Eager: tasks that run at once in the process that calls them: apply(), and task_always_eager in tests.

With task_always_eager, a call runs where it is made and nothing is stored; as in Celery, it does not wait for its
countdown. In travel() and testing.eager() it does: there the call is stored in the test's own store, and travel() runs
it when it is due, which may be at once.
"""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from types import CoroutineType
from typing import Any, Final, cast

from ...clock import Passing
from ...ids import new_id
from ...job import Job, State
from ...payload import encode_call
from ...tasks import context
from ...tasks.canvas import Chain, Signature
from ...tasks.on_commit import Later
from ...tasks.options.retry import Retry, Snooze
from ...tasks.options.times import due_ms
from ...tasks.signature import given
from ...worker.run.failure import cause_of, failure_of
from ...worker.run.loops import close_loop, run_in_loop
from .. import states
from ..exceptions import Ignore, Reject
from ..settings.call_plan import BESIDES, CallPlan, headers_in
from .eager_result import EagerGroup, EagerResult
from .events import told
from .leaving import state_of
from .request import EAGER

_MOST: Final = 1_000
"""Runs of a task that retries for ever."""


def runs_here(app: Any) -> bool:
    """Whether calls run where they are made, without being stored."""
    return app.eager and not isinstance(app.clock, Passing)


def thrown(app: Any, result: Any) -> Any:
    """The result of a call that was stored; with task_eager_propagates, raise what it raised if it has run already."""
    if result is not None and app.eager and app.conf.task_eager_propagates:
        result.maybe_throw()
    return result


def called(task: Any, args: Any, kwargs: Any, options: Mapping[str, Any]) -> EagerResult:
    """What apply_async() does with task_always_eager."""
    return applied(task, args, kwargs, options, throw=task.app.conf.task_eager_propagates)


def called_after(commit: Later, task: Any, args: Any, kwargs: Any, options: Mapping[str, Any]) -> EagerResult:
    """What apply_async_on_commit() does with task_always_eager: the task runs after the commit, or never.

    Raises:
        TypeError: the arguments do not fit.
    """
    positional, named = given(args, kwargs)
    task.check(*positional, **named)
    id = str(options.get("task_id") or new_id(task.app.clock.now_ns() // 1_000_000))
    result = EagerResult(id, None, states.PENDING, name=task.name)
    commit(lambda: vars(result).update(vars(called(task, args, kwargs, {**options, "task_id": id}))))
    return result


def applied(
    task: Any,
    args: Sequence[Any] | None,
    kwargs: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    *,
    throw: bool | None = None,
) -> EagerResult:
    """Run a task now, with its retries, and return what came of it.

    Raises:
        TypeError, PayloadError: the arguments do not fit, or are not JSON: as when it is called later.
    """
    positional, named = given(args, kwargs)
    task.check(*positional, **named)
    clock = task.app.clock
    now_ns = clock.now_ns()
    plan = cast("CallPlan", CallPlan().but({name: options.get(name) for name in BESIDES}))
    due = due_ms(now_ns, options.get("countdown", 0) if options.get("eta") is None else None, options.get("eta"))
    job = Job(
        id=str(options.get("task_id") or new_id(now_ns // 1_000_000)), task=task.name, due_ms=due,
        payload=encode_call(positional, named), created_ms=now_ns // 1_000_000, state=State.RUNNING, owner=EAGER,
        queue=options.get("queue") or task.app.conf.task_default_queue, attempt=1, extra=plan.extra,
    )  # fmt: skip
    for _ in range(_MOST):
        result, again = _run(task, job)
        if again is None:
            break
        job = again
    if throw and result.failed():
        raise result.result
    _follow_all(options, result)
    return result


def _run(task: Any, job: Job) -> tuple[EagerResult, Job | None]:
    """Run it once: (what came of it, the job of the next attempt if there is one)."""
    args, kwargs = job.call
    try:
        value = copy_context().run(_in_context, task, job, args, kwargs)
    except (Retry, Snooze) as asked:
        return _again(task, job, asked)
    except (Ignore, Reject) as asked:
        told.left(task, job, asked)
        return EagerResult(job.id, asked, state_of(asked), name=task.name), None
    except Exception as error:
        if task.retrying.covers(error):
            return _again(task, job, Retry(exc=error))
        told.failed(task, job, error)
        return _failed(job, error), None
    told.succeeded(task, job, value)
    return EagerResult(job.id, value, states.SUCCESS, name=task.name), None


def canvas(one: Any, args: tuple[Any, ...], kwargs: dict[str, Any], **options: Any) -> Any:
    """Run a canvas now, in this thread, with what is linked to it."""
    if isinstance(one, Signature):
        given = () if one.immutable else args
        plan = one.call.plan
        said = {"link": list(plan.link), "link_error": list(plan.link_error), "task_id": plan.task_id,
            "headers": headers_in(getattr(plan, "extra", None))}  # fmt: skip
        return called(one.task, (*given, *one.args), {**one.kwargs, **kwargs}, {**said, **options})
    passed = {"headers": options.get("headers") or one.option("headers")}
    passed = {name: value for name, value in passed.items() if value is not None}
    result = (_chain if isinstance(one, Chain) else _group)(one, args, kwargs, passed)
    if result is not None:
        _follow_all({name: options.get(name) or one.option(name) for name in ("link", "link_error")}, result)
    return result


def _chain(one: Any, args: tuple[Any, ...], kwargs: dict[str, Any], options: Mapping[str, Any]) -> Any:
    result: Any = None
    for part in one.parts:
        result = canvas(part, args, kwargs, **options)
        if result.state != states.SUCCESS:
            break
        args, kwargs = (result.get(),), {}
    return result


def _group(one: Any, args: tuple[Any, ...], kwargs: dict[str, Any], options: Mapping[str, Any]) -> EagerGroup:
    return EagerGroup([canvas(member, args, kwargs, **options) for member in one.members])


def _in_context(task: Any, job: Job, args: Any, kwargs: Any) -> Any:
    context.enter(job)
    found = task.entry(*args, **kwargs)
    return _awaited(found) if type(found) is CoroutineType else found


def _awaited(work: Any) -> Any:
    """What a coroutine comes to, also if a loop already runs in this thread: then in another one."""
    try:
        get_running_loop()
    except RuntimeError:
        return run_in_loop(work)
    with ThreadPoolExecutor(1) as other:
        return other.submit(copy_context().run, _alone, work).result()


def _alone(work: Any) -> Any:
    try:
        return run_in_loop(work)
    finally:
        close_loop()


def _again(task: Any, job: Job, asked: Any) -> tuple[EagerResult, Job | None]:
    if isinstance(asked, Snooze):
        return _failed(job, asked), job
    cause = cause_of(asked)
    if task.retrying.exhausted(job.retries, asked.max_retries):
        told.failed(task, job, cause)
        return _failed(job, cause), None
    told.retried(task, job, cause)
    args, kwargs = job.call
    payload = asked.payload(args, kwargs) or job.payload
    return _failed(job, cause), job._replace(attempt=job.attempt + 1, payload=payload)


def _failed(job: Job, error: BaseException) -> EagerResult:
    return EagerResult(job.id, error, states.FAILURE, traceback=failure_of(error).traceback, name=job.task)


def _follow_all(links: Mapping[str, Any], result: Any) -> None:
    """Run the calls that are linked to what came of a call."""
    failed = result.state == states.FAILURE
    for one in _listed(links.get("link_error" if failed else "link")) if failed or result.successful() else ():
        value = getattr(result, "id", None) if failed else result.get()
        one.apply_async(() if getattr(one, "immutable", False) else (value,))


def _listed(linked: Any) -> Sequence[Any]:
    if linked is None:
        return ()
    return linked if isinstance(linked, (list, tuple)) else (linked,)
