"""Whether a function that takes the name of another one is that one again, a new form of it, or something else.

A job is stored under a name, so two functions of one name mean that the wrong one runs. But the same function does come
again: its module is reloaded, a notebook's cell is run once more, the script that runs is imported, too.

    the same `def`, run twice               the same, if all that it holds on to is (what it closes over, its defaults)
    another `def`, at the top of a module   a new form of it: what is deployed holds for the jobs that wait
    another `def`, inside of a function     a new form of it, if the function around it was defined anew meanwhile
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

Function = Callable[..., Any]


class Sameness(Enum):
    """What a function is to another one of its name."""

    SAME = "same"
    RENEWED = "renewed"
    OTHER = "other"


def sameness(old: Function, new: Function) -> Sameness:
    """What ``new`` is to ``old``, which has the same module and qualified name.

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
            return found  # an object around a function, such as lru_cache's, has nothing else of its own
    if isinstance(old, FunctionType) and isinstance(new, FunctionType):
        return _of_functions(old, new)
    if type(old) is not type(new) and type(old).__qualname__ == type(new).__qualname__:
        return Sameness.RENEWED  # an object whose class was defined anew
    return Sameness.SAME if old == new else Sameness.OTHER


def _bound(fn: Any) -> tuple[Any, ...]:
    return (fn.args, fn.keywords) if isinstance(fn, partial) else (id(fn.__self__),)


def _of_functions(old: FunctionType, new: FunctionType) -> Sameness:
    alike = _all_alike(_cells(old), _cells(new)) and _all_alike(_defaults(old), _defaults(new))
    if old.__code__ is new.__code__:
        return Sameness.SAME if alike else Sameness.OTHER
    if old.__code__ == new.__code__ and alike:
        return Sameness.SAME  # read once more
    if "<locals>" not in new.__qualname__ and "<lambda>" not in new.__qualname__:
        return Sameness.RENEWED
    return Sameness.OTHER if _stands(old) else Sameness.RENEWED


def _cells(fn: FunctionType) -> list[Any]:
    """What a function closes over."""
    return [_content(cell) for cell in fn.__closure__ or ()]


def _defaults(fn: FunctionType) -> list[Any]:
    """The defaults of its parameters; of containers what they hold, as nobody else has them."""
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


def _stands(fn: FunctionType) -> bool:
    """Whether the ``def`` that made a function is still a part of its module: was it not, it cannot make another."""
    outer = fn.__globals__.get(fn.__qualname__.partition(".")[0])
    if "<locals>" not in fn.__qualname__ or not isinstance(outer, FunctionType):
        return True
    return _holds(outer.__code__, fn.__code__)


def _holds(outer: CodeType, inner: CodeType) -> bool:
    return any(part is inner or _holds(part, inner) for part in outer.co_consts if isinstance(part, CodeType))
