"""Names of tasks and schedules. Jobs are stored by name, so a worker and a script must arrive at the same name."""

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
    """Return (module, qualified name) of a function. For the main script, the module as a worker would import it.

    >>> origin_of(origin_of)
    ('hourwheel.tasks.naming', 'origin_of')
    """
    name = getattr(fn, "__qualname__", "")
    while isinstance(fn, partial):  # has no name of its own
        fn = fn.func
    module = getattr(fn, "__module__", None) or "__main__"
    return (_script_name(module, fn) if module in _MAIN else module), name


def script_of(fn: Callable[..., Any], main: str = "__main__") -> Mapping[str, Any]:
    """Return the globals of the main script, from a function that it defines.

    ``sys.modules["__main__"]`` may be another module: a profiler or debugger that runs the script, as in
    ``python -m cProfile shop.py``.
    """
    own: Mapping[str, Any] = getattr(inspect.unwrap(fn), "__globals__", {})
    if own.get("__name__") == main:
        return own
    return vars(sys.modules[main]) if main in sys.modules else {}


def _script_name(main: str, fn: Callable[..., Any]) -> str:
    """The name under which a worker imports the script that runs as ``__main__`` here."""
    own = script_of(fn, main)
    spec, file = own.get("__spec__"), own.get("__file__")
    if spec is not None and spec.name not in _MAIN:
        return str(spec.name)  # python -m package.module
    if not file or file.startswith("<"):  # a console, python -c, or a script from a pipe
        return "__main__"
    path = Path(file)
    package = path.absolute().parent.name
    if path.stem == "__main__" and package.isidentifier():
        return f"{package}.__main__"  # python package/
    return path.stem


def default_name(origin: tuple[str, str]) -> str:
    """Return the default name of a task, module.function; refuse a function without a name."""
    module, function = origin
    if not function or "<lambda>" in function:
        raise InvalidValue("name must be given for a task made of a lambda or a callable object, got None")
    return f"{module}.{function.replace('.<locals>', '')}"


def checked_name(option: str, name: object) -> str:
    """Return a name that a user gave to a task or schedule, if it is valid. ``option``: what a message calls it.

    Letters of any language and blanks between them are allowed. Invisible characters are not: two names that look the
    same must be the same.

    >>> checked_name("name", "daily report")
    'daily report'
    """
    if type(name) is not str or not 1 <= len(name) <= _NAME_MOST or not name.isprintable() or name != name.strip():
        rule = f"1 to {_NAME_MOST} visible characters, with blanks only between them"
        raise InvalidValue.of(option, rule, name)
    return name
