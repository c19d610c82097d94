"""Registry: maps names to tasks. The names of stored jobs are looked up only here, and never imported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from ..errors import InvalidValue, NotRegistered
from ..safety.plain import harmless_logger
from .options.plan import Plan
from .sameness import Sameness, sameness

if TYPE_CHECKING:
    from .task import Task

_LOG: Final = harmless_logger("hourwheel.registry")


class Registry:
    """The tasks that a scheduler can run.

    A name that is not found is looked up in ``parent``. The parent of a scheduler's registry is SHARED, so every
    scheduler can run shared tasks, and can have one of its own with the same name.

    >>> Registry().get("app.remind")
    Traceback (most recent call last):
    hourwheel.NotRegistered: no task named 'app.remind' is registered here; registered: none
    """

    def __init__(self, parent: Registry | None = None) -> None:
        self._parent = parent
        self._tasks: dict[str, Task[..., Any]] = {}
        self._aliases: dict[str, str] = {}
        self.plan = Plan()
        """The options of calls by a name alone, before those that a call says."""

    def add(self, task: Task[..., Any], aliases: Iterable[str] = ()) -> None:
        """Register a task under its name and its former names.

        It replaces a task of the same name if it is the same function (its module was reloaded, or is both the main
        script and imported), or a new version of it, as when you edit a notebook cell; that is logged.

        Raises:
            InvalidValue: another function has one of the names.
        """
        aliases = tuple(aliases)
        for name in (task.name, *aliases):
            self._refuse_taken(name, task)
        before = self._tasks.get(task.name)
        if before is not None and sameness(before.fn, task.fn) is Sameness.RENEWED:
            _LOG.warning("Task %s was redefined: all its jobs, including stored ones, run the new function", task.name)
        self._tasks[task.name] = task
        for name in aliases:
            self._aliases[name] = task.name

    def alias(self, old: str, name: str) -> None:
        """Let jobs that are stored as ``old`` run the task ``name``, after you have renamed it.

        Raises:
            NotRegistered: there is no task ``name``.
            InvalidValue: another task has the name ``old``.
        """
        task = self.get(name)
        self._refuse_taken(old, task)
        self._aliases[old] = task.name

    def get(self, name: str) -> Task[..., Any]:
        """Return the task of that name or alias.

        Raises:
            NotRegistered: there is none. The message lists the names of all tasks.
        """
        task = self.find(name)
        if task is None:
            known = ", ".join(self.names()) or "none"
            raise NotRegistered(f"no task named {name!r} is registered here; registered: {known}")
        return task

    def names(self) -> list[str]:
        """Return the names of all tasks, sorted, without aliases."""
        inherited = set() if self._parent is None else set(self._parent.names())
        return sorted(inherited | set(self._tasks))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find(name) is not None

    def __repr__(self) -> str:
        return f"Registry({self.names()!r})"

    def find(self, name: str) -> Task[..., Any] | None:
        """Return the task of that name or alias; None if there is none."""
        task = self._tasks.get(name)
        if task is None and name in self._aliases:
            task = self.find(self._aliases[name])
        if task is None and self._parent is not None:
            task = self._parent.find(name)
        return task

    def own(self, name: str) -> Task[..., Any] | None:
        """Return the task that is registered here by that name; None if it is an alias, the parent's, or unknown."""
        return self._tasks.get(name)

    def _refuse_taken(self, name: str, task: Task[..., Any]) -> None:
        other = self._tasks.get(name) or self._tasks.get(self._aliases.get(name, ""))
        if other is None:
            return
        module, function = other.origin
        if other.origin != task.origin:
            raise InvalidValue.of("name", f"unique: {function}() of {module} has it; pass another name=", name)
        if sameness(other.fn, task.fn) is Sameness.OTHER:
            rule = (
                f"unique: another {function or type(other.fn).__name__}() of {module} has it, and its jobs would run "
                "this one; give each its own name=, or make one task and pass what differs as an argument (a decorator "
                "under @task should use functools.wraps)"
            )
            raise InvalidValue.of("name", rule, name)


SHARED: Final[Registry] = Registry()
"""The shared tasks, made with the module's ``@task``. Every scheduler can run them."""
