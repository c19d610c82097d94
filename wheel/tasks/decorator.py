"""The task decorators: ``app.task`` and the shared ``task``; and which functions can be tasks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, Final, Literal, cast, overload

from ..errors import InvalidValue
from .canvas import Canvas
from .carrier import Carrier
from .options.task_options import TaskOptions, refuse_unknown
from .registry import SHARED
from .sender import P, R, Sender
from .task import Task

if TYPE_CHECKING:
    from typing import Unpack


class TaskDecorator:
    """Turns a function into a task. Use it as ``@task`` or with options: ``@task(name=..., countdown=...)``.

    ``app.task`` is the decorator of a Scheduler. The module's ``task`` is for shared tasks: like Celery's shared_task,
    it works before there is a Scheduler. Calls of shared tasks go to the default scheduler.

    >>> @app.task(max_retries=5, queue="mail")
    ... def welcome(user_id: int) -> str:
    ...     return f"hello {user_id}"
    >>> welcome(7)
    'hello 7'
    """

    def __init__(self, scheduler: Carrier | None = None) -> None:
        self._scheduler = scheduler

    @overload
    def __call__(self, fn: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def __call__(
        self, *, bind: Literal[True], **options: Unpack[TaskOptions]
    ) -> Callable[[Callable[Concatenate[Any, P], R]], Task[P, R]]: ...
    @overload
    def __call__(
        self, *, bind: Literal[False] = False, **options: Unpack[TaskOptions]
    ) -> Callable[[Callable[P, R]], Task[P, R]]: ...
    def __call__(self, fn: Callable[..., Any] | None = None, *, bind: bool = False, **options: Any) -> Any:
        """Decorate a function, or return a decorator with these options; see TaskOptions.

        Raises:
            InvalidValue: an option is not valid, the function cannot be a task, or another one has its name.
        """
        if type(bind) is not bool:
            raise InvalidValue.of("bind", "True or False", bind)
        if fn is None:
            refuse_unknown(options)
            return partial(self._register, bind=bind, options=options)
        return self._register(fn, bind=bind, options=options)

    def _register(self, fn: Callable[..., Any], *, bind: bool, options: dict[str, Any]) -> Task[..., Any]:
        refuse_unfit(fn, bind=bind)
        made: Task[..., Any] = Task(fn, self._scheduler, bind=bind, **cast("TaskOptions", options))
        registry = SHARED if self._scheduler is None else self._scheduler.registry
        registry.add(made, made.aliases)
        return made


task: Final = TaskDecorator()
"""The decorator for shared tasks; see TaskDecorator."""


# ---- which functions can be tasks ------------------------------------------------------------------------


def refuse_unfit(fn: object, *, bind: bool) -> None:
    """Refuse what cannot be a task. ``bind``: whether ``fn`` gets the task as its first argument.

    >>> refuse_unfit(int, bind=False)
    Traceback (most recent call last):
    hourwheel.InvalidValue: task must be made of a function (write one that calls the class), got <class 'int'>
    """
    hint = _hint(fn, bind=bind)
    if hint is not None:
        raise InvalidValue.of("task", f"made of a function{hint and f' ({hint})'}", fn)


def _hint(fn: object, *, bind: bool) -> str | None:  # noqa: PLR0911 - one for each kind
    if isinstance(fn, type):
        return "write one that calls the class"
    if isinstance(fn, Sender):
        return "it is a task already: decorate the function once"
    if isinstance(fn, Canvas):
        return "this is a call of a task; write a function that makes the call"
    if isinstance(fn, classmethod):
        return "remove @classmethod: a job cannot store the class"
    if not callable(fn):
        return _hint_of_value(fn)
    while isinstance(fn, (partial, staticmethod)):
        fn = fn.func if isinstance(fn, partial) else fn.__func__
    called = fn if inspect.isroutine(fn) else getattr(type(fn), "__call__", fn)  # noqa: B004 - the method of its class
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        return "it is a generator, whose code would never run: return a list, or call another task for each item"
    if not bind and _is_method(fn):
        return "it is a method, and its object would be missing: move it out of the class, or use @staticmethod"
    return None


def _hint_of_value(value: object) -> str:
    if isinstance(value, str):
        return f"for a name, write @app.task(name={value!r})"
    if callable(getattr(value, "localized", None)):
        return "for a schedule, write @app.periodic(...)"
    return "options are passed by name" if isinstance(value, (bool, int, float, dict)) else ""


def _is_method(fn: object) -> bool:
    """Whether a function is an unbound method, which expects the object as first argument."""
    around, dot, _ = getattr(fn, "__qualname__", "").rpartition(".")
    if not inspect.isfunction(fn) or not dot or around.endswith("<locals>"):
        return False
    first = next(iter(inspect.signature(fn).parameters), None)
    return first in ("self", "cls")
