"""Hints of refused values: each is followed here, as by somebody who does what he is told, until the call is taken."""

from __future__ import annotations

import array
import base64
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import ipaddress
import itertools
import math
import pathlib
import re
import types
import uuid
import zoneinfo
from typing import Any, NamedTuple

import attrs
import pydantic
import pytest
from hourwheel import PayloadError, Scheduler
from hourwheel.store import MemoryStore


class Color(str, enum.Enum):  # noqa: UP042 - as programs write it
    RED = "red"


class Word(enum.StrEnum):
    A = "a"


class Level(enum.IntEnum):
    LOW = 1


class Flags(enum.IntFlag):
    A = 1
    B = 2


class Weight(float, enum.Enum):
    HEAVY = 1.5


class Plain(enum.Enum):
    A = "a"
    PAIR = (1, 2)


class Safe(str):  # noqa: SLOT000 - as programs write it
    """As Django's SafeString: its str() is itself."""

    def __str__(self) -> str:
        return self


class Liar(str):  # noqa: SLOT000 - as programs write it
    def __str__(self) -> str:
        return "another text"


class Odd(int):
    def __int__(self) -> int:
        return 7


class Broken(str):  # noqa: SLOT000 - as programs write it
    def __str__(self) -> str:
        raise RuntimeError("no")


class Point(NamedTuple):
    x: int
    at: datetime.date


@dataclasses.dataclass
class Order:
    number: int
    paid: decimal.Decimal


@attrs.define
class Basket:
    items: list[int]


class User(pydantic.BaseModel):
    name: str
    born: datetime.date


class Row:
    """As a row of SQLAlchemy's."""

    def __init__(self) -> None:
        self.id = 7


class Model:
    """As a model of Django's."""

    _meta = pk = None

    def __init__(self) -> None:
        self.pk = uuid.UUID(int=7)  # type: ignore[assignment]


class Lazy:
    """As Django's request.user, which stands for a model."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        return Model

    pk = 7


class Query:
    def values_list(self, name: str, *, flat: bool) -> Any:
        return iter([1, 2])

    def __iter__(self) -> Any:
        raise AssertionError("a hint has no business in the database")


class Scalar:
    """As numpy's."""

    def tolist(self) -> int:
        return 3


class Table:
    def tolist(self) -> list[Any]:
        return [[1, 2.5], [Scalar(), None]]


class Shy:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")


def _counted() -> Any:
    yield from (1, 2)


VALUES: list[Any] = [
    Color.RED, Word.A, Level.LOW, Flags.A | Flags.B, Weight.HEAVY, Plain.A, Plain.PAIR,
    Safe("x"), Liar("x"), Odd(3), Broken("x"),
    collections.OrderedDict(a=1), collections.defaultdict(list, a=[1]), collections.Counter("aa"),
    collections.UserDict(a=1), collections.UserList([1]), collections.deque([1]), collections.ChainMap({"a": 1}),
    types.MappingProxyType({"a": 1}), types.SimpleNamespace(a=1),
    {1: "a"}, {1: "a", "b": 2}, {Color.RED: 1}, {Plain.A: 1, "b": 2}, {uuid.UUID(int=1): 1}, {Safe("k"): 1}, {None: 1},
    (1, 2), (1, (2, {3})), Point(1, datetime.date(2026, 1, 1)),
    {1, 2}, frozenset({1, "a"}), set(), {(1, 2)},
    b"x", bytearray(b"x"), memoryview(b"x"), array.array("i", [1, 2]),
    uuid.uuid4(), decimal.Decimal("1.1"), fractions.Fraction(1, 3), 1j, ipaddress.ip_address("::1"),
    ipaddress.ip_network("10.0.0.0/8"), zoneinfo.ZoneInfo("Europe/Berlin"),
    datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), datetime.date(2026, 1, 1), datetime.timedelta(1), datetime.time(1),
    pathlib.Path("/x"), pathlib.PureWindowsPath("x"),
    Order(1, decimal.Decimal(1)), Basket([1]), User(name="ann", born=datetime.date(2000, 1, 1)),
    Row(), Model(), Lazy(), Query(), Scalar(), Table(),
    2**70, -(2**64), 10**5000, math.nan, math.inf, -math.inf,
    range(3), {"a": 1}.keys(), {"a": 1}.items(), _counted(), map(str, [1]), itertools.count(1).__class__, iter([1]),
    ValueError("no"), len, _counted, Order,
]  # fmt: skip


_SAID = re.compile(r"(?P<path>args\S*) .*?(?:pass|such as|, or|object:) (?P<how>[^ ].*)$", re.S)


def followed(message: str, args: list[Any]) -> None:
    """Do what a message says."""
    found = _SAID.match(message)
    assert found is not None, message
    how = re.split(r"(?<!from), or (?!not)|such as |an object: |^pass ", found["how"])[-1]
    place = [json_key(part) for part in re.findall(r"\[([^\]]*)\]", found["path"])]
    inside: Any = args
    for part in place[:-1]:
        inside = inside[part]
    names = {"base64": base64, "dataclasses": dataclasses, "attrs": attrs}
    inside[place[-1]] = eval(how, names, {"value": inside[place[-1]]})


def json_key(text: str) -> Any:
    return int(text) if text.isdigit() else text.strip('"')


@pytest.mark.parametrize(
    "value", [pytest.param(value, id=f"{type(value).__name__}-{place}") for place, value in enumerate(VALUES)]
)
def test_who_follows_the_hints_can_make_the_call(value: Any) -> None:
    app = Scheduler(MemoryStore())
    task = app.task(name="f")(lambda *args: None)
    args = [value]
    for _ in range(6):
        try:
            task.delay(*args)
        except PayloadError as error:
            followed(str(error), args)
        else:
            return
    raise AssertionError(f"after six hints it is still refused: {args!r}")


@pytest.mark.parametrize(
    ("value", "passed"),
    [
        (Color.RED, "red"), (Safe("x"), "x"), (Liar("x"), "x"), (Odd(3), 3), (Broken("x"), "x"), (Weight.HEAVY, 1.5),
        ({Color.RED: 1}, {"red": 1}), (Table(), [[1, 2.5], [3, None]]), (Model(), str(uuid.UUID(int=7))), (Lazy(), 7),
        (datetime.time(7, 30), "07:30:00"), (pathlib.Path("/x"), "/x"), (User(name="a", born=datetime.date(2000, 1, 1)),
        {"name": "a", "born": "2000-01-01"}), (frozenset({2, 1}), [1, 2]), (Query(), [1, 2]),
    ],
)  # fmt: skip
def test_what_is_passed_by_a_hint_means_the_same(value: Any, passed: Any) -> None:
    app = Scheduler(MemoryStore())
    seen: list[Any] = []
    task = app.task(name="f")(seen.append)
    args = [value]
    for _ in range(6):
        try:
            task.delay(*args)
            break
        except PayloadError as error:
            followed(str(error), args)
    app.run_due()
    assert seen == [passed]


@pytest.mark.parametrize("made", [object, Shy, lambda: lambda: 1])
def test_of_what_cannot_be_taken_apart_an_id_is_passed(made: Any) -> None:
    app = Scheduler(MemoryStore())
    with pytest.raises(PayloadError, match="pass an id, not an object"):
        app.task(name="f")(lambda *args: None).delay(made())


def test_a_hint_does_not_use_up_what_can_be_read_once() -> None:
    app = Scheduler(MemoryStore())
    numbers = _counted()
    with pytest.raises(PayloadError, match=r"pass list\(value\)"):
        app.task(name="f")(lambda *args: None).delay(numbers)
    assert [*numbers] == [1, 2]
