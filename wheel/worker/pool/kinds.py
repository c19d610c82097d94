"""The kinds of pools, and what each can do: the table of docs/pools.md as data.

A pool refuses a task whose limits it cannot enforce, and says which pool can: at start() if it serves the task's queue,
otherwise when a job of the task arrives. Such a job is released, not failed, because a worker with another pool may
share the store.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final

from ...kernel import processors
from ...tasks.naming import script_of
from ...tasks.options.time_limits import Limits

if TYPE_CHECKING:
    from ...tasks.task import Task

_NO_HARD: Final = (
    "it has a time_limit, and a thread cannot be stopped: use processes (-P processes), "
    "or a soft_time_limit, which raises an exception in the function"
)
_NO_COROUTINE: Final = "it is a coroutine function, and greenlets have no event loop: use asyncio, threads or processes"
_NOT_IMPORTABLE: Final = (
    "it is defined in an interactive session or in code without a file, which a worker process cannot import: "
    "move it to a module"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of pool."""

    name: str
    what: str
    """What a job runs in, in the plural."""
    default: int | None
    """How many jobs run at once by default; None for one per processor."""
    most: int
    stops_functions: bool = False
    """Whether it can enforce a hard limit on a plain function."""
    stops_coroutines: bool = False
    runs_coroutines: bool = True
    imports: bool = False
    """Whether a job runs in another process, which must import its task."""

    @property
    def workers(self) -> int:
        """How many jobs run at once by default."""
        return self.default or processors()

    def refusal(self, task: Task[..., Any], limits: Limits) -> str | None:
        """Return why this pool cannot run jobs of the task, or None if it can."""
        is_coroutine = iscoroutinefunction(task.fn)
        if is_coroutine and not self.runs_coroutines:
            return _NO_COROUTINE
        if limits.hard_s is not None and not (self.stops_coroutines if is_coroutine else self.stops_functions):
            return _NO_HARD
        if self.imports and task.fn.__module__ == "__main__" and main_file(script_of(task.fn)) is None:
            return _NOT_IMPORTABLE
        return None


def main_file(script: Mapping[str, Any]) -> str | None:
    """Return the file of a program, from its globals, if it can be run again; otherwise None."""
    file = script.get("__file__")
    return file if isinstance(file, str) and os.path.exists(file) else None


_ALL: Final = (
    Kind(name="threads", what="threads", default=4, most=1024),
    Kind(
        name="processes", what="processes", default=None, most=256,
        stops_functions=True, stops_coroutines=True, imports=True,
    ),
    Kind(name="asyncio", what="coroutines", default=500, most=100_000, stops_coroutines=True),
    *(
        Kind(
            name=name, what=f"greenlets ({name})", default=500, most=100_000,
            stops_functions=True, runs_coroutines=False,
        )
        for name in ("gevent", "eventlet")
    ),
    Kind(name="solo", what="thread", default=1, most=1),
)  # fmt: skip
KINDS: Final = {kind.name: kind for kind in _ALL}
"""By name."""
ALIASES: Final = {"prefork": "processes"}
"""Celery's name. (Hourwheel's processes are spawned, not forked.)"""
