"""Celery: a Scheduler that is made and used as a Celery app is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from ..clock import as_datetime
from ..errors import InvalidValue
from ..scheduler.scheduler import Scheduler
from ..settings.table import UNSET
from ..tasks.decorator import TaskDecorator
from ..tasks.default_app import set_default
from ..tasks.discovery import Discovery
from ..tasks.naming import origin_of
from ..tasks.registry import SHARED
from . import task as tasks
from .canvas import STARMAP, signature, starmap_of
from .current import the_app
from .result import AsyncResult, GroupResult
from .running.control import Control
from .running.events import listen, published, to_publish
from .settings import absent
from .settings.absent import forbid
from .settings.call_plan import CallPlan
from .settings.conf import CeleryConf
from .settings.defaults import DEFAULTS
from .settings.options import call_options
from .signals import Signal
from .task import Task as BaseTask

if TYPE_CHECKING:
    from ..job import Job
    from ..settings.conf import Conf

_IDLE: Final = frozenset({"loader", "amqp", "events", "log", "set_as_current", "fixups", "changes", "strict_typing",
    "autofinalize", "accept_magic_kwargs"})  # fmt: skip
"""Arguments of Celery() that have nothing to do here."""


class Celery(Scheduler):
    """An app, as Celery's: ``app = Celery("proj", broker=..., backend=..., include=["proj.tasks"])``.

    Args:
        main: the name of the app, and of the module of its tasks if that is run as a program.
        broker: kept in ``conf.broker_url``, so that one configuration serves both; nothing connects to it.
        backend: kept in ``conf.result_backend``, likewise.
        include: modules to import before tasks are needed.
        task_cls: the base class of tasks: a class, or its name.
        config_source: what config_from_object() takes.
        namespace: of config_source.
        store: where the jobs are kept; see Scheduler. By default what the settings say, or "tasks.json".
        options: settings under Celery's names or ours, and those of Scheduler.

    Raises:
        TypeError: an argument is nearly one of these.
        InvalidValue: settings cannot be taken; all of them are named at once.

    >>> app = Celery("proj", broker="redis://localhost", store="tasks.json")
    >>> @app.task
    ... def add(x, y):
    ...     return x + y
    >>> add.delay(2, 2).status
    'PENDING'
    """

    result_type = AsyncResult
    results_type = GroupResult
    conf_type: type[Conf] = CeleryConf
    decorator_type: type[TaskDecorator]

    def __init__(
        self,
        main: str | None = None,
        *,
        broker: str | None = None,
        backend: str | None = None,
        include: Iterable[str] | str | None = None,
        task_cls: type[BaseTask] | str | None = None,
        config_source: Any = None,
        namespace: str | None = None,
        store: Any = UNSET,
        **options: Any,
    ) -> None:
        if main is not None and type(main) is not str:
            raise InvalidValue.of("main", "the name of the app", main)
        _refuse_misspelt(options)
        ours = {name: options.pop(name) for name in _ARGUMENTS & options.keys()}
        self.main: Final = main
        self._task_cls = task_cls
        self._root: type[BaseTask] | None = None
        self.on_configure = Signal("on_configure")
        self.on_after_configure = Signal("on_after_configure")
        self.on_after_finalize = Signal("on_after_finalize")
        self.on_after_fork = Signal("on_after_fork", refused="connect worker_process_init")
        self._finalized = False
        super().__init__(store, **ours)
        self.registry.plan = CallPlan()
        if options.pop("set_as_current", True):
            set_default(self)
        said = {name: value for name, value in options.items() if name not in _IDLE and value is not None}
        self.conf.update({"broker_url": broker, "result_backend": backend, **said})
        if config_source is not None:
            self.config_from_object(config_source, namespace=namespace)
        if include is not None:
            self.conf.update(include=[include] if isinstance(include, str) else list(include))
        self.discoveries.append(Discovery(lambda: [*(self.conf.include or ()), *(self.conf.imports or ())], None))
        self.control: Final = Control(self)
        listen(self)
        self._make(starmap_of(self), {"name": STARMAP})

    def __repr__(self) -> str:
        return f"<Celery {self.main or '__main__'}: {super().__repr__()}>"

    # ---- tasks -------------------------------------------------------------------------------------------

    @property
    def Task(self) -> type[BaseTask]:
        """The base class of the app's tasks; set it, or pass task_cls."""
        if self._root is None:
            found = self._task_cls
            if isinstance(found, str):
                module, _, name = found.replace(":", ".").rpartition(".")
                found = getattr(import_module(module), name)
            if found is not None and not (isinstance(found, type) and issubclass(found, BaseTask)):
                raise InvalidValue.of("task_cls", "a class that derives from hourwheel.celery.Task, or its name", found)
            self._root = found or BaseTask
        return self._root

    @Task.setter
    def Task(self, cls: type[BaseTask]) -> None:
        self._root, self._task_cls = None, cls

    def _decorate(self, *args: Any, **options: Any) -> Any:
        """Make a function a task: ``@app.task``, or ``@app.task(bind=True, ...)``."""
        if args and not callable(args[0]):
            raise InvalidValue.of("task", "made of a function, and its options be named", args[0])
        if args:
            return self._make(args[0], options)
        return partial(self._make, options=options)

    def _make(self, fn: Callable[..., Any], options: Mapping[str, Any]) -> BaseTask:
        base = options.get("base") or self.Task
        if not (isinstance(base, type) and issubclass(base, BaseTask)):
            raise InvalidValue.of("base", "a class that derives from Task", base)
        said = {**_defaults(self.conf), **options}
        if said.get("name") is None and self.main and origin_of(fn)[0] == "__main__":
            said["name"] = f"{self.main}.{getattr(fn, '__qualname__', fn.__name__)}"
        return tasks.made(fn, self, self.registry, base=base, bind=bool(options.get("bind")), options=said)

    def register_task(self, task: BaseTask | type[BaseTask], **options: Any) -> BaseTask:
        """Register a task that is written as a class with run()."""
        return tasks.adopted(task, self, self.registry, {**_defaults(self.conf), **options})

    @property
    def tasks(self) -> Mapping[str, BaseTask]:
        """The tasks by name."""
        self.finalize()
        return {name: cast("BaseTask", self.registry.get(name)) for name in self.registry.names()}

    def gen_task_name(self, name: str, module: str) -> str:
        """The name of a task."""
        return f"{self.main if module == '__main__' and self.main else module}.{name}"

    # ---- calls -------------------------------------------------------------------------------------------

    @property
    def eager(self) -> bool:
        """Whether calls run where they are made: task_always_eager."""
        return bool(self.conf.task_always_eager)

    def send_task(self, name: str, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Call a task by its name, with Celery's options."""
        return super().send_task(name, args, kwargs, **call_options(options, self))

    def submit(self, job: Job, **options: Any) -> str:
        """See Scheduler.submit."""
        job = to_publish(job)
        id = super().submit(job, **options)
        published((job,))
        return id

    def submit_many(self, jobs: Sequence[Job], **options: Any) -> list[str]:
        """See Scheduler.submit_many."""
        jobs = list(map(to_publish, jobs))
        ids = super().submit_many(jobs, **options)
        published(jobs)
        return ids

    def signature(self, varies: Any, *args: Any, **options: Any) -> Any:
        """A call that has not been made yet; see canvas.signature."""
        return signature(varies, *args, **{**options, "app": self})

    subtask = signature

    def AsyncResult(self, id: str | UUID, *_: Any, **__: Any) -> AsyncResult[Any]:
        """A handle to the job of that id."""
        return cast("AsyncResult[Any]", super().AsyncResult(id))

    def GroupResult(self, id: str | None = None, results: Sequence[Any] = (), **_: Any) -> GroupResult[Any]:
        """Handles to several jobs, of their handles."""
        return GroupResult([one.id for one in results], self)

    ResultSet = GroupResult

    # ---- configuring -------------------------------------------------------------------------------------

    def config_from_object(
        self, obj: Any, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> None:
        """Take settings from a module, an object, a dict or a name of one; see Scheduler.config_from_object."""
        super().config_from_object(obj, namespace=namespace)

    def autodiscover_tasks(self, packages: Any = None, related_name: str | None = "tasks", force: bool = False) -> None:
        """Import the module ``tasks`` of packages before tasks are needed; of Django's apps if none are named."""
        if force:
            super().autodiscover_tasks(packages() if callable(packages) else packages, related_name=related_name)
        else:
            given = packages if packages is None or callable(packages) else lambda: packages
            self.discoveries.append(Discovery(given, related_name))

    def finalize(self, auto: bool = False) -> None:
        """Import what is to be imported, and tell the receivers of on_after_configure and on_after_finalize, once."""
        self.discover_tasks()

    def discover_tasks(self) -> None:
        """Import the modules that wait for it, and tell that the app is configured."""
        super().discover_tasks()
        if not self._finalized:
            self._finalized = True
            self.on_configure.send(sender=self)
            self.on_after_configure.send(sender=self, source=self.conf)
            self.on_after_finalize.send(sender=self)

    # ---- small things ------------------------------------------------------------------------------------

    @property
    def configured(self) -> bool:
        """Whether it is configured: always."""
        return True

    @property
    def finalized(self) -> bool:
        """Whether its modules are imported."""
        return self._finalized

    @property
    def oid(self) -> str:
        """The name under which it claims jobs."""
        return self.owner

    def now(self) -> datetime:
        """The time by its clock, in its zone."""
        return as_datetime(self.clock.now_ms()).astimezone(self.timezone)

    def uses_utc_timezone(self) -> bool:
        """Instants are kept in UTC."""
        return True

    def add_defaults(self, fun: Any) -> None:
        """Settings for what is not said otherwise: a dict, or a function that returns one."""
        said = fun() if callable(fun) else fun
        self.conf.update({name: value for name, value in said.items() if self.conf.get(name) is None})

    def either(self, default_key: str, *defaults: Any) -> Any:
        """The first of these that is not None, or else the setting."""
        return next((one for one in defaults if one is not None), self.conf.get(default_key))

    def select_queues(self, queues: Iterable[str] | None = None) -> None:
        """Take jobs from these queues only."""
        self.conf.update(queues=None if queues is None else list(queues))

    def create_task_cls(self) -> type[BaseTask]:
        """The base class of its tasks."""
        return self.Task

    def bugreport(self) -> str:
        """What to say in a report."""
        return repr(self)

    @property
    def current_worker_task(self) -> Any:
        """The task that runs in the calling code."""
        return self.current_task

    def set_current(self) -> None:
        """Make it the current app, to which shared tasks go."""
        set_default(self)

    def set_default(self) -> None:
        """The same."""
        set_default(self)

    @property
    def current_task(self) -> Any:
        """The task that runs in the calling code."""
        from .current import the_task

        return the_task()

    def worker_main(self, argv: Sequence[str] | None = None) -> None:
        """Run jobs in this process until a signal ends it. The options of a worker are settings here.

        Raises:
            InvalidValue: ``argv`` has options, which `hourwheel worker` takes.
        """
        options = [word for word in argv or () if word not in ("celery", "worker")]
        if options:
            raise InvalidValue.of("argv", "left out: set app.conf, or run `hourwheel worker -A ...`", options)
        self.run()


class _Decorator(TaskDecorator):
    """``app.task`` with Celery's options."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Decorate a function, or return a decorator with these options."""
        return cast("Celery", self._scheduler)._decorate(*args, **options)


Celery.decorator_type = _Decorator
forbid(Celery, absent.APP)


_ARGUMENTS: Final = frozenset({"clock", "owner", "queues", "result_ttl", "timezone", "durability", "workers", "pool",
    "time_limit", "soft_time_limit", "max_tasks_per_child", "max_memory_per_child"})  # fmt: skip
_DEFAULTS: Final = {
    "task_ignore_result": "ignore_result",
    "task_default_rate_limit": "rate_limit",
    "task_default_priority": "priority",
}


def _defaults(conf: Any) -> dict[str, Any]:
    """The options that settings give to every task."""
    at_most_once = {"acks_late": False} if conf["task_acks_late"] is False else {}
    return at_most_once | {option: conf[name] for name, option in _DEFAULTS.items() if conf[name]}


def _refuse_misspelt(options: Mapping[str, Any]) -> None:
    """Refuse an argument that would be kept as a setting of the program's own, and is nearly one of Celery()."""
    known = [*_ARGUMENTS, "broker", "backend", "include", "task_cls", "config_source", "namespace", "store"]
    for name in options.keys() - {*known, *_IDLE, *DEFAULTS}:
        if near := get_close_matches(name, known, n=1, cutoff=0.8):
            raise TypeError(f"Celery() got an unexpected keyword argument {name!r}; did you mean {near[0]}?")


def shared_task(*args: Any, **options: Any) -> Any:
    """Make a function a task of every app: ``@shared_task``, or ``@shared_task(bind=True, ...)``."""

    def make(fn: Callable[..., Any]) -> BaseTask:
        base = options.get("base") or BaseTask
        return tasks.made(fn, None, SHARED, base=base, bind=bool(options.get("bind")), options=options)

    return make(args[0]) if args else make


def bugreport(app: Celery | None = None) -> str:
    """What to say in a report of an app, or of the current one."""
    return (app or the_app()).bugreport()
