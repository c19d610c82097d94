"""Strict JSON: what is accepted comes back equal and of the same type; all else is refused with its path."""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import threading
import uuid
from collections import OrderedDict, namedtuple
from typing import Any

import pytest
from hourwheel import payload
from hourwheel.errors import HourwheelError, PayloadError
from hourwheel.payload import decode, decode_call, encode, encode_call
from hypothesis import given
from hypothesis import strategies as st

Point = namedtuple("Point", "x y")


class Colour(enum.IntEnum):
    RED = 1


class Name(str):
    __slots__ = ()


class Born:
    pass


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()).filter(payload.comes_back)  # lone surrogates too
)
values = st.recursive(
    scalars,
    lambda v: (
        st.lists(v, max_size=4) | st.dictionaries(st.text(st.characters()).filter(payload.comes_back), v, max_size=4)
    ),
)


def same(a: Any, b: Any) -> bool:
    """Equal, and of the same types throughout: 1 == 1.0 == True is not enough."""
    if type(a) is not type(b):
        return False
    if type(a) in (list, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if type(a) is dict:
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if type(a) is float:
        return math.copysign(1, a) == math.copysign(1, b) and a == b
    return bool(a == b)


@given(
    st.lists(values, max_size=4),
    st.dictionaries(st.text(st.characters()).filter(payload.comes_back), values, max_size=4),
)
def test_a_call_comes_back_equal_and_of_the_same_types(args: list[Any], kwargs: dict[str, Any]) -> None:
    text = encode_call(tuple(args), kwargs)
    assert text.isascii()
    assert same(decode_call(text), (tuple(args), kwargs))


@given(
    st.lists(scalars, max_size=4),
    st.dictionaries(st.text(st.characters()).filter(payload.comes_back), scalars, max_size=4),
)
def test_the_fast_form_writes_what_the_general_encoder_writes(args: list[Any], kwargs: dict[str, Any]) -> None:
    assert encode_call(tuple(args), kwargs) == payload._WRITE([args, kwargs])


@given(values)
def test_a_result_comes_back_equal_and_of_the_same_types(value: Any) -> None:
    assert same(decode(encode(value)), value)


@given(st.text() | st.text(st.sampled_from('[]{},:"0123456789eE+-. nultrfsaNIinfy\\d8')))
def test_reading_any_text_gives_a_value_or_a_payload_error(text: str) -> None:
    for read in (decode, decode_call):
        try:
            read(text)
        except PayloadError:
            pass


REFUSED: list[Any] = [
    ((1, 2), "got tuple; a tuple would come back as a list: pass list(value)"),
    (Point(1, 2), f"got {__name__}.Point; pass an id, not an object"),
    (Colour.RED, f"got {__name__}.Colour; its subclass would be lost: pass int(value)"),
    (Name("x"), f"got {__name__}.Name; its subclass would be lost: pass str(value)"),
    (OrderedDict(), "got collections.OrderedDict; its subclass would be lost: pass dict(value)"),
    (decimal.Decimal("1.10"), "got decimal.Decimal; pass str(value)"),
    (datetime.datetime(2026, 1, 1), "got datetime.datetime; pass value.isoformat()"),
    (uuid.UUID(int=0), "got uuid.UUID; pass str(value)"),
    (b"x", "got bytes; pass base64 text"),
    ({1, 2}, "got set; pass sorted(value)"),
    (Born(), f"got {__name__}.Born; pass an id, not an object"),
    (len, "got builtin_function_or_method; pass an id, not an object"),
    (math.nan, "must be a finite number, got nan"),
    (-math.inf, "must be a finite number, got -inf"),
    (2**63, "must be an int within 64 bits, got one of 64 bits; pass str(value)"),
    (-(2**63), "must be an int within 64 bits"),
    pytest.param(10**5000, "must be an int within 64 bits", id="huge"),
    ({1: "a"}, "must have str keys only, got the key 1"),
    ({True: "a"}, "must have str keys only, got the key True"),
    ({None: "a"}, "must have str keys only, got the key None"),
    ({Name("k"): 1}, f"must have str keys only, got the key {__name__}.Name"),
]


@pytest.mark.parametrize(("value", "words"), REFUSED)
def test_what_is_not_strict_json_is_refused_wherever_it_stands_and_the_path_says_where(value: Any, words: str) -> None:
    for args, kwargs, path in (
        ((value,), {}, "args[0] "),
        ((0, {"user": [1, value]}), {}, 'args[1]["user"][1] '),
        ((), {"born": value}, 'kwargs["born"] '),
        (("x",), {"a": 1, "list of": {"b": value}}, 'kwargs["list of"]["b"] '),
    ):
        with pytest.raises(PayloadError) as caught:
            encode_call(args, kwargs)
        assert str(caught.value).startswith(path)
        assert words in str(caught.value)
    with pytest.raises(PayloadError) as caught:
        encode([value])
    assert str(caught.value).startswith("result[0] ")
    assert words in str(caught.value)


def test_a_payload_error_is_a_hourwheel_error_a_type_error_and_a_value_error() -> None:
    with pytest.raises(PayloadError) as caught:
        encode(object())
    assert isinstance(caught.value, (HourwheelError, TypeError, ValueError))
    assert PayloadError.__mro__.index(HourwheelError) < PayloadError.__mro__.index(TypeError)


def test_the_name_given_to_encode_is_the_root_of_the_path() -> None:
    with pytest.raises(PayloadError, match=r'^meta\["a"\] must be'):
        encode({"a": object()}, "meta")


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_nesting_is_bounded_in_both_directions_without_a_recursion_error() -> None:
    assert decode(encode(nested(64))) == nested(64)
    assert decode_call(encode_call((nested(63),), {})) == ((nested(63),), {})
    for refused in (lambda: encode(nested(65)), lambda: encode_call((nested(64),), {}), lambda: encode(nested(900))):
        with pytest.raises(PayloadError, match="nested at most 64 deep; pass an id"):
            refused()
    for text in ("[" * 66 + "]" * 66, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000, "[" * 100_000):
        with pytest.raises(PayloadError):
            decode(text)


def test_a_cycle_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(PayloadError, match="nested at most 64 deep"):
        encode_call((loop,), {})


def test_the_count_of_values_is_bounded_in_both_directions() -> None:
    assert decode(encode([0] * 9_999)) == [0] * 9_999
    for refused in (
        lambda: encode([0] * 10_000),
        lambda: encode_call((0,) * 10_001, {}),
        lambda: encode_call((), {str(n): 0 for n in range(10_001)}),
        lambda: encode_call(([0] * 6_000,), {"a": [0] * 6_000}),
        lambda: decode("[" + "0," * 10_000 + "0]"),
        lambda: decode_call("[[" + "0," * 10_000 + "0],{}]"),
    ):
        with pytest.raises(PayloadError, match="at most 10000 values; pass an id"):
            refused()


def test_the_length_is_bounded_in_both_directions() -> None:
    most = "x" * (payload.MAX_BYTES - len('[[""],{}]'))
    assert decode_call(encode_call((most,), {}))[0] == (most,)
    for refused in (
        lambda: encode_call((most + "x",), {}),
        lambda: encode_call((), {"text": most}),
        lambda: encode_call(([most],), {}),
        lambda: encode("é" * 50_000),  # six bytes each
        lambda: decode('"' + "x" * payload.MAX_BYTES + '"'),
        lambda: decode_call('[["' + most + 'x"],{}]'),
    ):
        with pytest.raises(PayloadError, match=r"must be at most 262144 bytes of JSON, got \d+; pass an id"):
            refused()


@pytest.mark.parametrize(
    "text",
    [
        "[[NaN],{}]",
        "[[Infinity],{}]",
        "[[-Infinity],{}]",
        "[[1e400],{}]",
        "[[9223372036854775808],{}]",
        "[[" + "9" * 5000 + "],{}]",
        '[[{"a":1,"a":2}],{}]',
        '[[],{"a":1,"a":2}]',
        '[[1],{"a":1},3]',
        "[[1]]",
        "[{},{}]",
        "[[],[]]",
        "[1,{}]",
        "1",
        "null",
        "",
        "[[1],{}",
        "[[1],{}] x,{}]",
        "[[1,],{}]",
        '[["\x01"],{}]',
        "[['a'],{}]",
    ],
)
def test_a_call_that_is_not_strict_json_is_refused_on_reading(text: str) -> None:
    with pytest.raises(PayloadError):
        decode_call(text)


@pytest.mark.parametrize(
    "text", ["NaN", "1e400", "-1e400", '{"a":1,"a":1}', '{"a":{"b":1,"b":2}}', "[1]]", "", "9" * 20]
)
def test_a_value_that_is_not_strict_json_is_refused_on_reading(text: str) -> None:
    with pytest.raises(PayloadError):
        decode(text)


def test_reading_bytes_is_refused() -> None:
    with pytest.raises(PayloadError, match="must be a JSON text, got bytes"):
        decode(b"[]")  # type: ignore[arg-type]


def test_a_text_that_a_person_has_laid_out_is_read() -> None:
    assert decode_call(' [ [1, "a"] , { "b" : [ ] } ]\n') == ((1, "a"), {"b": []})
    assert decode_call("[ [ 1 ], {} ]") == ((1,), {})


def test_a_brace_inside_a_string_does_not_mislead_the_fast_form() -> None:
    for args in (("{",), (",{}]",), ("}{",)):
        assert decode_call(encode_call(args, {})) == (args, {})


def test_args_must_be_a_tuple_and_kwargs_a_dict() -> None:
    with pytest.raises(PayloadError, match="args must be a tuple, got list"):
        encode_call([[1]], {})  # type: ignore[arg-type]
    with pytest.raises(PayloadError, match="kwargs must be a dict, got OrderedDict"):
        encode_call(([1],), OrderedDict(a=1))


def test_a_value_changed_by_another_thread_during_the_call_is_a_payload_error_at_worst() -> None:
    shared: dict[str, Any] = {"a": [1]}
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            shared[f"k{number % 50}"] = [number]
            shared.pop(f"k{(number + 25) % 50}", None)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(2_000):
            try:
                decode_call(encode_call((shared,), {}))
            except PayloadError:
                pass
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "call",
    [
        ((0,) * 9_999, {"a": 1}),
        (([0] * 9_999,), {}),
        ((), {"a": [0] * 9_999}),
        (([0] * 4_999, [1] * 4_999), {}),
    ],
)
def test_a_call_of_the_most_values_allowed_is_not_stored_only_to_be_unreadable_for_ever(call: Any) -> None:
    assert same(decode_call(encode_call(*call)), call)


@pytest.mark.parametrize("call", [(("\ud800\udfff",), {}), ((["x\ud800\udfff"],), {}), ((), {"\ud83d\ude00": 1})])
def test_a_string_that_json_would_give_back_as_another_one_is_refused_rather_than_changed(call: Any) -> None:
    with pytest.raises(PayloadError, match="pair of surrogates"):
        encode_call(*call)
    assert same(decode_call(encode_call(("\udfff\ud800",), {"\U0001f600": 1})), (("\udfff\ud800",), {"\U0001f600": 1}))
