"""Configured: what a scheduler reads from its settings, each thing when it is first needed, and how they are given."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, overload

from ..clock import Clock
from ..contract import Store
from ..errors import InvalidValue, SchedulerError
from ..job import DEFAULT_QUEUE
from ..safety.plain import harmless_logger
from ..schedules.fires import Schedules
from ..settings.celery import RENAMED, argument_hint
from ..settings.checks import checked_owner, checked_ttl_ms
from ..settings.conf import DEFAULT, Conf
from ..settings.table import SETTINGS, Unset
from ..tasks.discovery import Discovery, checked_related, discover
from ..tasks.options.routes import Routes
from ..worker.looking import reads_only
from ..worker.pool import inside
from ..worker.pool.options import PoolArguments, PoolOptions
from ..zones import checked_zone

T = TypeVar("T")


class _Read(Generic[T]):
    """An attribute that is read from the settings when it is first needed, and then is there like any other.

    (functools.cached_property is the same behind a lock, which a child forked meanwhile would never get.)
    """

    def __init__(self, read: Callable[[Any], T]) -> None:
        self._read = read
        self.__doc__ = read.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, obj: None, owner: type) -> Self: ...
    @overload
    def __get__(self, obj: Any, owner: type) -> T: ...
    def __get__(self, obj: Any, owner: type) -> Self | T:
        if obj is None:
            return self
        value = obj.__dict__[self._name] = self._read(obj)
        return value

    if TYPE_CHECKING:

        def __set__(self, obj: Any, value: T) -> None: ...


LOG: Final = harmless_logger("hourwheel.worker")
_AT_ONCE: Final = frozenset(
    {
        "beat_schedule",
        "durability",
        "failed_ttl",
        "result_ttl",
        "store",
        "task_default_queue",
        "task_routes",
        "timezone",
    }
)
"""What holds for a scheduler that runs as soon as it is said, or is refused then."""
_READ_FROM: Final = {
    "durability": ("_durability",),
    "failed_ttl": (),
    "owner": ("owner",),
    "queues": ("queues",),
    "result_ttl": ("result_ttl_ms",),
    "store": ("_url",),
    "task_default_queue": ("routes",),
    "task_routes": ("routes",),
    "timezone": ("timezone",),
}
"""What is read anew when a setting has changed; all others make the pool."""


def _refuse_unexpected(names: list[str]) -> None:
    """Python's own error, with what was meant."""
    if names:
        hints = [f"{name}: {hint}" for name in names if (hint := _hint(name))]
        told = " and ".join(map(repr, names))
        raise TypeError("; ".join([f"Scheduler() got an unexpected keyword argument {told}", *hints]))


def _hint(name: str) -> str:
    known = [*SETTINGS, "clock"]
    near = RENAMED.get(name) or next(iter(get_close_matches(name, known, n=1, cutoff=0.7)), None)
    return argument_hint(name) or (f"did you mean {near}?" if near in known else "")


class Configured:
    """The settings of a scheduler, and what it makes of them."""

    conf: Conf
    clock: Clock
    running: Any
    _schedules: Schedules
    _take_conf: Callable[[Mapping[str, Any]], None]
    _store: Store | None
    _mark: str
    _home: str | None = None
    """Where ``-A`` has found it."""

    def _configure(self, arguments: Mapping[str, Any], pool: PoolArguments) -> None:
        _refuse_unexpected([name for name in pool if name not in PoolArguments.__annotations__])
        self.conf = Conf()
        self.conf._arguments({**arguments, **pool})
        self.conf._changed = self._reconfigure
        self._store = None if isinstance(arguments["store"], (str, os.PathLike, Unset)) else arguments["store"]
        self._discoveries: list[Discovery] = []

    # ---- what is read ------------------------------------------------------------------------------------

    @_Read
    def pool(self) -> PoolOptions:
        """Which pool; read by start(), so that ``hourwheel worker -P -c`` may set it before."""
        return self.conf.pool_options()

    @_Read
    def queues(self) -> frozenset[str] | None:
        """From which queues jobs are run; None for all. As ``pool``."""
        queues: frozenset[str] | None = self.conf.queues
        return queues

    @_Read
    def result_ttl_ms(self) -> int:
        """How long a finished job is kept, in milliseconds, if it does not say."""
        return checked_ttl_ms(self.conf.result_ttl)

    @_Read
    def timezone(self) -> tzinfo:
        """Of crontab()."""
        return checked_zone(self.conf.timezone)

    @_Read
    def routes(self) -> Routes | None:
        """Where calls go that say no queue; None for the default queue."""
        routes, default = self.conf.task_routes, self.conf.task_default_queue
        return Routes(routes or {}, default) if routes or default != DEFAULT_QUEUE else None

    @_Read
    def owner(self) -> str:
        """In whose name this process claims."""
        return f"{checked_owner(self.conf.owner)}-{self._mark}"

    @_Read
    def _durability(self) -> str | None:
        durability: str | None = self.conf.durability
        return durability

    @_Read
    def _url(self) -> str | None:
        store = self.conf.store
        return store if isinstance(store, str) else None

    def _open(self) -> Store:
        inside.refuse_store()
        if self._url is None:
            store: Store = self.conf.store
            return store
        from ..store import open_store  # the one place where wheel knows of store

        options: dict[str, Any] = {} if self._durability is None else {"durability": self._durability}
        if self.conf.source("failed_ttl") != DEFAULT:
            options["failed_ttl"] = self.conf.failed_ttl
        if reads_only():
            options["read_only"] = True
        return open_store(self._url, clock=self.clock, **options)

    # ---- what changes it ---------------------------------------------------------------------------------

    def _reconfigure(self, names: frozenset[str]) -> None:
        if names & {"store", "durability", "failed_ttl"}:
            self._leave_store()
        self._forget(names)
        if self.running and names - _AT_ONCE:
            told = ", ".join(sorted(names - _AT_ONCE))
            LOG.warning("The scheduler runs: what was said of %s holds from the next start() on", told)
        try:
            if "beat_schedule" in names:
                self._take_conf(self.conf.beat_schedule or {})
            if "timezone" in names:
                self._schedules.move_to(self.timezone)
        except BaseException:
            self._forget(names)
            raise

    def _leave_store(self) -> None:
        if self._store is not None and (self.__dict__.get("_url") is not None or self.running):
            raise SchedulerError(
                "the store is open: say which before it is first needed, or close() the scheduler first"
            )
        self._store = None

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            for attribute in _READ_FROM.get(name, ("pool",)):
                self.__dict__.pop(attribute, None)

    def config_from_object(self, obj: Any, *, namespace: str | None = None) -> None:
        """Take settings from a module, a class, an object or a dict; all of them, or none.

        They come before the environment, and behind what the code says itself. The object is read now; it takes the
        place of the one that was given before.

        Args:
            obj: it, or its name: "shop.settings", "shop.settings:Config", "django.conf:settings".
            namespace: take the names that begin with it, as in Django's settings: "CELERY" takes CELERY_TIMEZONE,
                "HOURWHEEL" takes HOURWHEEL_TIMEZONE. None for names as they are; of a module then those in lower case,
                but not what it imports or defines, nor what begins with ``_``.

        Raises:
            UnknownSetting: there is a name that is none of a setting, ours or Celery's.
            InvalidValue: a value breaks its rule, or there is no such object.
            SchedulerError: the store is open, and would be another one.

        >>> app.config_from_object({"result_expires": 60})
        >>> app.conf.result_ttl, app.conf.source("result_ttl")
        (60, 'a dict, result_expires')
        """
        self.conf._take(obj, namespace)

    def config_from_envvar(self, variable: str, *, namespace: str | None = None) -> None:
        """config_from_object() with the name that a variable of the environment holds.

        Raises:
            InvalidValue: it is not set; and as config_from_object().
        """
        name = os.environ.get(variable)
        if not name:
            raise InvalidValue.of(variable, "set to the name of a module or object", name)
        self.config_from_object(name, namespace=namespace)

    # ---- finding tasks -----------------------------------------------------------------------------------

    def autodiscover_tasks(
        self,
        packages: Iterable[str] | Callable[[], Iterable[str]] | None = None,
        related_name: str | None = "tasks",
    ) -> None:
        """Import the module of that name of each package, so that the tasks in it are known.

        A package that has none is passed over. An error while one is imported is raised, whatever its kind.

        Args:
            packages: their names: imported now. A function that gives them, or None for Django's installed apps: they
                are imported when the scheduler starts, runs what is due, or is found by ``hourwheel``.
            related_name: "tasks" for ``shop.tasks``; None for the packages themselves.

        Raises:
            InvalidValue: an argument breaks its rule, or there is no package of that name.

        >>> app.autodiscover_tasks(["email"], related_name="charset")
        """
        related = checked_related(related_name)
        if packages is None or callable(packages):
            self._discoveries.append(Discovery(packages, related))
        else:
            discover(packages, related)

    def discover_tasks(self) -> None:
        """Import what autodiscover_tasks() has put off; done once, and again if it failed."""
        while self._discoveries:
            self._discoveries[0].run()
            del self._discoveries[:1]
