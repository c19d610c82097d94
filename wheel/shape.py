"""Shapes: how the results of several jobs, which are kept as a flat list, are nested when they are passed on.

A shape is the index of a job, or a tuple of shapes: ``group(a, chain(b, group(c, d)))`` has the shape (0, (1, 2)).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import simplejson

Shape = int | tuple["Shape", ...]


def arranged(shape: Any, values: Sequence[Any]) -> Any:
    """Arrange values in a shape, with a list for each tuple.

    >>> arranged((0, (1, 2)), ["a", "b", "c"])
    ['a', ['b', 'c']]
    """
    return values[shape] if isinstance(shape, int) else [arranged(part, values) for part in shape]


def leaves(shape: Shape) -> Iterator[int]:
    """Yield the indexes in a shape, from left to right."""
    if isinstance(shape, int):
        yield shape
    else:
        for part in shape:
            yield from leaves(part)


def renumbered(shape: Shape, numbers: Mapping[int, int]) -> Shape:
    """Replace the indexes in a shape.

    >>> renumbered((0, (1, 0)), {0: 7, 1: 5})
    (7, (5, 7))
    """
    return numbers[shape] if isinstance(shape, int) else tuple(renumbered(part, numbers) for part in shape)


def as_text(shape: Shape) -> str:
    """Encode a shape as the JSON text that a store keeps."""
    return str(simplejson.dumps(shape, separators=(",", ":")))


def of_text(text: str) -> Any:
    """Decode the text of as_text(), with lists instead of tuples.

    Raises:
        ValueError: the text is not JSON.
    """
    return simplejson.loads(text)


def is_shape(text: object, count: int) -> bool:
    """Whether text encodes a list of shapes of ``count`` jobs. Empty text means the flat list of all."""
    try:
        return text == "" or (isinstance(text, str) and _is_list(of_text(text), count))
    except (ValueError, RecursionError):
        return False


def _is_list(value: Any, count: int) -> bool:
    return type(value) is list and all((type(one) is int and 0 <= one < count) or _is_list(one, count) for one in value)
