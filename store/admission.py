"""Admission: what a job must be that somebody wants to add, so that it can be read back as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .. import payload as _payload
from ..errors import InvalidValue
from ..job import GIVES, NEEDS, After, Bound, Failure, Fire, Job, State
from ..shape import is_shape
from .codec import MOST, loads


def refuse_unsound(job: Job) -> None:
    """Raise unless a job that somebody wants to add could be read back as it is.

    Raises:
        InvalidValue: a field breaks its rule.
        PayloadError: the payload is not ``[[...],{...}]`` in strict JSON.
    """
    for name, rule, holds in _RULES:
        value = getattr(job, name)
        if not holds(value):
            raise InvalidValue.of(name, rule, value)
    if not job.payload.isascii() or "\n" in job.payload:
        raise InvalidValue.of("payload", "one line of ASCII", job.payload)
    _payload.decode_call(job.payload)


def checked_max_pending(value: int | None) -> int | None:
    """The number of jobs that may wait, if it keeps its rule."""
    if value is not None and (type(value) is not int or value < 1):
        raise InvalidValue.of("max_pending", "a whole number, 1 or more, or None", value)
    return value


def _is_whole(value: object) -> bool:
    return type(value) is int and 0 <= value < MOST


def _is_whole_or_none(value: object) -> bool:
    return value is None or _is_whole(value)


def _is_text(value: object) -> bool:
    return type(value) is str and value != "" and _payload.comes_back(value)


def _is_nothing(value: object) -> bool:
    return value is None


def _is_failure(value: object) -> bool:
    return value is None or (type(value) is Failure and all(type(part) is str for part in value))


def _is_object_text(value: object) -> bool:
    if value is None:
        return True
    try:
        return type(value) is str and value.isascii() and "\n" not in value and type(loads(value)) is dict
    except ValueError:
        return False


def _are_ids(value: object) -> bool:
    return type(value) is tuple and all(map(_is_text, value))


def _is_after(value: object) -> bool:
    return value is None or (
        type(value) is After
        and _are_ids(value.ids)
        and _is_whole(value.left)
        and value.left <= len(value.ids)
        and value.need in NEEDS
        and value.gives in GIVES
        and _is_whole(value.delay_ms)
        and is_shape(value.shape, len(value.ids))
    )


def _are_bounds(value: object) -> bool:
    return type(value) is tuple and all(
        type(bound) is Bound
        and _is_text(bound.name)
        and _is_whole(bound.most)
        and bound.most > 0
        and _is_whole(bound.per_ms)
        for bound in value
    )


def _is_fire(value: object) -> bool:
    return value is None or (
        type(value) is Fire and _is_text(value.schedule) and _is_whole(value.at_ms) and _is_text(value.spec)
    )


_RULES: Final[tuple[tuple[str, str, Callable[[object], bool]], ...]] = (
    ("id", "a string that is not empty", _is_text),
    ("task", "a string that is not empty", _is_text),
    ("due_ms", "whole milliseconds since the epoch (int)", _is_whole),
    ("created_ms", "whole milliseconds since the epoch (int)", _is_whole),
    ("payload", "JSON text", _is_text),
    ("queue", "a string that is not empty", _is_text),
    ("priority", "an int within 62 bits", lambda value: type(value) is int and -MOST < value < MOST),
    ("key", "a string or None", lambda value: value is None or _is_text(value)),
    ("expires_ms", "whole milliseconds since the epoch (int) or None", _is_whole_or_none),
    ("max_crashes", "an int, 1 or more", lambda value: _is_whole(value) and value != 0),
    ("result_ttl_ms", "whole milliseconds (int)", _is_whole),
    ("state", "scheduled", lambda value: value is State.SCHEDULED),
    ("attempt", "a whole number", _is_whole),
    ("crashes", "a whole number", _is_whole),
    ("token", "0 for a job that nobody has claimed", lambda value: type(value) is int and value == 0),
    ("owner", "None for a job that nobody has claimed", _is_nothing),
    ("lease_until_ms", "None for a job that nobody has claimed", _is_nothing),
    ("started_ms", "whole milliseconds since the epoch (int) or None", _is_whole_or_none),
    ("finished_ms", "None for a job that has not finished", _is_nothing),
    ("returned", "None for a job that has not finished", _is_nothing),
    ("error", "a Failure of three strings, or None", _is_failure),
    ("reason", "a string or None", lambda value: value is None or (type(value) is str and _payload.comes_back(value))),
    ("grace_ms", "whole milliseconds (int) or None", _is_whole_or_none),
    ("latest_ms", "whole milliseconds since the epoch (int) or None", _is_whole_or_none),
    ("cancel_ms", "None for a job that does not run", _is_nothing),
    ("note", "None for a job that has not run", _is_nothing),
    ("wakes", "a tuple of ids", _are_ids),
    ("after", "an After whose numbers are whole, or None", _is_after),
    ("limits", "a tuple of Bounds, the most of each 1 or more", _are_bounds),
    ("fire", "a Fire, or None", _is_fire),
    ("ignore_result", "True or False", lambda value: type(value) is bool),
    ("extra", "the JSON text of an object in one line of ASCII, or None", _is_object_text),
)
