"""Bringing a mutant to life in a process that has imported the sound module: the code of one function is exchanged.

Everybody who has imported the function, or an object of its class, then runs the mutant; nothing has to be imported anew,
so a mutant costs a fork and its tests. What an import runs (constants, defaults, decorators) cannot be exchanged so: for
that a new process imports the mutant in the first place, see cold.py.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from .mutant import Mutant


class NotExchangeable(Exception):
    """The function cannot be had, or its new code does not fit it."""


def transplant(mutant: Mutant) -> None:
    """Exchange the code of the function that the mutant is in.

    Raises:
        NotExchangeable: see there; nothing was changed.
    """
    function = _function(importlib.import_module(mutant.target.module), mutant.where)
    try:
        function.__code__ = _code(mutant.code(), function.__code__)
    except ValueError as error:
        raise NotExchangeable(str(error)) from error


def _function(holder: Any, where: str) -> FunctionType:
    for name in where.split("."):
        found = vars(holder).get(name)
        found = getattr(found, "fget", None) or getattr(found, "__func__", found)
        holder = inspect.unwrap(found) if callable(found) else found
    if not isinstance(holder, FunctionType) or holder.__qualname__ != where:
        raise NotExchangeable(where)
    return holder


def _code(module: CodeType, old: CodeType) -> CodeType:
    for code in _codes(module):
        if (code.co_qualname, code.co_firstlineno) == (old.co_qualname, old.co_firstlineno):
            return code
    raise NotExchangeable(old.co_qualname)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)
