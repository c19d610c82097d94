"""What a function returned, as it is stored: strict JSON, and what turns into it without a loss that matters.

Arguments are refused when they are not strict JSON, because the caller is there to be told. A function that returns
has done its work; so a tuple, a named tuple, an IntEnum, an OrderedDict or a float of numpy's becomes the list,
number, text or dict that it is one of. What has no such form (a datetime, a model, bytes, a set) cannot be stored.
"""

from __future__ import annotations

from typing import Any

from ...errors import PayloadError
from ...payload import MAX_DEPTH, MAX_NODES, encode


def encode_returned(value: Any) -> str:
    """What a function returned, as JSON text.

    Raises:
        PayloadError: it cannot be stored; the message names the path to the offending part.

    >>> encode_returned((1, {"sent": ("a", "b")}))
    '[1,{"sent":["a","b"]}]'
    """
    try:
        return encode(value)
    except PayloadError:
        plain = _Plain().of(value, MAX_DEPTH)
        if plain is value:
            raise
    return encode(plain)


class _Plain:
    """Makes plain copies of values, of no more parts than could be stored. Runs no code of theirs."""

    def __init__(self) -> None:
        self._room = MAX_NODES

    def of(self, value: Any, depth: int) -> Any:
        """The value as plain types; what has no such form, and what is too much, is left as it is."""
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
        return "".join((value,))  # noqa: FLY002 - a plain copy, without asking __format__ or __str__
    if issubclass(kind, int):
        return int.__add__(value, 0)
    if issubclass(kind, float):
        return float.__pos__(value)
    return value
