"""Sameness: whether a function with the name of another one is the same, a new version of it, or a different one.

Jobs are stored by name, so with two functions of one name the wrong one could run. But a function can rightly be
defined again: its module is reloaded, a notebook cell is run again, or the main script is also imported.

    the same `def`, executed twice          the same, if its closure and defaults are the same
    another `def`, at the top of a module   a new version: stored jobs run the code that is deployed
    another `def`, inside a function        a new version if the outer function was redefined, too
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

Function = Callable[..., Any]


class Sameness(Enum):
    """How a function compares with another one of the same name."""

    SAME = "same"
    RENEWED = "renewed"
    OTHER = "other"


def sameness(old: Function, new: Function) -> Sameness:
    """Compare ``new`` with ``old``, which has the same module and qualified name.

    >>> def adds(n):
    ...     return lambda number: number + n
    >>> sameness(adds(1), adds(1)), sameness(adds(1), adds(2))
    (<Sameness.SAME: 'same'>, <Sameness.OTHER: 'other'>)
    """
    if old is new:
        return Sameness.SAME
    for kind, inner in ((MethodType, "__func__"), (partial, "func")):
        if isinstance(old, kind) and isinstance(new, kind):
            found = sameness(getattr(old, inner), getattr(new, inner))
            return found if found is not Sameness.SAME or _bound(old) == _bound(new) else Sameness.OTHER
    if hasattr(old, "__wrapped__") and hasattr(new, "__wrapped__"):
        found = sameness(old.__wrapped__, new.__wrapped__)
        if found is not Sameness.SAME or (type(old) is type(new) and not isinstance(old, FunctionType)):
            return found  # a wrapper object such as lru_cache's has no other state
    if isinstance(old, FunctionType) and isinstance(new, FunctionType):
        return _of_functions(old, new)
    if type(old) is not type(new) and type(old).__qualname__ == type(new).__qualname__:
        return Sameness.RENEWED  # an object whose class was redefined
    return Sameness.SAME if old == new else Sameness.OTHER


def _bound(fn: Any) -> tuple[Any, ...]:
    return (fn.args, fn.keywords) if isinstance(fn, partial) else (id(fn.__self__),)


def _of_functions(old: FunctionType, new: FunctionType) -> Sameness:
    alike = _all_alike(_cells(old), _cells(new)) and _all_alike(_defaults(old), _defaults(new))
    if old.__code__ is new.__code__:
        return Sameness.SAME if alike else Sameness.OTHER
    if old.__code__ == new.__code__ and alike:
        return Sameness.SAME  # compiled again
    if "<locals>" not in new.__qualname__ and "<lambda>" not in new.__qualname__:
        return Sameness.RENEWED
    return Sameness.OTHER if _is_current(old) else Sameness.RENEWED


def _cells(fn: FunctionType) -> list[Any]:
    """The values that a function closes over."""
    return [_content(cell) for cell in fn.__closure__ or ()]


def _defaults(fn: FunctionType) -> list[Any]:
    """The defaults of its parameters. Containers are compared by content: each `def` makes new ones."""
    named = fn.__kwdefaults__ or {}
    found = [*(fn.__defaults__ or ()), *named, *named.values()]
    return [(type(one), repr(one)) if type(one) in (list, dict, set) else one for one in found]


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not set yet
        return cell


def _all_alike(ones: list[Any], others: list[Any]) -> bool:
    return len(ones) == len(others) and all(map(_alike, ones, others))


def _alike(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, FunctionType):
        return one.__qualname__ == other.__qualname__ and sameness(one, other) is Sameness.SAME
    if isinstance(one, tuple):
        return _all_alike([*one], [*other])
    return isinstance(one, (str, bytes, int, float)) and bool(one == other)


def _is_current(fn: FunctionType) -> bool:
    """Whether the ``def`` of an inner function is still part of its module, and so can make another function."""
    outer = fn.__globals__.get(fn.__qualname__.partition(".")[0])
    if "<locals>" not in fn.__qualname__ or not isinstance(outer, FunctionType):
        return True
    return _contains(outer.__code__, fn.__code__)


def _contains(outer: CodeType, inner: CodeType) -> bool:
    return any(part is inner or _contains(part, inner) for part in outer.co_consts if isinstance(part, CodeType))
