"""Arguments and results, in and out: an exact round trip, or a PayloadError; and the limits, to the byte."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any, Final

from hourwheel import payload
from hourwheel.errors import PayloadError
from hourwheel.payload import decode, decode_call, encode, encode_call

from tests.torture.report import Report

from .values import bad, nested, same, sound, text

Call = tuple[tuple[Any, ...], dict[str, Any]]

_PIECES: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[\[\]{}:,]|\w+|.', re.S)
_TOKENS: Final = (
    *(
        "[",
        "]",
        "{",
        "}",
        ":",
        ",",
        '"',
        "\\",
        "0",
        "-",
        "-0",
        "1.",
        ".5",
        "01",
        "1e",
        "1e400",
        "-1e999",
        "1E+5",
        "0e0",
    ),
    *("NaN", "Infinity", "-Infinity", "nan", "null", "true", "True", "None", "undefined", "9223372036854775808"),
    *(
        '"a"',
        '"a":1,"a":2',
        '{"a":1,"a":2}',
        "[[]]",
        " ",
        "\n",
        "\t",
        "\0",
        "\ufeff",
        "\x7f",
        "\u2028",
        "/*x*/",
        "//",
        "'x'",
    ),
    *('"\\ud800"', '"\\u12"', '"\\x41"', '"\ud800"', "9" * 4301, "9" * 400 + ".5", "1e-400", "0x1", "1_0", "\u0661"),
    *("[" * 70, "]" * 70, "[" * 5000, '{"a":' * 3000, "true,false", "0," * 50),
)


def sound_values(report: Report, choose: random.Random, count: int) -> None:
    """What is strict JSON comes back equal and of the same types."""
    for number in range(count):
        report.cases += 1
        args = tuple(sound(choose) for _ in range(choose.randrange(4)))
        kwargs = {text(choose): sound(choose) for _ in range(choose.randrange(3))}
        try:
            written = encode_call(args, kwargs)
            alone = decode(encode(kwargs))
            back = decode_call(written)
        except Exception as error:
            report.wrong(f"sound value {number}: {error!r:.200} for {args!r:.200}, {kwargs!r:.200}")
            continue
        plain = written.isascii() and "\n" not in written
        report.demand(plain, f"sound value {number}: not one line of ASCII: {written!r:.200}")
        report.demand(
            same(back, (args, kwargs)) and same(alone, kwargs),
            f"sound value {number}: {args!r:.200}, {kwargs!r:.200} comes back as {back!r:.300}",
        )


def bad_values(report: Report, choose: random.Random, count: int) -> None:
    """What is not is refused, with words, wherever it stands."""
    for number in range(count):
        report.cases += 1
        value = bad(choose)
        match number % 3:
            case 0:
                _must_refuse(report, f"bad value {number}", lambda v=value: encode_call((1, v), {}))
            case 1:
                _must_refuse(report, f"bad value {number}", lambda v=value: encode_call((), {"a": 1, "b": v}))
            case _:
                _must_refuse(report, f"bad value {number}", lambda v=value: encode(v))


def _must_refuse(report: Report, what: str, call: Any) -> None:
    try:
        came = call()
    except PayloadError as error:
        told = str(error)
        report.demand(told and len(told) < 2_000, f"{what}: an error of {len(told)} characters")
    except BaseException as error:
        report.wrong(f"{what}: an error that is not ours: {type(error).__name__}: {error!s:.200}")
    else:
        report.wrong(f"{what}: taken, as {came!r:.200}")


def texts(report: Report, choose: random.Random, count: int) -> None:
    """Mutated JSON: a PayloadError; or a value that is strict JSON, and is read again from what it is written as."""
    seeds = [encode_call((sound(choose), sound(choose)), {"a": sound(choose)}) for _ in range(300)]
    accepted = 0
    for number in range(count):
        report.cases += 1
        mutated = mutate_text(choose, choose.choice(seeds))
        for read, write in ((decode, encode), (decode_call, _encode_pair)):
            try:
                value = read(mutated)
            except PayloadError:
                continue
            except BaseException as error:
                report.wrong(f"text {number}: an error that is not ours: {type(error).__name__}: {mutated!r:.300}")
                continue
            accepted += 1
            _must_write_back(report, value, read, write, f"text {number}: {mutated!r:.300}")
    report.figures["mutated texts that are strict JSON all the same"] = f"{accepted:,}"


def _encode_pair(value: tuple[tuple[Any, ...], dict[str, Any]]) -> str:
    return encode_call(*value)


def _must_write_back(report: Report, value: Any, read: Any, write: Any, what: str) -> None:
    try:
        again = read(write(value))
    except PayloadError as error:
        depth = "deep" in str(error) or "bytes" in str(error)
        report.demand(depth, f"{what}: read, but it cannot be written: {error!s:.200}")
        return
    report.demand(same(again, value), f"{what}: read as {value!r:.200}, written and read again as {again!r:.200}")


def mutate_text(choose: random.Random, seed: str) -> str:
    """A text with some of its tokens dropped, doubled, swapped or replaced."""
    pieces = _PIECES.findall(seed)
    for _ in range(choose.randrange(1, 4)):
        at = choose.randrange(len(pieces)) if pieces else 0
        match choose.randrange(5):
            case 0:
                pieces[at : at + 1] = []
            case 1:
                pieces[at:at] = [choose.choice(_TOKENS)]
            case 2:
                pieces[at : at + 1] = [choose.choice(_TOKENS)]
            case 3:
                pieces[at:at] = pieces[at : at + choose.randrange(9)]
            case _:
                pieces[at : at + 1] = [_spoilt(choose, "".join(pieces[at : at + 1]))]
    return "".join(pieces)


def _spoilt(choose: random.Random, piece: str) -> str:
    at = choose.randrange(len(piece) + 1)
    return piece[:at] + chr(choose.choice((choose.randrange(128), choose.randrange(0x110000)))) + piece[at + 1 :]


def limits(report: Report) -> None:
    """The stated limits, in every shape that a call can have: kept at the limit, refused one beyond it.

    Each shape is tried at sizes around the limit. What is accepted must be readable, or it could never be run.
    """
    most, deep, nodes, largest = payload.MAX_BYTES, payload.MAX_DEPTH, payload.MAX_NODES, payload.MAX_INT
    empty = len('[[""],{}]')
    shapes: dict[str, tuple[int, Callable[[int], Call]]] = {
        "bytes of text": (most - empty, lambda n: (("x" * n,), {})),
        "bytes in a list": (most - empty - 2, lambda n: ((["x" * n],), {})),
        "bytes of escapes": ((most - empty) // 6, lambda n: (("\u00fc" * n,), {})),
        "depth of an argument": (deep - 1, lambda n: ((nested(n),), {})),
        "depth of a named argument": (deep - 1, lambda n: ((), {"a": nested(n)})),
        "scalar arguments": (nodes, lambda n: ((0,) * n, {})),
        "scalar arguments, one named": (nodes, lambda n: ((0,) * (n - 1), {"a": 1})),
        "a list": (nodes - 1, lambda n: (([0] * n,), {})),
        "a named list": (nodes - 1, lambda n: ((), {"a": [0] * n})),
        "lists in both": (nodes - 7, lambda n: (([0, 1], "x"), {"a": [0] * n, "b": [], "c": {}})),
        "int": (largest - 1, lambda n: ((n,), {})),
        "int in a list": (largest - 1, lambda n: (([n],), {})),
        "negative int": (largest - 1, lambda n: ((), {"a": -n})),
    }
    for name, (limit, call) in shapes.items():
        for size in range(limit - 4, limit + 5):
            report.cases += 1
            _at_size(report, f"{name}, {size} where the limit is {limit}", call(size), fits=size <= limit)
    for size in range(nodes - 3, nodes + 3):
        report.cases += 1
        if size < nodes:
            report.demand(decode(encode([0] * size)) == [0] * size, f"a result of {size + 1} values")
        else:
            _must_refuse(report, f"a result of {size + 1} values", lambda n=size: encode([0] * n))


def _at_size(report: Report, what: str, call: Call, *, fits: bool) -> None:
    if not fits:
        _must_refuse(report, what, lambda: encode_call(*call))
        written = payload._WRITE([list(call[0]), call[1]])
        _must_refuse(report, f"{what}, as text", lambda: decode_call(written))
        return
    try:
        report.demand(same(decode_call(encode_call(*call)), call), f"{what}: comes back otherwise")
    except Exception as error:
        report.wrong(f"{what}: {error!r:.200}")
