"""Random Python values for arguments and results: sound ones, and ones with something in them that is no strict JSON."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import math
import random
import re
import uuid
from collections.abc import Callable
from typing import Any, Final

_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
LARGEST: Final = 2**63 - 1


class Colour(enum.IntEnum):
    """An int that is none."""

    RED = 1


class Name(str):
    """A string that is none."""

    __slots__ = ()


class Number(float):
    """A float that is none."""

    __slots__ = ()


class Listed(list):  # type: ignore[type-arg]
    """A list that is none."""


class Evil:
    """Whatever asks it for anything is told of it by an exception."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"asked for {name}")

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    def __repr__(self) -> str:
        raise RuntimeError("shown")


Point = collections.namedtuple("Point", "x y")  # noqa: PYI024 - what users pass

_INTS: Final = (0, 1, -1, 2**31, 2**53 + 1, LARGEST, -LARGEST, 10, 1_700_000_000_000)
_FLOATS: Final = (0.0, -0.0, 1.0, 0.1, 1e16, 1e22, 5e-324, 1.7976931348623157e308, -2.5, 1e-7, 123456789.125, math.pi)
_TEXTS: Final = (
    "",
    "x",
    "\u00fc",
    "\U0001f600",
    "\ud800",
    "\udfff\ud800",
    "\0",
    "\u2028\u2029",
    '"\\/\b\f\n\r\t',
    "\x7f\x80",
    "],{}]",
    ',"payload":',
    ',"returned":',
    '{"id":"',
    "NaN",
    "1e400",
    "__import__('os')",
)

_BAD: Final[tuple[Callable[[], Any], ...]] = (
    lambda: math.nan,
    lambda: math.inf,
    lambda: -math.inf,
    lambda: LARGEST + 1,
    lambda: -LARGEST - 1,
    lambda: 10**4400,
    lambda: (1, 2),
    lambda: Point(1, 2),
    lambda: {1, 2},
    lambda: frozenset(),
    lambda: "\ud800\udfff",
    lambda: {"\ud83d\ude00": 1},
    lambda: b"bytes",
    lambda: bytearray(b"x"),
    lambda: 1j,
    lambda: decimal.Decimal("1.10"),
    lambda: datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC),
    lambda: uuid.UUID(int=7),
    lambda: Colour.RED,
    lambda: Name("x"),
    lambda: Number(1.5),
    lambda: Listed([1]),
    lambda: collections.OrderedDict(a=1),
    lambda: collections.defaultdict(int),
    lambda: collections.Counter("aa"),
    lambda: range(3),
    lambda: iter([1]),
    lambda: (x for x in ()),
    lambda: object(),
    lambda: Evil(),
    lambda: Evil,
    lambda: len,
    lambda: ...,
    lambda: NotImplemented,
    lambda: {1: "a"},
    lambda: {None: "a"},
    lambda: {True: "a"},
    lambda: {1.5: "a"},
    lambda: {(1, 2): "a"},
    lambda: {Name("k"): 1},
    lambda: {"a": 1, 2: 3},
    lambda: nested(65),
    lambda: nested(5_000),
    lambda: itself(),
    lambda: [0] * 10_001,
    lambda: "x" * 262_145,
)
"""What is no strict JSON, or beyond a limit."""


def sound(choose: random.Random, depth: int = 4) -> Any:
    """A value that must come back as it is."""
    kind = choose.randrange(10 if depth else 7)
    match kind:
        case 0:
            return choose.choice(_INTS) if choose.random() < 0.5 else choose.randrange(-LARGEST, LARGEST)
        case 1:
            return choose.choice(_FLOATS) if choose.random() < 0.5 else choose.uniform(-1e9, 1e9)
        case 2 | 3:
            return text(choose)
        case 4:
            return None
        case 5:
            return True
        case 6:
            return False
        case 7 | 8:
            return [sound(choose, depth - 1) for _ in range(choose.randrange(5))]
    return {text(choose): sound(choose, depth - 1) for _ in range(choose.randrange(5))}


def text(choose: random.Random) -> str:
    """A string of any characters, but for two surrogates that JSON takes for one character."""
    if choose.random() < 0.5:
        return choose.choice(_TEXTS)
    found = "".join(chr(choose.randrange(choose.choice((0x80, 0x3000, 0x110000)))) for _ in range(choose.randrange(8)))
    return "x" if _PAIR.search(found) else found


def bad(choose: random.Random) -> Any:
    """A value with something in it, at any depth, that must be refused."""
    value = choose.choice(_BAD)()
    for _ in range(choose.randrange(4)):
        match choose.randrange(3):
            case 0:
                value = [sound(choose, 1), value]
            case 1:
                value = {text(choose): value}
            case _:
                value = [value]
    return value


def nested(depth: int) -> list[Any]:
    """Lists in lists, so many."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def itself() -> list[Any]:
    """A list that holds itself."""
    value: list[Any] = []
    value.append(value)
    return value


def same(a: Any, b: Any) -> bool:
    """Equal, and of the same types throughout: 1 == 1.0 == True is not enough, nor 0.0 == -0.0."""
    kind = type(a)
    if kind is not type(b):
        return False
    if kind is list or kind is tuple:
        return len(a) == len(b) and all(map(same, a, b))
    if kind is dict:
        return list(a) == list(b) and all(map(same, a.values(), b.values()))
    if kind is float:
        return bool(a == b) and math.copysign(1, a) == math.copysign(1, b)
    return bool(a == b)
