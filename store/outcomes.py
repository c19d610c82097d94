"""Outcomes as they stand in a settle record: ``"succeeded",<result>`` and the like, the end of a JSON array."""

from __future__ import annotations

from typing import Any, Final

import simplejson

from .. import payload as _payload
from ..errors import PayloadError
from ..job import (
    Crashed,
    Failed,
    Failure,
    Followed,
    Job,
    Noted,
    Outcome,
    Released,
    Retried,
    Skipped,
    Snoozed,
    Succeeded,
)

_ENCODER: Final = simplejson.JSONEncoder(
    allow_nan=False, separators=(",", ":"), use_decimal=False, namedtuple_as_object=False, tuple_as_array=False
)

_CHANGES: Final = ("queue", "priority", "expires_ms")
"""What a retry may change of its job, beside the arguments."""
_NONE: Final = Job(id="", task="", due_ms=0)


def encode_outcome(outcome: Outcome) -> str:
    """An outcome as the elements of a JSON array, without its brackets.

    >>> encode_outcome(Succeeded(returned="[1]"))
    '"succeeded",[1]'
    """
    match outcome:
        case Succeeded(returned=returned):
            return f'"succeeded",{returned}'
        case Failed(error=error, reason=reason):
            parts: list[Any] = ["failed", list(error), reason]
        case Retried(due_ms=due_ms, error=error, payload=payload):
            parts = ["retried", due_ms, None if error is None else list(error)]
            changes = {name: value for name in _CHANGES if (value := getattr(outcome, name)) is not None}
            parts += [payload, changes] if changes else [] if payload is None else [payload]
        case Snoozed(due_ms=due_ms, reason=reason):
            parts = ["snoozed", due_ms, reason]
        case Released(reason=reason):
            parts = ["released", reason]
        case Crashed(reason=reason):
            parts = ["crashed", reason]
        case Noted(note=None, reason=reason):
            parts = ["waits", reason]
        case Noted(note=note):
            return f'"noted",{note}'
        case Skipped(reason=reason):
            parts = ["skipped", reason]
        case Followed(missed=missed):
            parts = ["followed", missed]  # the job that is added stands in a line of its own
    return str(_ENCODER.encode(parts))[1:-1]


def decode_outcome(parts: list[Any]) -> Outcome:
    """The outcome of these elements.

    Raises:
        ValueError: they are none.
    """
    match parts:
        case ["succeeded", returned]:
            outcome: Outcome = Succeeded(returned=_encoded(returned))
        case ["failed", [type, message, traceback], reason]:
            outcome = Failed(error=Failure(type, message, traceback), reason=reason)
        case ["retried", due_ms, error, *rest]:
            outcome = Retried(due_ms=due_ms, error=_failure(error), **_changes(rest))
        case ["snoozed", due_ms, reason]:
            outcome = Snoozed(due_ms=due_ms, reason=reason)
        case ["released", reason]:
            outcome = Released(reason=reason)
        case ["crashed", reason]:
            outcome = Crashed(reason=reason)
        case ["noted", note]:
            outcome = Noted(note=_encoded(note))
        case ["waits", reason]:
            outcome = Noted(reason=reason)
        case ["followed", int(missed)]:
            outcome = Followed(job=_NONE, missed=missed)
        case ["skipped", reason]:
            outcome = Skipped(reason=reason)
        case _:
            raise ValueError(f"not an outcome: {parts!r}")
    return outcome


def _encoded(returned: Any) -> str:
    if returned is None:
        return "null"
    try:
        return _payload.encode(returned)
    except PayloadError as error:
        raise ValueError(str(error)) from None


def _changes(rest: list[Any]) -> dict[str, Any]:
    match rest:
        case [] | [_]:
            return dict(zip(("payload",), rest, strict=False))
        case [payload, dict(changes)] if changes.keys() <= {*_CHANGES}:
            return {"payload": payload, **changes}
    raise ValueError(f"not what a retry changes: {rest!r}")


def _failure(error: Any) -> Failure | None:
    match error:
        case None:
            return None
        case [_, _, _]:
            return Failure(*error)
    raise ValueError(f"not a failure: {error!r}")
