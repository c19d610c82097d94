"""The decorators: app.task, and the shared one of the module."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, Final, Literal, cast, overload

from ..errors import InvalidValue
from .fitness import refuse_unfit
from .options.task_options import TaskOptions, refuse_unknown
from .registry import SHARED
from .sender import P, R
from .task import Carrier, Task

if TYPE_CHECKING:
    from typing import Unpack


class TaskDecorator:
    """Makes a function a task, with or without parentheses: ``@task`` and ``@task(name=..., countdown=...)``.

    Every Scheduler has one, ``app.task``; the module has one for shared tasks, ``task``, which works before any
    Scheduler exists, as Celery's shared_task does, and whose calls are carried by the default scheduler.

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
        """Decorate a function, or give the decorator that does; see TaskOptions.

        Raises:
            InvalidValue: an option is not known, or breaks its rule; or another function has the name.
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
"""The shared decorator; see TaskDecorator."""
