"""What can be made a task: a function that does its work when it is called, with arguments that a job can carry."""

from __future__ import annotations

import inspect
from functools import partial

from ..errors import InvalidValue
from .canvas import Canvas
from .sender import Sender


def refuse_unfit(fn: object, *, bind: bool) -> None:
    """Raise unless ``fn`` can be made a task; ``bind``: whether it is given the task as its first argument.

    Raises:
        InvalidValue: it cannot; the message says what to do.

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
        return ""
    if isinstance(fn, Canvas):
        return "this is a call of a task; write a function that makes it"
    if isinstance(fn, classmethod):
        return "put @classmethod away: a job cannot carry the class"
    if not callable(fn):
        return ""
    while isinstance(fn, (partial, staticmethod)):
        fn = fn.func if isinstance(fn, partial) else fn.__func__
    called = fn if inspect.isroutine(fn) else getattr(type(fn), "__call__", fn)  # noqa: B004 - the one of its class
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        return "this one yields, and its code would never run: return a list, or call another task for each item"
    if not bind and _is_method(fn):
        return "this is a method, and its object would be missing: put it outside of the class, or under @staticmethod"
    return None


def _is_method(fn: object) -> bool:
    """Whether it is a function of a class, not bound to anything, which is given the object first."""
    around, dot, _ = getattr(fn, "__qualname__", "").rpartition(".")
    if not inspect.isfunction(fn) or not dot or around.endswith("<locals>"):
        return False
    first = next(iter(inspect.signature(fn).parameters), None)
    return first in ("self", "cls")
