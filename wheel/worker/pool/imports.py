"""Imports: what a worker process imports, so that tasks find the same modules there as in the program.

It imports the modules that define schedulers, tasks and hooks, in the order in which the program has imported them. So
the app's module comes before the tasks that need it, shared tasks have a default scheduler, and Django is set up at the
same point as in the program (where its settings module is in that order).
"""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from collections.abc import Mapping
from importlib import import_module
from traceback import walk_tb
from types import ModuleType
from typing import Any, Final

from ...tasks import default_app as default
from ...tasks.naming import script_of
from ...tasks.registry import Registry
from ..run.ending import ALL, App, is_scheduler
from . import inside
from .kinds import main_file

MAIN: Final = "__mp_main__"
"""The module name under which a worker process runs the program's file, as multiprocessing does."""
_OURS: Final = __name__.partition(".")[0]


# ---- in the program --------------------------------------------------------------------------------------


def what_to_import(registry: Registry) -> dict[str, Any]:
    """Return what the worker processes of the scheduler with this registry must import; see import_all."""
    script = _script(registry)
    places = _places(script)
    app = next((one for one in list(ALL) if one.registry is registry), None)
    carrier = default.default_or_none()
    needed = {registry.get(name).fn.__module__ for name in registry.names()}
    needed |= {module for module, _ in places.values()}
    if app is not None:
        needed |= {function.__module__ for name in app.on.__slots__ for function in getattr(app.on, name).functions}
        needed.add(_known_part(app.home))
    settings = _django_settings()
    spec = script.get("__spec__")
    return {
        "modules": [name for name in list(sys.modules) if name in needed or name == settings],
        "django": settings,
        "main_name": None if spec is None or spec.name == "__main__" else spec.name,
        "main_file": main_file(script),
        "app": places.get(id(app)),
        "default": places.get(id(carrier)),
        "stand_in": None if app is None else _stand_in(app),
    }


def _script(registry: Registry) -> Mapping[str, Any]:
    """The globals of the program's main file."""
    functions = (registry.get(name).fn for name in registry.names())
    main = next((fn for fn in functions if fn.__module__ == "__main__"), _script)
    return script_of(main)


def _places(script: Mapping[str, Any]) -> dict[int, tuple[str, str]]:
    """The (module, name) of each scheduler, by id(). The main file counts only if it is in no other module."""
    apps = {id(app) for app in list(ALL)}
    found: dict[int, tuple[str, str]] = {}
    modules = {name: getattr(module, "__dict__", None) for name, module in list(sys.modules.items())}
    modules.pop("__main__", None)
    for module_name, names in [*modules.items(), ("__main__", script)]:
        if not isinstance(names, dict) or module_name.partition(".")[0] == _OURS:
            continue
        for name, value in list(names.items()):
            if id(value) in apps:
                found.setdefault(id(value), (module_name, name))  # the first name: a later one may be a loop variable
    return found


def _known_part(name: str | None) -> str:
    """Strip attributes from ``module.attribute``."""
    while name and name not in sys.modules:
        name = name.rpartition(".")[0]
    return name or ""


def _django_settings() -> str | None:
    """The name of Django's settings module, if Django is set up."""
    apps = getattr(sys.modules.get("django.apps"), "apps", None)
    return os.environ.get("DJANGO_SETTINGS_MODULE") if getattr(apps, "ready", False) else None


def _stand_in(app: App) -> dict[str, Any] | None:
    """The arguments for a scheduler that takes calls of shared tasks if the program's own cannot be imported."""
    if app.backing.url is None:
        return None
    return {"store": app.backing.url, "durability": app.conf.durability, "result_ttl": app.result_ttl_ms / 1000}


# ---- in a worker process ---------------------------------------------------------------------------------


def import_all(setup: dict[str, Any]) -> dict[str, str]:
    """Import what ``what_to_import`` lists. Returns the error of each module that failed."""
    faults = {}
    for name in setup["modules"]:
        try:
            if name == setup["django"]:
                import_module("django").setup()
            elif name == "__main__":
                _import_main(setup["main_name"], setup["main_file"])
            else:
                import_module(name)
        except (Exception, SystemExit) as error:
            faults[name] = "".join(traceback.format_exception_only(error)).strip()
    return faults


def _import_main(name: str | None, file: str) -> None:
    """Run the program's file again, but not as ``__main__``, so that code guarded by that name does not run."""
    import_module("multiprocessing")  # its import sets sys.modules[MAIN], so do it first
    module = ModuleType(MAIN)
    found: dict[str, Any] = {}
    try:
        with inside.importing_main():
            if name is not None:
                found = runpy.run_module(name, run_name=MAIN, alter_sys=True)
            else:
                found = runpy.run_path(file, run_name=MAIN)
    except BaseException as error:
        found = _names_so_far(error)
        raise
    finally:
        module.__dict__.update(found)
        sys.modules["__main__"] = sys.modules[MAIN] = module


def _names_so_far(error: BaseException) -> dict[str, Any]:
    """What the program's file had defined when it raised. Tasks among these can be run."""
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__") == MAIN:
            return dict(frame.f_globals)
    return {}


def find_app(setup: dict[str, Any]) -> App | None:
    """Return the scheduler whose jobs this process runs; or a stand-in, if no scheduler was imported."""
    app, carrier = _at(setup["app"]), _at(setup["default"])
    if carrier is not None:
        default.set_default(carrier)
    if app is None and not list(ALL) and setup["stand_in"] is not None:
        app = import_module(_OURS).Scheduler(**setup["stand_in"])
        _STAND_IN.append(app)
    return app


_STAND_IN: Final[list[App]] = []
"""Keeps a reference to the stand-in."""


def _at(place: list[str] | None) -> App | None:
    found = None if place is None else getattr(sys.modules.get(place[0]), place[1], None)
    return found if is_scheduler(found) else None
