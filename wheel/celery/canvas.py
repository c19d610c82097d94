"""Canvas: signatures, and chain, group, chord and chunks of them, as Celery has them.

They differ from ours in one thing: set(), link() and link_error() change them, and what they return may be thrown away.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Self, cast

from ..errors import InvalidValue
from ..tasks import canvas as core
from ..tasks.canvas import Canvas
from .settings import absent
from .settings.absent import forbid
from .settings.call_plan import CallPlan
from .signatures import (
    Signature,
    app_of,
    apply_async_it,
    apply_it,
    clone_it,
    delay_it,
    link_error_it,
    link_it,
    maybe_signature,
    on_error_it,
    reprcall_it,
    set_many,
    several_it,
    signature,
    subtask,
)

__all__ = [
    "chain",
    "chord",
    "chunks",
    "group",
    "maybe_signature",
    "signature",
    "starmap",
    "subtask",
    "xmap",
    "xstarmap",
]


# ---- several ---------------------------------------------------------------------------------------------


def _linked_many(canvas: Any, name: str) -> list[Any]:
    return several_it(canvas.option(name))


class chain(core.Chain[Any]):  # noqa: N801 - Celery's name
    """Calls that run one after the other; each gets the result of the one before."""

    set = set_many
    link = link_it
    link_error = link_error_it
    on_error = on_error_it
    apply_async = apply_async_it
    apply = apply_it
    delay = delay_it
    _linked = _linked_many
    app = property(app_of)
    run = apply_async_it
    clone = partial = clone_it
    reprcall = reprcall_it

    def __init__(self, *parts: Any) -> None:
        super().__init__(*(parts[0] if len(parts) == 1 and not isinstance(parts[0], Canvas) else parts))

    @property
    def tasks(self) -> tuple[Canvas[Any], ...]:
        """The calls."""
        return self.parts


class group(core.Group[Any]):  # noqa: N801
    """Calls that run independently of each other."""

    set = set_many
    link = link_it
    link_error = link_error_it
    on_error = on_error_it
    apply_async = apply_async_it
    apply = apply_it
    delay = delay_it
    _linked = _linked_many
    app = property(app_of)
    clone = partial = clone_it
    reprcall = reprcall_it

    @property
    def tasks(self) -> tuple[Canvas[Any], ...]:
        """The calls."""
        return self.members

    def skew(self, start: float = 1.0, stop: float | None = None, step: float = 1.0) -> Self:
        """Let the calls begin one after the other, ``step`` seconds apart; returns the group itself."""
        for number, member in enumerate(self.members):
            late = start + number * step
            cast("Any", member).set(countdown=late if stop is None else min(late, stop))
        return self

    def __or__(self, other: Canvas[Any]) -> Any:
        return chain(self, other) if isinstance(other, Canvas) else NotImplemented


class chord(core.Chord[Any]):  # noqa: N801
    """A group, and a call that gets the list of its results. ``chord(header)(body)`` calls it."""

    set = set_many
    link = link_it
    link_error = link_error_it
    on_error = on_error_it
    apply_async = apply_async_it
    apply = apply_it
    delay = delay_it
    _linked = _linked_many
    app = property(app_of)
    run = apply_async_it
    clone = partial = clone_it
    reprcall = reprcall_it

    def __init__(self, header: Any, body: Any = None, **options: Any) -> None:
        members = header if isinstance(header, core.Group) else group(*_several_of(header))
        core.Chain.__init__(self, members, *([] if body is None else [signature(body)]))
        if options:
            self.set(**options)

    @property
    def tasks(self) -> tuple[Canvas[Any], ...]:
        """The calls of its group."""
        return cast("core.Group[Any]", self.parts[0]).members

    @property
    def body(self) -> Canvas[Any] | None:
        """The call that gets their results; None if it is still to be given."""
        body = self.parts[1:]
        return chain(*body) if len(body) > 1 else next(iter(body), None)

    def __call__(self, body: Any = None, **options: Any) -> Any:
        """Call it; with a body if it has none."""
        whole = self if body is None else chord(self.parts[0], body)
        whole.adopt(self)
        if whole.body is None:
            raise InvalidValue.of("body", "the call that gets the results of the group", body)
        return whole.apply_async((), options.pop("kwargs", None), **options)

    def __or__(self, other: Any) -> Any:
        return chord(self.parts[0], other) if self.body is None else super().__or__(other)


def _several_of(header: Any) -> list[Any]:
    return [header] if isinstance(header, Canvas) else [signature(one) for one in header]


for _kind in (Signature, chain, group, chord):
    _kind.chain_type = chain
    _kind.plan_type = CallPlan
    forbid(_kind, absent.CANVAS if _kind is Signature else absent.MANY)


# ---- many calls in one job ----------------------------------------------------------------------------------


def chunks(task: Any, it: Iterable[Any], n: int) -> Any:
    """A group of jobs that call a task for ``n`` items each; each job's result is the list of their results.

    Args:
        task: the task.
        it: the arguments of each call, as tuples.
        n: how many calls to a job.
    """
    if type(n) is not int or n < 1:
        raise InvalidValue.of("n", "a whole number, 1 or more", n)
    items, parts = iter(it), []
    while part := list(islice(items, n)):
        parts.append(starmap(task, part))
    return group(parts)


def starmap(task: Any, it: Iterable[Any]) -> Any:
    """One job that calls a task for each item of ``it``, whose arguments it is."""
    return _task_of_many(task.app).si(task.name, [list(one) for one in it])


def xmap(task: Any, it: Iterable[Any]) -> Any:
    """One job that calls a task for each item of ``it``, its only argument."""
    return _task_of_many(task.app).si(task.name, [[one] for one in it])


xstarmap = starmap


def _task_of_many(app: Any) -> Any:
    return app.registry.get(STARMAP)


STARMAP = "celery.starmap"


def starmap_of(app: Any) -> Any:
    """What the task of starmap() does in an app."""

    def starmap(name: str, calls: list[Any]) -> list[Any]:
        called = app.registry.get(name)
        return [called(*args) for args in calls]

    return starmap
