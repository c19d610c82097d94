"""Find the Scheduler that ``-A`` names. Like Celery, import from the current directory first.

``-A module``              the module's ``app``, ``celery`` or ``scheduler``, or else the only Scheduler in it
``-A package.module:app``  that attribute; ``-A package.module.app`` is the same
``-A package``             if it has no Scheduler, that of its module ``celery``, where Celery's projects have it
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from traceback import extract_tb
from types import ModuleType
from typing import Any, Final

from .. import store
from ..errors import HourwheelError, StoreReadOnly
from ..scheduler.scheduler import Scheduler
from ..tasks.discovery import has_module
from .near import guess
from .outcome import CommandError

_USUAL: Final = ("app", "celery", "scheduler")
_OURS: Final = tuple(os.path.dirname(file or "") + os.sep for file in (os.path.dirname(__file__), store.__file__))


def find_app(name: str, directory: str | None = None) -> Scheduler:
    """Return the Scheduler that a name refers to.

    Args:
        name: "module", "module:attribute" or "module.attribute"; the module may be in a package.
        directory: where to look for modules first; by default the current directory.

    Raises:
        CommandError: there is no such module, it cannot be imported, or it has no such Scheduler.
    """
    directory = os.getcwd() if directory is None else directory
    if directory not in sys.path:
        sys.path.insert(0, directory)
    module_name, colon, attribute = _as_module(name).partition(":")
    if not module_name or not all(part.isidentifier() for part in module_name.split(".")):
        raise CommandError(f"-A must be module or module:attribute, got {name!r}")
    if colon:
        return _named(_import(module_name, directory), attribute)
    try:
        return _guessed(_import(module_name, directory), directory)
    except _NoSuchModule:
        parent, dot, attribute = module_name.rpartition(".")
        if not dot:
            raise
    try:
        return _named(_import(parent, directory), attribute)
    except (_NoSuchModule, _NoSuchAttribute):
        raise _NoSuchModule(module_name, directory) from None


def module_of(name: str) -> str:
    """Return the part of a name before the colon: the module, possibly with an attribute after a dot."""
    return _as_module(name).partition(":")[0]


def _as_module(name: str) -> str:
    """Turn a file name, as the shell completes it (``app.py``, ``shop/app.py``), into the name of a module."""
    path, colon, attribute = name.partition(":")
    if path.endswith(".py"):
        path = path.removesuffix(".py").removeprefix("./").replace(os.sep, ".")
    return path + colon + attribute


# ---- importing -------------------------------------------------------------------------------------------


class _NoSuchModule(CommandError):
    def __init__(self, name: str, directory: str) -> None:
        hint = guess(name.partition(".")[0], _modules_in(directory))
        super().__init__(f"there is no module {name!r} in {directory} or on Python's path{hint}")


class _NoSuchAttribute(CommandError):
    pass


def _modules_in(directory: str) -> list[str]:
    found = []
    for entry in os.scandir(directory):
        if entry.name.endswith(".py"):
            found.append(entry.name.removesuffix(".py"))
        elif entry.is_dir() and os.path.exists(os.path.join(entry.path, "__init__.py")):
            found.append(entry.name)
    return found


def _import(name: str, directory: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise _NoSuchModule(name, directory) from None
        raise CommandError(_failure(name, error)) from error
    except (Exception, SystemExit) as error:
        raise CommandError(_failure(name, error)) from error


def _failure(name: str, error: BaseException) -> str:
    """Describe what went wrong in the user's module, and where."""
    if isinstance(error, SyntaxError):
        where = f"{error.filename}, line {error.lineno}"
        return f"{name!r} cannot be imported: {type(error).__name__}: {error.msg} ({where})"
    if isinstance(error, SystemExit):
        what = 'it exits when it is imported; move the call under: if __name__ == "__main__":'
    else:
        what = f"{type(error).__name__}: {error}"
    if isinstance(error, StoreReadOnly):
        what += '; this command is read-only: pass the store\'s file, or move it under: if __name__ == "__main__":'
    frames = [frame for frame in extract_tb(error.__traceback__) if not _is_importing(frame.filename)]
    if isinstance(error, HourwheelError):
        frames = [frame for frame in frames if not frame.filename.startswith(_OURS)]
    where = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{name!r} cannot be imported: {what}{where}"


def _is_importing(filename: str) -> bool:
    return filename.startswith("<frozen importlib") or filename in (__file__, import_module.__code__.co_filename)


# ---- looking into a module ---------------------------------------------------------------------------------


def _named(module: ModuleType, attribute: str) -> Scheduler:
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise _NoSuchAttribute(f"{module.__name__!r} ({_file(module)}) has no {attribute!r}{_choices(module)}")
        found = getattr(found, part)
    if not isinstance(found, Scheduler):
        hint = f"; {_unswitched(found)}" if _unswitched(found) else ""
        raise CommandError(f"{module.__name__}:{attribute} must be a Scheduler, got {type(found).__name__}{hint}")
    return found


def _guessed(module: ModuleType, directory: str) -> Scheduler:
    for name in _USUAL:
        found = getattr(module, name, None)
        if isinstance(found, Scheduler):
            return found
    names = _schedulers(module)
    if len(set(names.values())) == 1:
        return next(iter(names.values()))
    inner = f"{module.__name__}.celery"
    if hasattr(module, "__path__") and has_module(inner):
        return _guessed(_import(inner, directory), directory)
    if names:
        choices = " or ".join(f"-A {module.__name__}:{name}" for name in sorted(names))
        raise CommandError(f"there are several Schedulers in {module.__name__!r}; choose one: {choices}")
    hint = next(
        filter(None, map(_unswitched, vars(module).values())), 'define one, such as: app = Scheduler("tasks.json")'
    )
    raise CommandError(f"there is no Scheduler in {module.__name__!r} ({_file(module)}); {hint}")


def _unswitched(found: object) -> str:
    """What to do with an app that is still Celery's own; "" if it is something else."""
    theirs = any(f"{cls.__module__}.{cls.__name__}" == "celery.app.base.Celery" for cls in type(found).__mro__)
    return "its app is Celery's own: import Celery from hourwheel.celery instead" if theirs else ""


def _schedulers(module: ModuleType) -> dict[str, Scheduler]:
    return {name: value for name, value in vars(module).items() if isinstance(value, Scheduler)}


def _choices(module: ModuleType) -> str:
    names = sorted(_schedulers(module))
    return f"; its Schedulers: {', '.join(names)}" if names else ", and no Scheduler either"


def _file(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or "a package without __init__.py"
