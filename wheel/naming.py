"""Names of tasks: jobs are stored under them, so a worker and a script must come to the same one."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from .errors import InvalidValue

_NAME: Final = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")


def origin_of(fn: Callable[..., Any]) -> tuple[str, str]:
    """(module, qualified name) of a function; for one of the script that runs, the module a worker would import.

    >>> origin_of(Path.exists)
    ('pathlib', 'Path.exists')
    """
    module = getattr(fn, "__module__", None) or "__main__"
    name = getattr(fn, "__qualname__", "")
    return (_script_name(module) if module in ("__main__", "__mp_main__") else module), name.replace(".<locals>", "")


def _script_name(main: str) -> str:
    """The name under which a worker imports the script that runs as ``__main__``, so that the two agree."""
    module = sys.modules.get(main)
    spec = getattr(module, "__spec__", None)
    if spec is not None and spec.name not in ("__main__", "__mp_main__"):
        return str(spec.name)  # python -m package.module
    file = getattr(module, "__file__", None)
    return Path(file).stem if file else "__main__"


def default_name(origin: tuple[str, str]) -> str:
    """The name of a task that was given none: module.function.

    Raises:
        InvalidValue: the function has no name of its own.
    """
    module, function = origin
    if not function or "<lambda>" in function:
        raise InvalidValue("name must be given for a task made of a lambda or a callable object, got None")
    return f"{module}.{function}"


def checked_name(option: str, name: object) -> str:
    """A name that a user gave, if it may be one.

    Raises:
        InvalidValue: it may not.
    """
    if type(name) is not str or not _NAME.fullmatch(name):
        raise InvalidValue.of(option, "1 to 200 characters without blanks", name)
    return name
