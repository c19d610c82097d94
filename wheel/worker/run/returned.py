"""Encode what a function returned: strict JSON, or what can be converted to it without a loss that matters.

Arguments that are not strict JSON are refused, because the caller can correct them. A function that has returned has
done its work. So a tuple, a named tuple, an IntEnum, an OrderedDict or a numpy float is converted to the list, number,
text or dict that it is a subclass of. Other values (a datetime, a model, bytes, a set) cannot be stored.
"""

from __future__ import annotations

from types import AsyncGeneratorType, GeneratorType
from typing import Any

from ...errors import PayloadError
from ...payload import MAX_DEPTH, MAX_NODES, encode


def encode_returned(value: Any, *, ignored: bool = False) -> str:
    """Encode a result as JSON text; "null" if it is ``ignored``.

    Raises:
        PayloadError: it cannot be stored. The message has the path to the part that cannot. Or it is a generator: a
            decorator that hides a generator function makes a task whose code would never run.

    >>> encode_returned((1, {"sent": ("a", "b")}))
    '[1,{"sent":["a","b"]}]'
    """
    if type(value) in (GeneratorType, AsyncGeneratorType):
        raise PayloadError(
            "result must be a list, or another value, got a generator, whose code runs only if it is iterated over: "
            "return list(value)"
        )
    if ignored:
        return "null"
    try:
        return encode(value)
    except PayloadError:
        plain = _Plain().of(value, MAX_DEPTH)
        if plain is value:
            raise
    return encode(plain)


class _Plain:
    """Makes plain copies of values, up to the limits of the store. Does not call the values' own code."""

    def __init__(self) -> None:
        self._room = MAX_NODES

    def of(self, value: Any, depth: int) -> Any:
        """Return the value in plain types. Parts without a plain form, or beyond the limits, are left as they are."""
        self._room -= 1
        if self._room < 0 or depth < 0:
            return value
        kind = type(value)
        if issubclass(kind, (tuple, list)):
            items = tuple.__iter__(value) if issubclass(kind, tuple) else list.__iter__(value)
            return [self.of(item, depth - 1) for item in [*items]]
        if issubclass(kind, dict):
            return {self._key(key): self.of(item, depth - 1) for key, item in [*dict.items(value)]}
        return value if kind in (bool, int, float, str) else _scalar(value, kind)

    @staticmethod
    def _key(key: Any) -> Any:
        return _scalar(key, type(key)) if issubclass(type(key), str) else key


def _scalar(value: Any, kind: type) -> Any:
    if issubclass(kind, str):
        return "".join((value,))  # noqa: FLY002 - a plain copy, without calling __format__ or __str__
    if issubclass(kind, int):
        return int.__add__(value, 0)
    if issubclass(kind, float):
        return float.__pos__(value)
    return value
