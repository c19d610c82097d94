"""Configured: what the settings of a scheduler come to, and methods of Scheduler that take settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, Final

from ..errors import InvalidValue
from ..job import DEFAULT_QUEUE
from ..settings.celery import RENAMED, argument_hint
from ..settings.checks import checked_owner, checked_ttl_ms
from ..settings.table import POOL, SETTINGS
from ..tasks.discovery import Discovery, checked_related, discover
from ..tasks.options.routes import Routes
from ..zones import checked_zone
from .app import App

OF_STORE: Final = frozenset({"store", "durability", "failed_ttl"})
"""Settings that say which store is opened, and how."""
AT_START: Final = frozenset({*POOL, "owner", "queues"})
"""Settings that a running scheduler follows from its next start() on."""


def _routes(app: Any) -> Routes | None:
    routes, default = app.conf.task_routes, app.conf.task_default_queue
    return Routes(routes or {}, default) if routes or default != DEFAULT_QUEUE else None


class Made:
    """An attribute of Scheduler that is made of settings when it is first needed, unless it has been set.

    (It has no ``__set__``, so what is made or set lies in the instance and is found there first. A ``__getattr__``
    would slow every attribute down.)
    """

    def __init__(self, name: str, settings: Iterable[str], make: Callable[[Any], Any]) -> None:
        self.name: Final = name
        self.settings: Final = frozenset(settings)
        self._make: Final = make

    def __get__(self, app: object, _: type | None = None) -> Any:
        if app is None:
            return self
        value = self._make(app)
        setattr(app, self.name, value)
        return value


_ALL: Final = (
    Made("pool", POOL, lambda app: app.conf.pool_options()),
    Made("queues", ["queues"], lambda app: app.conf.queues),
    Made("result_ttl_ms", ["result_ttl"], lambda app: checked_ttl_ms(app.conf.result_ttl)),
    Made("timezone", ["timezone"], lambda app: checked_zone(app.conf.timezone)),
    Made("routes", ["task_routes", "task_default_queue"], _routes),
    Made("owner", ["owner"], lambda app: f"{checked_owner(app.conf.owner)}-{app._mark}"),
)
MADE: Final[Mapping[str, Any]] = {made.name: made for made in _ALL}


def forget(app: object, changed: Iterable[str]) -> None:
    """Make anew what these settings come to, when it is next needed."""
    for made in _ALL:
        if not made.settings.isdisjoint(changed):
            with suppress(AttributeError):
                delattr(app, made.name)


def refuse_unexpected(names: Iterable[str]) -> None:
    """Refuse unknown arguments of Scheduler() as Python does, and say what was meant."""
    if unknown := list(names):
        hints = [f"{name}: {hint}" for name in unknown if (hint := _hint(name))]
        told = " and ".join(map(repr, unknown))
        raise TypeError("; ".join([f"Scheduler() got an unexpected keyword argument {told}", *hints]))


def _hint(name: str) -> str:
    known = [*SETTINGS, "clock"]
    near = RENAMED.get(name) or next(iter(get_close_matches(name, known, n=1, cutoff=0.7)), None)
    return argument_hint(name) or (f"did you mean {near}?" if near in known else "")


# ---- methods of Scheduler --------------------------------------------------------------------------------


def config_from_object(app: App, obj: Any, *, namespace: str | None = None) -> None:
    """Take settings from a module, a class, an object or a dict; all of them, or none.

    They come before the environment, and behind what the code says itself. The object is read now; it takes the
    place of the one that was given before.

    Args:
        obj: it, or its name: "shop.settings", "shop.settings:Config", "django.conf:settings".
        namespace: take the names that begin with it, as in Django's settings: "CELERY" takes CELERY_TIMEZONE,
            "HOURWHEEL" takes HOURWHEEL_TIMEZONE. None for names as they are; of a module then those in lower case,
            but not what it imports or defines, nor what begins with ``_``.

    Raises:
        UnknownSetting: a name is no setting, neither ours nor one of Celery's.
        InvalidValue: a value breaks its rule, or there is no such object.
        SchedulerError: the store is open, and would be another one.

    >>> app.config_from_object({"result_expires": 60})
    >>> app.conf.result_ttl, app.conf.source("result_ttl")
    (60, 'a dict, result_expires')
    """
    app.conf.take(obj, namespace)


def config_from_envvar(app: App, variable: str, *, namespace: str | None = None) -> None:
    """config_from_object() with the name that a variable of the environment holds.

    Raises:
        InvalidValue: it is not set; and as config_from_object().
    """
    name = os.environ.get(variable)
    if not name:
        raise InvalidValue.of(variable, "set to the name of a module or object", name)
    app.conf.take(name, namespace)


def autodiscover_tasks(
    app: App,
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
        app.discoveries.append(Discovery(packages, related))
    else:
        discover(packages, related)


def discover_tasks(app: App) -> None:
    """Import what autodiscover_tasks() has put off; done once, and again if it failed."""
    while app.discoveries:
        app.discoveries[0].run()
        del app.discoveries[:1]
