"""Strict JSON for arguments and results: what is written is what is read, or the call is refused.

Accepted are None, bool, int, float, str, list and dict, *exactly* those types and not their subclasses: a namedtuple,
an IntEnum or a Decimal would come back as something else, days later, in another process. Dict keys are str; ints lie
within 64 bits; floats are finite; nesting is at most 64 deep, with at most 10,000 values and 256 KiB of JSON text.
The same walk guards both directions, because a person may edit the file: ``1e400`` reads as infinity, and of two
equal keys JSON would keep one in silence.

The walk has two forms. ``_sound`` only says yes or no and is on the path of every call; ``_fault`` walks again, slowly,
for the path and the reason. Calls of scalars alone, the usual kind, are written without the general encoder.
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
"""What a job is given of those it waited for, with its own arguments: at most so many bytes of JSON,"""
GATHERED_NODES: Final = 2_000_000
"""and so many values."""
_OF_CALL: Final = 3
"""``[args, kwargs]``: containers that are the call's own, not its caller's, and not counted among MAX_NODES."""

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
    """Whether JSON can say a string: two surrogates that are a pair would come back as one character."""
    return text.isascii() or _PAIR.search(text) is None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object names one key twice")
    return made


_READ: Final = JSONDecoder(object_pairs_hook=_unique, allow_nan=False)
_SCAN: Final = JSONDecoder(allow_nan=False).scan_once
"""Without the look for equal keys, which costs more than the rest: for texts that hold no object but the empty one."""


# ---- calls -----------------------------------------------------------------------------------------------


def encode_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The arguments of a call as JSON text.

    Args:
        args: the positional arguments; the tuple itself is the only one allowed.
        kwargs: the keyword arguments.

    Returns:
        ``[[...],{...}]`` in ASCII, without blanks.

    Raises:
        PayloadError: an argument is not strict JSON; the message names the path to it.

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
    """The inside of a JSON object, if its values are scalars; else None."""
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
    """The arguments of a call, from the text that encode_call made.

    Args:
        text: what it made.
        gathered: results of other jobs have been added, so that there may be more of it.

    Raises:
        PayloadError: the text is not ``[[...],{...}]`` in strict JSON.

    >>> decode_call('[[1,"hello"],{}]')
    ((1, 'hello'), {})
    """
    if text.count("{") == 1 and text.endswith(",{}]") and len(text) <= MAX_BYTES:
        call = _scan_scalars(text)
        if call is not None:
            return call
    if gathered:  # a result may be as deep as a whole call, and stands in lists of results
        value = _read(text, GATHERED_NODES + _OF_CALL, GATHERED_BYTES, 2 * MAX_DEPTH)
    else:
        value = _read(text, MAX_NODES + _OF_CALL)
    if type(value) is not list or len(value) != 2 or type(value[0]) is not list or type(value[1]) is not dict:
        raise PayloadError(f"payload must be a JSON text [[...],{{...}}], got {_shown(text)}")
    return tuple(value[0]), value[1]


def _scan_scalars(text: str) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """The call, if it is one of scalars alone and nothing is wrong with it; else None, and decode() says why."""
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
    """One value as JSON text.

    Args:
        value: what to write.
        name: what the value is called in the error, the root of the path.

    Raises:
        PayloadError: the value is not strict JSON; the message names the path to the offending part.

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
    """The value of a JSON text, held to the same rules as encode().

    Raises:
        PayloadError: the text is no JSON, names a key twice, or holds what encode() would have refused.

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
    """Write what was found sound; it can fail still, if another thread changes the value meanwhile."""
    try:
        return str(_WRITE(value))
    except (TypeError, ValueError, RecursionError, RuntimeError) as error:
        raise PayloadError(f"{name} must be JSON and not change during the call: {error}") from None


# ---- the walk --------------------------------------------------------------------------------------------


def _sound(value: Any, room: int, depth: int) -> int:  # noqa: PLR0911 - one for each type
    """How many more values there is room for after this one; below zero if anything is not strict JSON."""
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
        for key in [*value]:  # copies, because another thread may change the value during the walk
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
    """The first thing about the value that is not strict JSON, in words; None if each part for itself is."""
    kind = type(value)
    if kind is str:
        return None if comes_back(value) else f"{path} {_NO_PAIR}"
    if value is None or kind is bool:
        return None
    if kind is int:
        sound = -MAX_INT < value < MAX_INT
        found = f"{path} must be an int within 64 bits, got one of {value.bit_length()}"
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


_NO_PAIR: Final = "must not hold a pair of surrogates: it would come back as the one character that it stands for"


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
