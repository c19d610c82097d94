"""Shape: a job as somebody else may have written it, held to every rule before anybody trusts it.

The store reads back what it wrote, guarded by checksums, and can be quick about it. Text that comes from a damaged file
or from a person's editor is read here: keys in any order, blanks anywhere, but each field of its right type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from .... import payload as _payload
from ....clock import MAX_MS
from ....errors import PayloadError
from ....job import GIVES, NEEDS, After, Bound, Failure, Job, State
from ....shape import is_shape
from ...codec import bound_of, decode_job, fire_of, loads

_Rule = tuple[Callable[[Any], bool], str]


def _text(value: Any) -> bool:
    return type(value) is str and value != ""


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


def _instant(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_MS


def _integer(value: Any) -> bool:
    return type(value) is int


def _is_json(value: Any) -> bool:
    try:
        return type(value) is str and _payload.decode(value) is not ...
    except PayloadError:
        return False


def _or_null(rule: _Rule) -> _Rule:
    accepts, words = rule
    return lambda value: value is None or accepts(value), f"{words}, or null"


_TEXT: Final = (_text, "a string that is not empty")
_COUNT: Final = (_count, "a whole number, 0 or more")
_INSTANT: Final = (_instant, "milliseconds since the epoch, up to the year 9999")
_RULES: Final[dict[str, _Rule]] = {
    "id": _TEXT,
    "task": _TEXT,
    "due_ms": _INSTANT,
    "created_ms": _COUNT,
    "queue": _TEXT,
    "priority": (_integer, "a whole number"),
    "key": _or_null(_TEXT),
    "expires_ms": _or_null(_COUNT),
    "grace_ms": _or_null(_COUNT),
    "cancel_ms": _or_null(_COUNT),
    "latest_ms": _or_null(_INSTANT),
    "ignore_result": (lambda value: type(value) is bool, "true or false"),
    "note": _or_null((_is_json, "JSON text")),
    "max_crashes": (lambda value: _count(value) and value > 0, "a whole number, 1 or more"),
    "result_ttl_ms": _COUNT,
    "state": (lambda value: value in list(State), f"one of {', '.join(State)}"),
    "attempt": _COUNT,
    "crashes": _COUNT,
    "token": _COUNT,
    "owner": _or_null(_TEXT),
    "lease_until_ms": _or_null(_COUNT),
    "started_ms": _or_null(_COUNT),
    "finished_ms": _or_null(_COUNT),
    "reason": _or_null((lambda value: type(value) is str, "a string")),
}
_NEEDED: Final = ("id", "due_ms", "task")
_ABSENT: Final = object()


def job_of(fields: Mapping[str, Any]) -> Job:
    """The job of a parsed JSON object.

    Raises:
        ValueError: a field is missing or breaks its rule.

    >>> job_of({"task": "app.remind", "id": "a", "due_ms": 1000, "payload": [[1], {}]}).args
    (1,)
    """
    known: dict[str, Any] = {name: value for name, value in fields.items() if name in _RULES}
    for name in _NEEDED:
        if name not in known:
            raise ValueError(f"a job must have {name!r}")
    for name, value in known.items():
        accepts, words = _RULES[name]
        if not accepts(value):
            raise ValueError(f"{name} must be {words}, got {value!r}")
    known["state"] = State(known.get("state", State.SCHEDULED))
    return Job(
        **known,
        payload=_payload_of(fields.get("payload", [[], {}])),
        returned=None if fields.get("returned", _ABSENT) is _ABSENT else _json(fields["returned"], "returned"),
        error=_failure_of(fields.get("error")),
        wakes=_ids_of(fields.get("wakes", []), "wakes"),
        after=_after_of(fields.get("after")),
        limits=_limits_of(fields.get("limits", [])),
        fire=None if fields.get("fire") is None else fire_of(fields["fire"]),
        extra=_extra_of(fields),
    )


def _payload_of(value: Any) -> str:
    match value:
        case [list(args), dict(kwargs)]:
            try:
                return _payload.encode_call(tuple(args), kwargs)
            except PayloadError as error:
                raise ValueError(str(error)) from None
    raise ValueError(f"payload must be [[arguments], {{named arguments}}], got {value!r}")


def _json(value: Any, name: str) -> str:
    try:
        return _payload.encode(value, name)
    except PayloadError as error:
        raise ValueError(str(error)) from None


def _limits_of(value: Any) -> tuple[Bound, ...]:
    if type(value) is not list:
        raise ValueError(f"limits must be a list, got {value!r}")
    return tuple(map(bound_of, value))


def _failure_of(value: Any) -> Failure | None:
    match value:
        case None:
            return None
        case [str(type), str(message), str(traceback)]:
            return Failure(type, message, traceback)
    raise ValueError(f"error must be [type, message, traceback], three strings, got {value!r}")


def _ids_of(value: Any, name: str) -> tuple[str, ...]:
    if type(value) is not list or not all(map(_text, value)):
        raise ValueError(f"{name} must be a list of ids, got {value!r}")
    return tuple(value)


def _after_of(value: Any) -> After | None:
    match value:
        case None:
            return None
        case dict(fields) if {"ids", "left"} <= fields.keys() <= set(After._fields):
            after = After(**{**fields, "ids": _ids_of(fields["ids"], "after.ids")})
            if _is_after(after):
                return after
    raise ValueError(f"after must be ids, left, need, gives and delay_ms of jobs to wait for, got {value!r}")


def _is_after(after: After) -> bool:
    return (
        _count(after.left)
        and after.left <= len(after.ids)
        and after.need in NEEDS
        and after.gives in GIVES
        and _count(after.delay_ms)
        and is_shape(after.shape, len(after.ids))
    )


def _extra_of(fields: Mapping[str, Any]) -> str | None:
    unknown = {name: value for name, value in fields.items() if name not in Job._fields or name == "extra"}
    return _json(unknown, "job") if unknown else None


def read_job(raw: bytes) -> Job:
    """The job of a line of a file that is not to be trusted.

    Raises:
        ValueError: the line is not a job, whole and sound.
    """
    match loads(raw.decode("utf-8")):
        case dict(fields):
            return job_of(fields)
    raise ValueError("a job must be a JSON object")


def is_canonical(raw: bytes, job: Job) -> bool:
    """Whether the store, reading the line in its quick way, finds the very same job in it."""
    try:
        return decode_job(raw) == job
    except (ValueError, TypeError):
        return False
