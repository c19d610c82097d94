"""Effects as a settle record has them: ``"succeeded",<result>`` and the like, the end of a JSON array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .. import payload as _payload
from ..errors import InvalidValue, PayloadError
from ..job import FINISHED, Failure, Job, State
from ..turn import Again, Effect, End, Keep
from .codec import dumps
from .fields import IN_TEXT, refuse_odd, refuse_odd_instant, refuse_unsound

_CHANGES: Final = frozenset({"attempt", "crashes", "error", "reason", "queue", "priority", "expires_ms", "payload"})
"""The fields of a job that an effect may change, besides those that its kind always changes."""
_NEXT: Final = Job(id="", task="", due_ms=0)
"""Stands for the next fire, which has a line of its own in the journal."""
_SUCCEEDED: Final = '"succeeded",'


def refuse_odd_effect(effect: Effect) -> None:
    """Raise unless what an effect changes could be read back as it is.

    Raises:
        InvalidValue, PayloadError: it could not.
    """
    if isinstance(effect, Keep):
        refuse_odd("reason", effect.reason)
        if effect.note is not None:
            _refuse_odd_text("note", effect.note)
        if effect.next is not None:
            refuse_unsound(effect.next)
        return
    if isinstance(effect, Again):
        refuse_odd_instant("due_ms", effect.due_ms)
    elif effect.state is State.SUCCEEDED:
        _refuse_odd_text("returned", effect.returned)
    for name, value in effect.changes.items():
        if name not in _CHANGES:
            raise InvalidValue.of("the changes of an effect", f"some of {', '.join(sorted(_CHANGES))}", name)
        refuse_odd(name, value)


def _refuse_odd_text(name: str, value: Any) -> None:
    """It stands in a line of the journal as it is."""
    fits = type(value) is str and value.isascii() and "\n" not in value and IN_TEXT["note"].kind.holds(value)
    if not fits:
        raise InvalidValue.of(name, "JSON text in one line of ASCII, null for none", value)


def encode_effect(effect: Effect) -> str:
    """An effect as the elements of a JSON array, without its brackets.

    >>> encode_effect(End(State.SUCCEEDED, "[1]"))
    '"succeeded",[1]'
    >>> encode_effect(Again(5, {"reason": "later"}))
    '"again",5,{"reason":"later"}'
    """
    if isinstance(effect, End):
        if effect.state is State.SUCCEEDED:
            return f"{_SUCCEEDED}{effect.returned}"
        parts: list[Any] = [effect.state.value, _plain(effect.changes)]
    elif isinstance(effect, Again):
        parts = ["again", effect.due_ms, _plain(effect.changes)]
    elif effect.next is not None:
        parts = ["followed", effect.missed]
    elif effect.note is not None:
        return f'"noted",{effect.note}'
    else:
        parts = ["waits", effect.reason]
    return dumps(parts)[1:-1]


def _plain(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if type(value) is Failure else value for name, value in changes.items()}


def decode_effect(parts: list[Any]) -> Effect:
    """The effect of these elements; ValueError if they are none."""
    match parts:
        case ["succeeded", returned]:
            return End(State.SUCCEEDED, _encoded(returned))
        case ["again", int(due_ms), dict(changes)]:
            return Again(due_ms, _checked(changes))
        case ["noted", note]:
            return Keep(_encoded(note))
        case ["waits", None | str() as reason]:
            return Keep(reason=reason)
        case ["followed", int(missed)]:
            return Keep(next=_NEXT, missed=missed)
        case [str(name), dict(changes)] if name in FINISHED:
            return End(State(name), changes=_checked(changes))
    raise ValueError(f"not an effect: {parts!r:.200}")


def _encoded(value: Any) -> str:
    if value is None:
        return "null"
    try:
        return _payload.encode(value)
    except PayloadError as error:
        raise ValueError(str(error)) from None


def _checked(changes: dict[str, Any]) -> dict[str, Any]:
    if not changes.keys() <= _CHANGES:
        raise ValueError(f"an effect cannot change {sorted(changes.keys() - _CHANGES)!r:.200}")
    match changes.get("error"):
        case None:
            return changes
        case [str(), str(), str()] as error:
            return {**changes, "error": Failure(*error)}
    raise ValueError(f"not a failure: {changes['error']!r:.200}")
