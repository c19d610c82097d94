"""Fields: the one table of what a job consists of, and of what each field may be.

A row says how the field stands in JSON text, and which rule its value keeps. Three readers share it: the codec, which
reads what the store has written and looks at types alone; admission, which looks at a job that is to be added; and
repair, which reads what anybody may have written. A new field is a line in Job, which has its default, and a row here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from .. import payload as _payload
from ..clock import MAX_MS
from ..errors import InvalidValue, PayloadError
from ..job import GIVES, NEEDS, After, Bound, Failure, Fire, Job, State
from ..shape import is_shape

MOST: Final = 1 << 62
"""Instants and numbers stay below: the index of a snapshot keeps them in 64 bits."""
REQUIRED: Final = object()
T = TypeVar("T")


class Kind(NamedTuple):
    """What some fields have in common."""

    type: type
    """Of the value in JSON."""
    rule: str
    """In words, to follow "must be"."""
    holds: Callable[[Any], bool]
    """Whether a value of the field keeps the rule. None is never asked about."""
    read: Callable[[Any], Any] | None = None
    """The field's value of the one in JSON, if they differ. It may raise ValueError, TypeError or KeyError."""
    write: Callable[[Any], Any] | None = None
    """The other way round."""
    least: int = 0
    """Of numbers."""


class Field(NamedTuple):
    """A row of the table."""

    name: str
    kind: Kind
    unset: str = ""
    """Of what no job has before it is claimed or has ended: the rule, in words, for one that is to be added."""

    @property
    def default(self) -> Any:
        """As Job has it, or REQUIRED. A field may be None if that is its default."""
        return Job._field_defaults.get(self.name, REQUIRED)

    @property
    def nullable(self) -> bool:
        """Whether null in JSON says that there is none; a result may be null itself."""
        return self.default is None and self.kind.type is not object

    def sound(self, value: Any) -> Any:
        """The field's value of one in JSON that anybody may have written.

        Raises:
            ValueError: it breaks the rule.
        """
        kind = self.kind
        if value is None and self.nullable:
            return None
        made: Any = ...
        if kind.type in (object, type(value)):
            try:
                made = value if kind.read is None else kind.read(value)
            except PayloadError:
                raise
            except (ValueError, TypeError, KeyError):
                pass
        if not kind.holds(made):
            raise ValueError(f"{self.name} must be {kind.rule}{', or null' * self.nullable}, got {value!r}")
        return made


def refuse_unsound(job: Job) -> None:
    """Raise unless a job that is to be added could be read back as it is.

    Raises:
        InvalidValue: a field breaks its rule.
        PayloadError: the payload is not ``[[...],{...}]`` in strict JSON.
    """
    for value, (default, field) in zip(job, _TO_ADD, strict=True):
        if value is default or (not field.unset and field.kind.holds(value)):
            continue
        if type(value) is not type(default) or value != default:
            raise InvalidValue.of(field.name, field.unset or field.kind.rule + " or None" * (default is None), value)
    if not job.payload.isascii() or "\n" in job.payload:
        raise InvalidValue.of("payload", "one line of ASCII", job.payload)
    _payload.decode_call(job.payload)


def refuse_odd(name: str, value: object) -> None:
    """Raise unless a field may be this, also after its job was claimed.

    Raises:
        InvalidValue: it breaks the field's rule.
    """
    field = IN_TEXT[name]
    if not (value is None and field.default is None) and not field.kind.holds(value):
        raise InvalidValue.of(name, field.kind.rule + " or None" * (field.default is None), value)


def refuse_odd_instant(name: str, value: object) -> None:
    """Raise unless it is an instant that a job may be due at.

    Raises:
        InvalidValue: it is none.
    """
    if type(value) is not int or not 0 <= value <= MAX_MS:
        raise InvalidValue.of(name, _DUE.rule, value)


# ---- the rules -------------------------------------------------------------------------------------------


def _is_text(value: object) -> bool:
    return type(value) is str and value != "" and _payload.comes_back(value)


def _is_whole(value: object) -> bool:
    return type(value) is int and 0 <= value < MOST


def _is_extra(value: object) -> bool:
    return (
        type(value) is str
        and value.isascii()
        and "\n" not in value
        and type(inside := _parsed(value)) is dict
        and IN_TEXT.keys().isdisjoint(inside)
    )


def _parsed(value: Any) -> Any:
    """The value of a JSON text; ``...`` if it is none."""
    try:
        return _payload.decode(value)
    except PayloadError:
        return ...


def _is_failure(value: object) -> bool:
    return type(value) is Failure and all(type(part) is str for part in value)


def _are_ids(value: object) -> bool:
    return type(value) is tuple and all(map(_is_text, value))


def _is_after(value: object) -> bool:
    return (
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
    return (
        type(value) is Fire
        and _is_text(value.schedule)
        and _is_whole(value.at_ms)
        and _is_text(value.spec)
        and type(value.followed) is bool
        and _is_whole(value.missed)
        and _are_ids(value.before)
        and type(value.stored) is bool
    )


# ---- what is written otherwise in JSON -------------------------------------------------------------------


def _call_of(value: Any) -> str:
    match value:
        case [list(args), dict(kwargs)]:
            return _payload.encode_call(tuple(args), kwargs)
    raise ValueError("not a call")


def _bounds_of(value: Any) -> tuple[Bound, ...]:
    return _kept(tuple(Bound(name, most, per_ms) for name, most, per_ms in value), _are_bounds)


def _fire_of(parts: Any) -> Fire:
    match parts:
        case [schedule, at_ms, spec, followed, missed]:
            return _kept(Fire(schedule, at_ms, spec, followed, missed), _is_fire)
        case [schedule, at_ms, spec, followed, missed, list(before)]:
            return _kept(Fire(schedule, at_ms, spec, followed, missed, tuple(before)), _is_fire)
        case [schedule, at_ms, spec, followed, missed, list(before), stored]:
            return _kept(Fire(schedule, at_ms, spec, followed, missed, tuple(before), stored), _is_fire)
    raise ValueError("not a fire")


def _of_fire(fire: Fire) -> list[Any]:
    """The parts; those that few fires have only if they are there."""
    more = [list(fire.before), fire.stored] if fire.stored else [list(fire.before)] if fire.before else []
    return [*fire[:5], *more]


def _kept(value: T, holds: Callable[[T], bool]) -> T:
    if not holds(value):
        raise ValueError("it breaks its rule")
    return value


def _after_of(fields: Any) -> After:
    if type(fields["ids"]) is not list:
        raise ValueError("not a list of ids")
    return After(**{**fields, "ids": tuple(fields["ids"])})


def _after_in_json(after: After) -> dict[str, Any]:
    return {name: value for name, value in after._asdict().items() if value != ""} | {"ids": list(after.ids)}


# ---- the table -------------------------------------------------------------------------------------------

_TEXT: Final = Kind(str, "a string that is not empty", _is_text)
_STRING: Final = Kind(str, "a string", lambda value: type(value) is str and _payload.comes_back(value))
_JSON: Final = Kind(str, "JSON text", lambda value: _parsed(value) is not ...)
_BOOL: Final = Kind(bool, "True or False", lambda value: type(value) is bool)
_COUNT: Final = Kind(int, "a whole number, 0 or more", _is_whole)
_FROM_1: Final = Kind(int, "a whole number, 1 or more", lambda value: _is_whole(value) and value > 0)
_SIGNED: Final = Kind(
    int, "a whole number within 62 bits", lambda value: type(value) is int and -MOST < value < MOST, least=1 - MOST
)
_MS: Final = Kind(int, "whole milliseconds", _is_whole)
_INSTANT: Final = Kind(int, "whole milliseconds since the epoch", _is_whole)
_DUE: Final = Kind(
    int,
    "whole milliseconds since the epoch, up to the year 9999",
    lambda value: type(value) is int and 0 <= value <= MAX_MS,
)
_STATE: Final = Kind(str, f"one of {', '.join(State)}", lambda value: type(value) is State, State, str)
_CALL: Final = Kind(list, "[[arguments], {named arguments}] as JSON text", _is_text, _call_of)
_RESULT: Final = Kind(object, "JSON text", _is_text, lambda value: _payload.encode(value, "returned"))
_FAILURE: Final = Kind(
    list,
    "a Failure of three strings, in JSON [type, message, traceback]",
    _is_failure,
    lambda parts: Failure(*parts),
    list,
)
_IDS: Final = Kind(list, "a tuple of ids, in JSON a list", _are_ids, tuple, list)
_BOUNDS: Final = Kind(
    list,
    "a tuple of Bounds, the most of each 1 or more, in JSON a list of [name, most, per_ms]",
    _are_bounds,
    _bounds_of,
    lambda bounds: list(map(list, bounds)),
)
_FIRE: Final = Kind(
    list, "a Fire, in JSON [schedule, at_ms, spec, followed, missed, before, stored]", _is_fire, _fire_of, _of_fire
)
_AFTER: Final = Kind(
    dict,
    "an After whose numbers are whole, in JSON an object of ids, left, need, gives and delay_ms",
    _is_after,
    _after_of,
    _after_in_json,
)
_EXTRA: Final = Kind(object, "the JSON text of an object of other fields, in one line of ASCII", _is_extra)

_UNCLAIMED: Final = "None for a job that nobody has claimed"
_UNFINISHED: Final = "None for a job that has not finished"
FIELDS: Final = (  # in the order of the text
    Field("id", _TEXT),
    Field("due_ms", _DUE),
    Field("task", _TEXT),
    Field("created_ms", _INSTANT),
    Field("queue", _TEXT),
    Field("priority", _SIGNED),
    Field("key", _TEXT),
    Field("expires_ms", _INSTANT),
    Field("max_crashes", _FROM_1),
    Field("result_ttl_ms", _MS),
    Field("state", _STATE, unset="scheduled"),
    Field("attempt", _COUNT),
    Field("crashes", _COUNT),
    Field("token", _COUNT, unset="0 for a job that nobody has claimed"),
    Field("owner", _TEXT, unset=_UNCLAIMED),
    Field("started_ms", _INSTANT),
    Field("finished_ms", _INSTANT, unset=_UNFINISHED),
    Field("reason", _STRING),
    Field("grace_ms", _MS),
    Field("cancel_ms", _INSTANT, unset="None for a job that does not run"),
    Field("latest_ms", _DUE),
    Field("note", _JSON, unset="None for a job that has not run"),
    Field("ignore_result", _BOOL),
    Field("error", _FAILURE),
    Field("wakes", _IDS),
    Field("limits", _BOUNDS),
    Field("fire", _FIRE),
    Field("after", _AFTER),
    Field("extra", _EXTRA),
    Field("payload", _CALL),
    Field("returned", _RESULT, unset=_UNFINISHED),
)
IN_TEXT: Final = {field.name: field for field in FIELDS if field.kind is not _EXTRA}
"""By the names of the keys. What is in ``extra`` has keys of its own."""
_TO_ADD: Final = [(field.default, field) for field in sorted(FIELDS, key=lambda field: Job._fields.index(field.name))]
