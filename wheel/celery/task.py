"""Task: what ``@app.task`` makes, and the base class for tasks of your own.

A class may say options as attributes and override what Celery calls: ``__call__``, ``before_start``, ``on_success``,
``on_retry``, ``on_failure``, ``after_return``. ``@app.task(base=MyTask)`` makes one instance of the class for each
function. A class with ``run`` becomes a task by ``app.register_task(MyTask())``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ..errors import InvalidValue, StoreError
from ..job import Job
from ..payload import encode
from ..tasks import canvas as core
from ..tasks import context
from ..tasks.decorator import refuse_unfit
from ..tasks.on_commit import django_commit
from ..tasks.options.retry import Retry
from ..tasks.options.time_limits import UNLIMITED, Limits
from ..tasks.task import Task as CoreTask
from ..worker.run.failure import OURS
from . import canvas, signals
from .current import Proxy, the_app
from .exceptions import Ignore, MaxRetriesExceededError, Reject
from .result import AsyncResult
from .running import eager, leaving
from .running.raised import error_of
from .running.request import EAGER, Context, context_of
from .settings import absent
from .settings.absent import forbid
from .settings.call_plan import CallPlan, limits_in
from .settings.options import NEVER, call_options, is_over, task_options
from .signatures import Signature

if TYPE_CHECKING:
    from datetime import datetime

    from ..tasks.canvas import Canvas
    from ..tasks.options.task_options import TaskOptions
    from ..tasks.options.times import Seconds
    from ..tasks.registry import Registry
    from .running.eager_result import EagerResult


OURS.add(__file__)


class Task(CoreTask[..., Any]):
    """A task with Celery's methods and attributes. Attributes of a subclass are the defaults of its tasks' options."""

    signature_type = Signature
    plan_type = CallPlan
    exhausted_type = MaxRetriesExceededError
    MaxRetriesExceededError = MaxRetriesExceededError
    abstract: ClassVar[bool] = True
    ignore_result: bool = False
    track_started: bool | None = None
    """Whether the state of a job that runs is STARTED; if not, it is PENDING until update_state() says another one."""
    throws: tuple[type[BaseException], ...] = ()
    """Exceptions that are expected; kept for programs that read it: failures are logged alike."""
    acks_late: bool = True
    """Always: a job is settled after it ran; False in a class or in @app.task() means at most once."""
    acks_on_failure = acks_on_failure_or_timeout = acks_on_timeout = True
    reject_on_worker_lost: bool | None = True
    retry_on_worker_lost = True
    rate_limit: Any = None
    time_limit: Any = None
    soft_time_limit: Any = None
    expires: Any = None
    priority: Any = None
    serializer = "json"
    typing = True
    send_events = trail = store_eager_result = False
    store_errors_even_if_ignored = True
    backend = None
    OperationalError = StoreError

    def on_bound(self, app: Any) -> None:
        """Called when the task has been made."""

    def shadow_name(self, args: Any, kwargs: Any, options: Any) -> str | None:
        """A job is shown under its task's name."""
        return None

    def __init__(self) -> None:
        """Override this as you like; it is called without arguments, once for each task of the class."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.abstract = bool(vars(cls).get("abstract", False))

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """What the task does: the decorated function, or what a subclass writes here."""
        raise NotImplementedError(f"{type(self).__name__} must define run()")

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function now, in this thread. Override it to do something around each run."""
        return self.run(*args, **kwargs)

    # ---- what a class of yours may override --------------------------------------------------------------

    def before_start(self, task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Called before the function, in the worker."""

    def on_success(self, retval: Any, task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Called when the function has returned."""

    def on_retry(
        self, exc: BaseException, task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any], einfo: Any
    ) -> None:
        """Called when it is to run again."""

    def on_failure(
        self, exc: BaseException, task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any], einfo: Any
    ) -> None:
        """Called when it has failed for good."""

    def after_return(
        self, status: str, retval: Any, task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any], einfo: Any
    ) -> None:
        """Called after the others, whatever has become of it."""

    # ---- calling -----------------------------------------------------------------------------------------

    @property
    def app(self) -> Any:
        """The app of its calls.

        Raises:
            NoScheduler: the task is shared, and there is no current app, or it is none of Celery's.
        """
        return the_app() if self._scheduler is None else self._scheduler

    @property
    def request(self) -> Context:
        """The running job, with the attributes of Celery's ``request``."""
        return context_of(self)

    def delay(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the task later: as soon as a worker is free."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """Call the task later, with Celery's options.

        Raises:
            InvalidValue: an option cannot be honoured; the message says what to do instead.
            TypeError, PayloadError, StoreError: as for Task.delay.
        """
        app = self.app
        said = call_options(options, app)
        if eager.runs_here(app):
            return eager.called(self, args, kwargs, said)
        if is_over(said.get("expires"), app):
            late = super().apply_async(args, kwargs, **{**said, "expires": None, "countdown": None, "eta": NEVER})
            late.cancel()
            return late
        return eager.thrown(app, super().apply_async(args, kwargs, **said))

    def delay_on_commit(self, /, *args: Any, **kwargs: Any) -> Any:
        """Like delay(), after Django's current transaction is committed."""
        return self.apply_async_on_commit(args, kwargs)

    def apply_async_on_commit(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        using: str | None = None,
        **options: Any,
    ) -> Any:
        """Like apply_async(), after the transaction of the database ``using`` is committed. Its id is known at once."""
        said = call_options(options, self.app)
        if eager.runs_here(self.app):
            return eager.called_after(django_commit(using), self, args, kwargs, said)
        return super().apply_async_on_commit(args, kwargs, using=using, **said)

    def apply(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> EagerResult:
        """Run the task now, in this thread, with its retries; nothing is stored.

        Args:
            args: the function's positional arguments.
            kwargs: its keyword arguments.
            options: ``throw=True`` raises what it raises; ``task_id`` is its id; others are those of apply_async().
        """
        throw = options.pop("throw", None)
        return eager.applied(self, args, kwargs, call_options(options, self.app), throw=throw)

    def retry(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        exc: BaseException | type[BaseException] | None = None,
        throw: bool = True,
        eta: datetime | None = None,
        countdown: Seconds | None = None,
        max_retries: int | None = None,
        **options: Any,
    ) -> Retry:
        """Retry the running job later, with Celery's options; see hourwheel's Task.retry. Its headers stay the same."""
        said = call_options({"eta": eta, "countdown": countdown, **options}, Proxy(lambda: self.app))
        if said.pop("headers", self.request.headers) != self.request.headers:
            raise InvalidValue.of("headers", "left out of a retry: they stay those of the call", options["headers"])
        return super().retry(args, kwargs, exc, throw, max_retries=max_retries, **said)

    def signature(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> core.Signature[Any]:
        """A call that has not been made yet."""
        immutable = options.pop("immutable", False)
        given = {**(options.pop("options", None) or {}), **options}
        said = call_options(given, self.app) if given else {}
        return super().signature(args, kwargs, immutable=immutable, **said)

    subtask = signature

    def chunks(self, it: Any, n: int) -> Canvas[Any]:
        """The calls for items of ``it``, in jobs of ``n`` each; see canvas.chunks."""
        found: Canvas[Any] = canvas.chunks(self, it, n)
        return found

    def map(self, it: Any) -> Canvas[Any]:
        """One job that calls the task for each item of ``it``, its only argument; the result is a list."""
        found: Canvas[Any] = canvas.xmap(self, it)
        return found

    def starmap(self, it: Any) -> Canvas[Any]:
        """One job that calls the task for each item of ``it``, whose arguments it is; the result is a list."""
        found: Canvas[Any] = canvas.starmap(self, it)
        return found

    def AsyncResult(self, task_id: str, **_: Any) -> AsyncResult[Any]:
        """A handle to the job of that id."""
        found: AsyncResult[Any] = self.app.AsyncResult(task_id)
        return found

    def replace(self, sig: Canvas[Any]) -> None:
        """Let another call take the place of this one: its result becomes that of this task.

        Args:
            sig: a signature or canvas.

        Raises:
            Ignore: always; do not catch it.
            InvalidValue: it is nothing that can be called, or an empty chain.
        """
        if not isinstance(sig, core.Canvas) or (isinstance(sig, core.Chain) and not any(sig.signatures())):
            raise InvalidValue.of("sig", "a call such as task.s(...), or a canvas; an empty chain is none", sig)
        raise leaving.Replaced(sig)

    def update_state(self, task_id: str | None = None, state: str | None = None, meta: Any = None, **_: Any) -> None:
        """Say how far the running job is; see hourwheel's Task.update_state. In one that runs eagerly, nothing is kept.

        Raises:
            InvalidValue: it is another job's id.
        """
        job = context.current_job()
        if job is not None and task_id not in (None, job.id):
            raise InvalidValue.of("task_id", "the running job's, or left out", task_id)
        if job is not None and job.owner == EAGER:
            encode(meta, "meta")
        else:
            super().update_state(state=state, meta=meta)

    def limits_of(self, job: Job) -> Limits:
        """The time limits of a run: those of the call come before the task's."""
        of_call = limits_in(job.extra)
        return self.limits if of_call == UNLIMITED else of_call.over(self.limits)

    def add_trail(self, result: Any) -> Any:
        """Return the result: what a task has called is not recorded."""
        return result

    # ---- running -----------------------------------------------------------------------------------------

    def as_errback(self, sig: core.Signature[Any]) -> core.Signature[Any]:
        """A call that takes (request, exc, traceback) gets the last two when it runs."""
        names = _of_errback(self.fn, bind=self.bind)
        return sig if names is None else sig.clone(kwargs={names[0]: None, names[1]: None})

    def _as_told(
        self, job: Job, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of an errback that takes (request, exc, traceback)."""
        names = _of_errback(self.fn, bind=self.bind) if job.after is not None and job.after.need == "failed" else None
        failed = None if names is None or not args else self.scheduler.store.get([args[0]])[0]
        if names is None or failed is None or names[0] not in kwargs:
            return args, kwargs
        error = error_of(failed)
        told = {names[0]: error, names[1]: getattr(error, "traceback", None)}
        return (Context(failed, self), *args[1:]), {**kwargs, **told}

    def _enter(self, /, *args: Any, **kwargs: Any) -> Any:
        """What a worker calls."""
        job = context.current_job()
        if job is None:
            return self(*args, **kwargs)
        if job.after is not None:
            args, kwargs = self._as_told(job, args, kwargs)
        signals.task_prerun.send(sender=self, task_id=job.id, task=self, args=args, kwargs=kwargs)
        self.before_start(job.id, args, kwargs)
        try:
            found = self(*args, **kwargs)
        except (Ignore, Reject) as asked:
            return leaving.left(self, job, asked)
        return leaving.awaited(self, job, found) if type(found) is CoroutineType else found


def _of_errback(fn: Any, *, bind: bool) -> tuple[str, str] | None:
    """The names of the last two of (request, exc, traceback), if a function takes three arguments; else None."""
    try:
        found = list(inspect.signature(fn).parameters.values())[1 if bind else 0 :]
    except (TypeError, ValueError):
        return None
    plain = [one for one in found if one.kind is one.POSITIONAL_OR_KEYWORD]
    needed = [one for one in plain if one.default is one.empty]
    return (plain[1].name, plain[2].name) if len(plain) >= 3 and len(needed) >= 2 else None


forbid(Task, absent.TASK)


# ---- making ----------------------------------------------------------------------------------------------


def made(
    fn: Callable[..., Any],
    app: Any | None,
    registry: Registry,
    *,
    base: type[Task],
    bind: bool,
    options: Mapping[str, Any],
) -> Task:
    """Make a task of a function, an instance of ``base``, and register it."""
    refuse_unfit(fn, bind=bind)
    task = base.__new__(base)
    _begin(task, fn, app, bind=bind, options=options)
    task.run = partial(fn, task) if bind else fn  # type: ignore[method-assign]
    task.__init__()  # type: ignore[misc] # the user's, which may look at the name
    if app is not None:
        task.on_bound(app)
    registry.add(task, task.aliases)
    return task


def adopted(task: Task | type[Task], app: Any, registry: Registry, options: Mapping[str, Any]) -> Task:
    """Register a task that is written as a class with ``run``."""
    found = task() if isinstance(task, type) else task
    if not isinstance(found, Task) or type(found).run is Task.run:
        raise InvalidValue.of("task", "a class or an instance of one that derives from Task and defines run()", task)
    method = found.run

    @wraps(method)
    def named(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    kept = dict(vars(found))
    _begin(found, named, app, bind=False, options={"name": _name_of(type(found)), **options})
    vars(found).update(kept)
    found.on_bound(app)
    registry.add(found, found.aliases)
    return found


def _anything(*_: Any, **__: Any) -> None:
    """Check nothing: typing=False."""


def _name_of(cls: type[Task]) -> str:
    said = vars(cls).get("name")
    return said if isinstance(said, str) else f"{cls.__module__}.{cls.__qualname__}"


def _begin(task: Task, fn: Callable[..., Any], app: Any | None, *, bind: bool, options: Mapping[str, Any]) -> None:
    ours, kept = task_options(type(task), options, app, Task)
    CoreTask.__init__(task, fn, app, bind=bind, **cast("TaskOptions", ours))
    for name, value in kept.items():
        setattr(task, name, value)
    if not kept.get("typing", True):
        task.check = _anything
    task.entry = task._enter
