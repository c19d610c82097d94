"""Strict JSON for arguments and results: a value is read back exactly as it was written, or it is refused.

Accepted are None, bool, int, float, str, list and dict, *exactly* these types. A subclass (a namedtuple, an IntEnum) or
another type (a Decimal) would come back as something else, days later, in another process. Keys of dicts are str, ints
fit into 64 bits, floats are finite. Nesting is at most 64 deep, with at most 10,000 values and 256 KiB of JSON text.
The same rules apply to reading, because you may edit the file: ``1e400`` would be read as infinity, and of two equal
keys JSON would silently keep one.

There are two checks. ``_sound`` is fast and only says yes or no; every call uses it. ``_fault`` finds the path and the
reason for an error message. Calls with only scalars as arguments, the most usual ones, bypass the general encoder.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, Final, NoReturn

from simplejson import JSONDecoder, JSONEncoder
from simplejson.encoder import encode_basestring_ascii as _quote

from .errors import PayloadError
from .hints import AN_ID, hint, hint_of_int, hint_of_keys

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 64
MAX_NODES: Final = 10_000
MAX_INT: Final = 2**63
GATHERED_BYTES: Final = 64 << 20
"""The most bytes of JSON that a job may get from the jobs that it waited for, together with its own arguments."""
GATHERED_NODES: Final = 2_000_000
"""The most values, likewise."""
_OF_CALL: Final = 3
"""The containers of ``[args, kwargs]`` itself, which do not count towards MAX_NODES."""

_WRITE: Final = JSONEncoder(
    allow_nan=False,
    ignore_nan=False,
    ensure_ascii=True,  # lone surrogates survive only as escapes
    separators=(",", ":"),
    encoding=None,  # type: ignore[arg-type]  # None refuses bytes; the stubs know only str
    use_decimal=False,
    namedtuple_as_object=False,
    tuple_as_array=False,
    iterable_as_array=False,
    for_json=False,
    bigint_as_string=False,
    int_as_string_bitcount=None,
    skipkeys=False,
    check_circular=True,
).encode
_NUMBER: Final = int.__repr__
_FLOAT: Final = float.__repr__


_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def comes_back(text: str) -> bool:
    """Whether a string survives JSON: a pair of surrogates would come back as one character."""
    return text.isascii() or _PAIR.search(text) is None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has the same key twice")
    return made


_READ: Final = JSONDecoder(object_pairs_hook=_unique, allow_nan=False)
_SCAN: Final = JSONDecoder(allow_nan=False).scan_once
"""Reads text whose only object is empty: without the check for equal keys, which takes most of the time."""


# ---- calls -----------------------------------------------------------------------------------------------


def encode_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Encode the arguments of a call as JSON text: ``[[...],{...}]`` in ASCII, without blanks.

    Raises:
        PayloadError: an argument is not strict JSON. The message has the path to it.

    >>> encode_call((1, "hello"), {"urgent": True})
    '[[1,"hello"],{"urgent":true}]'
    """
    parts = []
    for value in args:
        kind = type(value)
        if kind is str:
            if not comes_back(value):
                return _encode_any(args, kwargs)
            parts.append(_quote(value))
        elif kind is int and -MAX_INT < value < MAX_INT:
            parts.append(_NUMBER(value))
        elif value is None:
            parts.append("null")
        elif kind is bool:
            parts.append("true" if value else "false")
        elif kind is float and isfinite(value):
            parts.append(_FLOAT(value))
        else:
            return _encode_any(args, kwargs)
    if kwargs:
        return _encode_named(args, kwargs, parts)
    text = "[[" + ",".join(parts) + "],{}]"
    if len(text) > MAX_BYTES or len(parts) > MAX_NODES:
        return _encode_any(args, kwargs)
    return text


def _encode_named(args: tuple[Any, ...], kwargs: dict[str, Any], parts: list[str]) -> str:
    named = _scalar_pairs(kwargs)
    if named is None or len(parts) + len(kwargs) > MAX_NODES:
        return _encode_any(args, kwargs)
    text = "[[" + ",".join(parts) + "],{" + named + "}]"
    if len(text) > MAX_BYTES:
        return _encode_any(args, kwargs)
    return text


def _scalar_pairs(kwargs: dict[str, Any]) -> str | None:
    """Encode the inside of a JSON object if all values are scalars; otherwise return None."""
    parts = []
    for key, value in kwargs.items():
        kind = type(value)
        if kind is str:
            if not comes_back(value):
                return None
            text = _quote(value)
        elif kind is int and -MAX_INT < value < MAX_INT:
            text = _NUMBER(value)
        elif value is None:
            text = "null"
        elif kind is bool:
            text = "true" if value else "false"
        elif kind is float and isfinite(value):
            text = _FLOAT(value)
        else:
            return None
        if type(key) is not str or not comes_back(key):
            return None
        parts.append(_quote(key) + ":" + text)
    return ",".join(parts)


def _encode_any(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    listed, most = list(args), MAX_NODES + _OF_CALL - 1
    if type(args) is not tuple or _sound(listed, _sound(kwargs, most, MAX_DEPTH), MAX_DEPTH) < 0:
        _refuse_call(args, kwargs, 0)
    text = _encode([listed, kwargs], "args")
    if len(text) > MAX_BYTES:
        _refuse_call(args, kwargs, len(text))
    return text


def decode_call(text: str, *, gathered: bool = False) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Decode the arguments of a call from the text that encode_call made.

    ``gathered``: results of other jobs were added, so the larger limits apply.

    Raises:
        PayloadError: the text is not ``[[...],{...}]`` in strict JSON.

    >>> decode_call('[[1,"hello"],{}]')
    ((1, 'hello'), {})
    """
    if text.count("{") == 1 and text.endswith(",{}]") and len(text) <= MAX_BYTES:
        call = _scan_scalars(text)
        if call is not None:
            return call
    if gathered:  # a result may be as deep as a whole call, and is inside lists of results
        value = _read(text, GATHERED_NODES + _OF_CALL, GATHERED_BYTES, 2 * MAX_DEPTH)
    else:
        value = _read(text, MAX_NODES + _OF_CALL)
    if type(value) is not list or len(value) != 2 or type(value[0]) is not list or type(value[1]) is not dict:
        raise PayloadError(f"payload must be a JSON text [[...],{{...}}], got {_shown(text)}")
    return tuple(value[0]), value[1]


def _scan_scalars(text: str) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Decode a call whose arguments are all valid scalars; return None for others, which the general path handles."""
    try:
        call, end = _SCAN(text, 0)
        args, kwargs = call
    except (ValueError, TypeError, StopIteration, RecursionError, MemoryError):
        return None
    if end != len(text) or type(args) is not list or len(args) > MAX_NODES:
        return None
    for value in args:
        kind = type(value)
        if kind is int:
            if not -MAX_INT < value < MAX_INT:
                return None
        elif kind is float:
            if not isfinite(value):
                return None
        elif kind is not str and value is not None and kind is not bool:
            return None
    return tuple(args), kwargs


# ---- values ----------------------------------------------------------------------------------------------


def encode(value: Any, name: str = "result") -> str:
    """Encode one value as JSON text. ``name``: what to call it in error messages, the root of the path.

    Raises:
        PayloadError: the value is not strict JSON. The message has the path to the part that is not.

    >>> encode({"sent": [1, 2]})
    '{"sent":[1,2]}'
    """
    if value is None:
        return "null"
    if _sound(value, MAX_NODES, MAX_DEPTH) < 0:
        _refuse(value, name)
    text = _encode(value, name)
    if len(text) > MAX_BYTES:
        raise _too_long(name, len(text))
    return text


def decode(text: str) -> Any:
    """Decode a JSON text, by the same rules as encode().

    Raises:
        PayloadError: the text is not JSON, has a key twice, or has a value that encode() would refuse.

    >>> decode('{"sent":[1,2]}')
    {'sent': [1, 2]}
    """
    return _read(text, MAX_NODES)


def _read(text: str, nodes: int, most: int = MAX_BYTES, depth: int = MAX_DEPTH + 1) -> Any:
    if type(text) is not str:
        raise PayloadError(f"payload must be a JSON text, got {type(text).__name__}")
    if len(text) > most:
        raise _too_long("payload", len(text), most)
    try:
        value = _READ.decode(text)
    except (ValueError, RecursionError, MemoryError) as error:
        raise PayloadError(f"payload must be strict JSON, got {_shown(text)}: {error}") from None
    if _sound(value, nodes, depth) < 0:
        _refuse(value, "payload", depth, MAX_NODES if most == MAX_BYTES else GATHERED_NODES)
    return value


def _encode(value: Any, name: str) -> str:
    """Encode a value that was checked. It can still fail if another thread changes the value meanwhile."""
    try:
        return str(_WRITE(value))
    except (TypeError, ValueError, RecursionError, RuntimeError) as error:
        raise PayloadError(f"{name} must not change during the call: {error}") from None


# ---- the walk --------------------------------------------------------------------------------------------


def _sound(value: Any, room: int, depth: int) -> int:  # noqa: PLR0911 - one for each type
    """Return how many more values are allowed after this one; negative if a value is not strict JSON."""
    kind = type(value)
    if kind is str:
        return room - 1 if comes_back(value) else -1
    if value is None or kind is bool:
        return room - 1
    if kind is int:
        return room - 1 if -MAX_INT < value < MAX_INT else -1
    if kind is float:
        return room - 1 if isfinite(value) else -1
    if kind is list:
        inside = value
    elif kind is dict:
        for key in [*value]:  # a copy: another thread may change the dict meanwhile
            if type(key) is not str or not comes_back(key):
                return -1
        inside = [*value.values()]
    else:
        return -1
    if depth == 0:
        return -1
    room -= 1
    for item in inside:
        if room < 0:
            return -1
        room = _sound(item, room, depth - 1)
    return room


def _refuse_call(args: Any, kwargs: Any, length: int) -> NoReturn:
    if type(args) is not tuple:
        raise PayloadError(f"args must be a tuple, got {type(args).__name__}")
    if type(kwargs) is not dict:
        raise PayloadError(f"kwargs must be a dict, got {type(kwargs).__name__}")
    if length > MAX_BYTES:
        raise _too_long("the arguments", length)
    for path, value in (("args", list(args)), ("kwargs", kwargs)):
        fault = _fault(value, path, MAX_DEPTH)
        if fault is not None:
            raise PayloadError(fault)
    raise PayloadError(f"the arguments must be at most {MAX_NODES} values; {AN_ID}")


def _refuse(value: Any, name: str, depth: int = MAX_DEPTH, nodes: int = MAX_NODES) -> NoReturn:
    fault = _fault(value, name, depth)
    raise PayloadError(fault or f"{name} must be at most {nodes} values; {AN_ID}")


def _fault(value: Any, path: str, depth: int) -> str | None:  # noqa: PLR0911 - one for each type
    """Describe the first part of a value that is not strict JSON; None if each part is valid by itself."""
    kind = type(value)
    if kind is str:
        return None if comes_back(value) else f"{path} {_NO_PAIR}"
    if value is None or kind is bool:
        return None
    if kind is int:
        sound = -MAX_INT < value < MAX_INT
        found = f"{path} must be an int within 64 bits, got one of {value.bit_length()} bits"
        return None if sound else f"{found}; {hint_of_int(value)}"
    if kind is float:
        return None if isfinite(value) else f"{path} must be a finite number, got {value!r}; pass None, or str(value)"
    if kind is not list and kind is not dict:
        return f"{path} must be None, bool, int, float, str, list or dict, got {_named(value)}; {hint(value)}"
    if depth == 0:
        return f"{path} must be nested at most {MAX_DEPTH} deep; {AN_ID}"
    if kind is list:
        parts = [(f"{path}[{place}]", item) for place, item in enumerate(value)]
    else:
        for key in [*value]:
            if type(key) is not str:
                return f"{path} must have str keys only, got the key {_named(key)}; {hint_of_keys([*value])}"
            if not comes_back(key):
                return f"a key of {path} {_NO_PAIR}"
        parts = [(f"{path}[{_key(key)}]", item) for key, item in [*value.items()]]
    return next((fault for inner, item in parts if (fault := _fault(item, inner, depth - 1))), None)


_NO_PAIR: Final = "must not have a pair of surrogates: it would come back as a single character"


def _named(value: object) -> str:
    kind = type(value)
    if kind in (int, float, bool) or value is None:
        return repr(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _key(key: str) -> str:
    return '"' + key + '"' if re.fullmatch(r"[\w .:/-]{1,80}", key) else _shown(key)


def _shown(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= 80 else shown[:77] + "..."


def _too_long(name: str, length: int, most: int = MAX_BYTES) -> PayloadError:
    return PayloadError(f"{name} must be at most {most} bytes of JSON, got {length}; {AN_ID}")
