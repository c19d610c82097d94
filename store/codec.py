"""Codec: jobs as JSON text, as they stand in the journal and the snapshot, and back.

A job is one JSON object with its keys in a fixed order. Two rules make reading cheap: ``id`` and ``due_ms`` come
first, at a fixed place, so that opening a store need not parse payloads; and ``payload`` comes after every field that
is ours, followed by nothing but ``returned``, so that it is cut out of the text and never decoded and encoded again.
(A quotation mark inside a JSON string is always escaped, hence the first ``,"payload":`` of the text is the key.)
Fields at their default are left out. Most jobs have nothing but defaults, and a glance tells what is needed of them.
"""

from __future__ import annotations

import re
from typing import Any, Final

import simplejson
from simplejson.encoder import encode_basestring_ascii as quote

from .. import payload as _payload
from ..errors import InvalidValue, StoreError
from ..job import After, Bound, Failure, Fire, Job, State, bare

_ENCODER: Final = simplejson.JSONEncoder(
    allow_nan=False, separators=(",", ":"), use_decimal=False, namedtuple_as_object=False, tuple_as_array=False
)
_DEFAULT: Final = Job(id="", task="", due_ms=0)
_TAIL_FROM: Final = Job._fields.index("queue")
_DEFAULT_TAIL: Final = tuple(_DEFAULT[_TAIL_FROM:])
_SCALARS: Final = (
    "queue priority key expires_ms max_crashes result_ttl_ms state attempt crashes token owner lease_until_ms "
    "started_ms finished_ms reason grace_ms cancel_ms latest_ms note ignore_result"
).split()
MOST: Final = 1 << 62
"""Instants and numbers stay below: the index of a snapshot keeps them in 64 bits."""
_KNOWN: Final = frozenset(Job._fields) - {"extra"}
_PLAIN_HEAD: Final = (
    r'\{"id":"([^"\\\x00-\x1f]+)","due_ms":(0|[1-9][0-9]{0,17}),"task":"([^"\\\x00-\x1f]+)",'
    r'"created_ms":(0|[1-9][0-9]{0,17}),"payload":'
)
"""How a job begins that has nothing but defaults, as most have when they are claimed: id, due_ms, task, created_ms."""
_PLAIN: Final = re.compile(_PLAIN_HEAD + r"(.*)\}")
_PLAIN_BYTES: Final = re.compile(_PLAIN_HEAD.encode("ascii"))
_HEAD: Final = re.compile(rb'\{"id":"([^"\\\x80-\xff]+)","due_ms":(\d{1,18}),')


class UnreadableJob(StoreError, ValueError):
    """A text behind a right checksum is not a job: somebody has written it who is not Hourwheel, or a disk has lied."""


def encode_job(job: Job) -> str:
    """A job as one line of JSON text (ASCII, no line breaks).

    Raises:
        InvalidValue: an instant is not a whole number, so that the text could not be read back.
    """
    if type(job.due_ms) is not int or type(job.created_ms) is not int:
        raise InvalidValue.of("due_ms and created_ms", "whole milliseconds (int)", (job.due_ms, job.created_ms))
    id, task = quote(job.id), quote(job.task)
    head = f'{{"id":{id},"due_ms":{job.due_ms},"task":{task},"created_ms":{job.created_ms},"payload":'
    if job[_TAIL_FROM:] == _DEFAULT_TAIL:
        return f"{head}{job.payload}}}"
    return _encode_unusual(job)


def _encode_unusual(job: Job) -> str:
    fields: dict[str, Any] = {"id": job.id, "due_ms": job.due_ms, "task": job.task, "created_ms": job.created_ms}
    for name in _SCALARS:
        value = getattr(job, name)
        if value != getattr(_DEFAULT, name):
            fields[name] = str(value) if name == "state" else value
    if job.error is not None:
        fields["error"] = list(job.error)
    if job.wakes:
        fields["wakes"] = list(job.wakes)
    if job.limits:
        fields["limits"] = list(map(list, job.limits))
    if job.fire is not None:
        fields["fire"] = list(job.fire)
    if job.after is not None:
        after = {**job.after._asdict(), "ids": list(job.after.ids)}
        fields["after"] = {name: value for name, value in after.items() if value != ""}
    text = dumps(fields)[:-1]
    if job.extra is not None and (inside := job.extra.strip()[1:-1].strip()):
        text += "," + inside
    text += f',"payload":{job.payload}'
    return f'{text},"returned":{job.returned}}}' if job.returned is not None else text + "}"


def decode_job(raw: bytes) -> Job:
    """The job that an encoded line holds.

    Raises:
        UnreadableJob: the text is not a job. It is a ValueError.
    """
    try:
        return _decode_job(raw)
    except (ValueError, TypeError, RecursionError) as error:
        raise UnreadableJob(
            f"a job cannot be read: {error!s:.200}, in {raw[:120]!r}; see `hourwheel repair`"
        ) from error


def _decode_job(raw: bytes) -> Job:
    text = raw.decode("utf-8")
    if not raw.isascii():
        return _decode_whole(text)  # not as we write it
    plain = _PLAIN.fullmatch(text)
    if plain is not None and ',"returned":' not in text:
        id, due_ms, task, created_ms, payload = plain.groups()
        return bare(Job, (id, task, int(due_ms), payload, int(created_ms), *_DEFAULT_TAIL))
    cut = text.find(',"payload":')
    try:
        fields = loads(text[:cut] + "}" if cut > 0 else text)
    except ValueError:
        return _decode_whole(text)
    if not isinstance(fields, dict):
        raise ValueError("a job must be a JSON object")
    rest = text[cut + 11 : -1] if cut > 0 else "[[],{}]"
    if fields.get("state") == "succeeded" or ',"returned":' in rest:
        rest = _split_returned(text, rest, fields)
    return _job_of(fields, rest)


_Kinds = tuple[tuple[type, ...], int]
_TEXT: Final[_Kinds] = ((str,), 0)
_TEXT_OR_NONE: Final[_Kinds] = ((str, type(None)), 0)
_WHOLE: Final[_Kinds] = ((int,), 0)
_WHOLE_OR_NONE: Final[_Kinds] = ((int, type(None)), 0)
_ANY: Final[_Kinds] = ((str, list, type(None)), 0)
_TYPES: Final[dict[str, _Kinds]] = {
    **dict.fromkeys(("id", "task", "queue", "state"), _TEXT),
    **dict.fromkeys(("key", "owner", "reason", "note", "extra", "returned"), _TEXT_OR_NONE),
    **dict.fromkeys(("due_ms", "created_ms", "max_crashes", "result_ttl_ms", "attempt", "crashes", "token"), _WHOLE),
    **dict.fromkeys(
        ("expires_ms", "lease_until_ms", "started_ms", "finished_ms", "grace_ms", "cancel_ms", "latest_ms"),
        _WHOLE_OR_NONE,
    ),
    "ignore_result": ((bool,), 0),
    **dict.fromkeys(("wakes", "limits"), ((list,), 0)),
    "fire": ((list, type(None)), 0),
    "after": ((dict, type(None)), 0),
    "priority": ((int,), -MOST),
}


def _decode_whole(text: str) -> Job:
    """The long way, for a job with a field unknown to us that has a "payload" within it."""
    fields = loads(text)
    if not isinstance(fields, dict):
        raise ValueError("a job must be a JSON object")
    if "returned" in fields:
        fields["returned"] = _payload.encode(fields["returned"])
    return _job_of(fields, dumps(fields.pop("payload", [[], {}])))


def _split_returned(text: str, rest: str, fields: dict[str, Any]) -> str:
    whole = loads(text)
    if "returned" not in whole:
        return rest
    fields["returned"] = _payload.encode(whole["returned"])
    return dumps(whole.get("payload", [[], {}]))


def _job_of(fields: dict[str, Any], payload: str) -> Job:
    unknown = {name: value for name, value in fields.items() if name not in _KNOWN}
    if unknown:
        for name in unknown:
            del fields[name]
        fields["extra"] = dumps(unknown)
    for name, value in fields.items():
        kinds, least = _TYPES.get(name, _ANY)
        if type(value) not in kinds or (type(value) is int and not least <= value < MOST):
            raise ValueError(f"{name} cannot be {value!r:.80}")
    if "state" in fields:
        fields["state"] = State(fields["state"])
    if fields.get("error") is not None:
        fields["error"] = Failure(*fields["error"])
    try:
        if "wakes" in fields:
            fields["wakes"] = tuple(fields["wakes"])
        if "limits" in fields:
            fields["limits"] = tuple(map(bound_of, fields["limits"]))
        if fields.get("fire") is not None:
            fields["fire"] = fire_of(fields["fire"])
        if fields.get("after") is not None:
            fields["after"] = After(**{**fields["after"], "ids": tuple(fields["after"]["ids"])})
        job = Job(payload=payload, **fields)
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a job: {error}") from None
    return job


def bound_of(parts: Any) -> Bound:
    """The Bound of ``[name, most, per_ms]``.

    Raises:
        ValueError: that is not what it is.
    """
    match parts:
        case [str(), int(most), int(per_ms)] if 0 < most < MOST and 0 <= per_ms < MOST and bool not in map(type, parts):
            return Bound(*parts)
    raise ValueError(f"limits cannot have {parts!r:.80}")


def fire_of(parts: Any) -> Fire:
    """The Fire of ``[schedule, at_ms, spec, followed]``.

    Raises:
        ValueError: that is not what it is.
    """
    match parts:
        case [str(), int(at_ms), str(), bool(), int(missed)] if bool not in (type(at_ms), type(missed)):
            if 0 <= at_ms < MOST and 0 <= missed < MOST:
                return Fire(*parts)
    raise ValueError(f"fire cannot be {parts!r:.80}")


def peek(raw: bytes) -> tuple[str, int]:
    """The id and due_ms of an encoded job."""
    found = _HEAD.match(raw)
    if found is None:
        job = decode_job(raw)
        return job.id, job.due_ms
    return found[1].decode("ascii"), int(found[2])


def is_plain(raw: bytes, due_ms: int) -> bool:
    """Whether an encoded job surely is due at ``due_ms``, scheduled, and of the default queue and priority."""
    found = _PLAIN_BYTES.match(raw)
    return found is not None and int(found[2]) == due_ms and b',"returned":' not in raw and raw.isascii()


def dumps(value: Any) -> str:
    """Strict JSON in ASCII, without blanks."""
    return str(_ENCODER.encode(value))


def loads(text: str | bytes) -> Any:
    """Strict JSON: no NaN, no duplicate keys; every failure is a ValueError."""
    try:
        return _DECODER.decode(text)  # type: ignore[arg-type]  # bytes are taken as well
    except (RecursionError, MemoryError) as error:
        raise ValueError(f"nested too deeply: {error}") from None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError(f"duplicate key in an object with the keys {[name for name, _ in pairs]!r}")
    return made


_DECODER: Final = simplejson.JSONDecoder(allow_nan=False, object_pairs_hook=_no_duplicates)
"""Made once: simplejson.loads() with these arguments would make one for each text, in a fifth of the time."""
