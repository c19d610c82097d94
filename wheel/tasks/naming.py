"""Names of tasks and schedules: jobs are stored under them, so a worker and a script must come to the same one."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..errors import InvalidValue

_NAME_MOST: Final = 200
_MAIN: Final = ("__main__", "__mp_main__")


def origin_of(fn: Callable[..., Any]) -> tuple[str, str]:
    """(module, qualified name) of a function; for one of the script that runs, the module a worker would import.

    >>> origin_of(origin_of)
    ('hourwheel.tasks.naming', 'origin_of')
    """
    name = getattr(fn, "__qualname__", "")
    while isinstance(fn, partial):  # it has no name, and its module is that of what it calls
        fn = fn.func
    module = getattr(fn, "__module__", None) or "__main__"
    return (_script_name(module, fn) if module in _MAIN else module), name


def script_of(fn: Callable[..., Any], main: str = "__main__") -> Mapping[str, Any]:
    """The names of the script that runs as ``main`` and has made the function.

    They are the function's own globals. A profiler or debugger that runs the script (``python -m cProfile shop.py``)
    may leave itself in ``sys.modules["__main__"]``.
    """
    own: Mapping[str, Any] = getattr(inspect.unwrap(fn), "__globals__", {})
    if own.get("__name__") == main:
        return own
    return vars(sys.modules[main]) if main in sys.modules else {}


def _script_name(main: str, fn: Callable[..., Any]) -> str:
    """The name under which a worker imports the script that runs as ``__main__``, so that the two agree."""
    own = script_of(fn, main)
    spec, file = own.get("__spec__"), own.get("__file__")
    if spec is not None and spec.name not in _MAIN:
        return str(spec.name)  # python -m package.module
    if not file or file.startswith("<"):  # a console, python -c, or a program that comes by a pipe
        return "__main__"
    path = Path(file)
    package = path.absolute().parent.name
    if path.stem == "__main__" and package.isidentifier():
        return f"{package}.__main__"  # python package/
    return path.stem


def default_name(origin: tuple[str, str]) -> str:
    """The name of a task that was given none: module.function.

    Raises:
        InvalidValue: the function has no name of its own.
    """
    module, function = origin
    if not function or "<lambda>" in function:
        raise InvalidValue("name must be given for a task made of a lambda or a callable object, got None")
    return f"{module}.{function.replace('.<locals>', '')}"


def checked_name(option: str, name: object) -> str:
    """A name that a user gave to a task or a schedule, if it may be one.

    Letters of any language and blanks inside are taken. What cannot be seen is not: two names that look alike would
    be two.

    Args:
        option: what the name is called in the error.
        name: the name.

    Raises:
        InvalidValue: it may not.

    >>> checked_name("name", "daily report")
    'daily report'
    """
    if type(name) is not str or not 1 <= len(name) <= _NAME_MOST or not name.isprintable() or name != name.strip():
        rule = f"1 to {_NAME_MOST} characters that can be seen, and blanks only between them"
        raise InvalidValue.of(option, rule, name)
    return name
