"""What stands in the journal and the snapshot: jobs and records as JSON text, and back.

A job is one JSON object with its keys in a fixed order. Two rules make reading cheap: ``id`` and ``due_ms`` come
first, at a fixed place, so that opening a store need not parse payloads; and ``payload`` comes after every field that
is ours, followed by nothing but ``returned``, so that it is cut out of the text and never decoded and encoded again.
(A quotation mark inside a JSON string is always escaped, hence the first ``,"payload":`` of the text is the key.)
Fields at their default are left out.

A record is what the journal holds of one change: ``{"seq":7,"op":"cancel",...}``. Records are facts, decided before
they are written: applying one reads no clock and makes no choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import simplejson
from simplejson.encoder import encode_basestring_ascii as quote

from .. import payload as _payload
from ..errors import InvalidValue, StoreError
from ..job import After, Bound, Failure, Fire, Job, State, bare
from ..turn import Effect
from .effects import decode_effect, encode_effect

_ENCODER: Final = simplejson.JSONEncoder(
    allow_nan=False, separators=(",", ":"), use_decimal=False, namedtuple_as_object=False, tuple_as_array=False
)
_DEFAULT: Final = Job(id="", task="", due_ms=0)
_TAIL_FROM: Final = Job._fields.index("queue")
_DEFAULT_TAIL: Final = tuple(_DEFAULT[_TAIL_FROM:])
_SCALARS: Final = (
    "queue priority key expires_ms max_crashes result_ttl_ms state attempt crashes token owner "
    "started_ms finished_ms reason grace_ms cancel_ms latest_ms note ignore_result"
).split()
_MOST_ITEMS: Final = 16
"""Of a settle record: an outcome may come to 0.8 MiB, a line of the journal to 16 MiB."""
_MOST_IDS: Final = 10_000
MOST: Final = 1 << 62
"""Instants and numbers stay below: the index of a snapshot keeps them in 64 bits."""
_KNOWN: Final = frozenset(Job._fields) - {"extra"}
PLAIN_HEAD: Final = (
    r'\{"id":"([^"\\\x00-\x1f]+)","due_ms":(0|[1-9][0-9]{0,17}),"task":"([^"\\\x00-\x1f]+)",'
    r'"created_ms":(0|[1-9][0-9]{0,17}),"payload":'
)
"""How a job begins that has nothing but defaults, as most have when they are claimed: id, due_ms, task, created_ms."""
_PLAIN: Final = re.compile(PLAIN_HEAD + r"(.*)\}")


class UnreadableJob(StoreError, ValueError):
    """A text behind a right checksum is not a job: somebody has written it who is not Hourwheel, or a disk has lied."""


class Claimed(NamedTuple):
    """``owner`` took ``ids``, whose tokens count up from ``token``."""

    owner: str
    now_ms: int
    token: int
    ids: list[str]


class Settled(NamedTuple):
    """What runs came to: (id, token, effect) each, every one of them the newest claim of its job."""

    now_ms: int
    items: list[tuple[str, int, Effect]]


class Cancelled(NamedTuple):
    """Scheduled jobs were cancelled, running ones were asked to end."""

    now_ms: int
    ids: list[str]
    reason: str | None = None
    ttl_ms: int | None = None
    """They are kept no longer than this, in milliseconds; None for their result_ttl."""


class Expired(NamedTuple):
    """Scheduled jobs ended unrun because their ``expires_ms`` had come, or their ``grace_ms`` was over."""

    now_ms: int
    ids: list[str]


class Moved(NamedTuple):
    """Scheduled jobs got another due instant."""

    ids: list[str]
    due_ms: int


class Revived(NamedTuple):
    """Finished jobs are scheduled once more."""

    ids: list[str]
    due_ms: int


class Forgotten(NamedTuple):
    """Finished jobs are dropped."""

    ids: list[str]


class Tidied(NamedTuple):
    """Finished jobs whose time was over at ``now_ms`` are dropped."""

    now_ms: int
    failed_ttl_ms: int


class Rescued(NamedTuple):
    """Running jobs lost their owner: back to scheduled, or set aside after max_crashes."""

    now_ms: int
    ids: list[str]
    reason: str


class Paused(NamedTuple):
    """Jobs of queues and tasks are held back from now on."""

    names: list[str]


class Resumed(NamedTuple):
    """They are held back no longer."""

    names: list[str]


JobRecord = Claimed | Settled | Cancelled | Expired | Moved | Revived | Forgotten | Rescued
"""What can happen to jobs by their ids."""
Record = JobRecord | Tidied | Paused | Resumed

_OPS: Final[dict[str, type[Record]]] = {
    "claim": Claimed,
    "settle": Settled,
    "cancel": Cancelled,
    "expire": Expired,
    "move": Moved,
    "revive": Revived,
    "forget": Forgotten,
    "rescue": Rescued,
    "tidy": Tidied,
    "pause": Paused,
    "resume": Resumed,
}
_OP_OF: Final = {kind: op for op, kind in _OPS.items()}


# ---- jobs ------------------------------------------------------------------------------------------------


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
    text = str(_ENCODER.encode(fields))[:-1]
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
        ("expires_ms", "started_ms", "finished_ms", "grace_ms", "cancel_ms", "latest_ms"),
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
    return _job_of(fields, str(_ENCODER.encode(fields.pop("payload", [[], {}]))))


def _split_returned(text: str, rest: str, fields: dict[str, Any]) -> str:
    whole = loads(text)
    if "returned" not in whole:
        return rest
    fields["returned"] = _payload.encode(whole["returned"])
    return str(_ENCODER.encode(whole.get("payload", [[], {}])))


def _job_of(fields: dict[str, Any], payload: str) -> Job:
    unknown = {name: value for name, value in fields.items() if name not in _KNOWN}
    if unknown:
        for name in unknown:
            del fields[name]
        fields["extra"] = str(_ENCODER.encode(unknown))
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


# ---- records ---------------------------------------------------------------------------------------------


def encode_record(seq: int, record: Record) -> str:
    """A record as one line of JSON text."""
    if type(record) is Settled:
        items = ",".join(f"[{quote(id)},{token},{encode_effect(effect)}]" for id, token, effect in record.items)
        return f'{{"seq":{seq},"op":"settle","now_ms":{record.now_ms},"items":[{items}]}}'
    fields = {name: value for name, value in record._asdict().items() if value is not None}
    return str(_ENCODER.encode({"seq": seq, "op": _OP_OF[type(record)], **fields}))


def portions(record: Record) -> Iterator[Record]:
    """The record as one or more that come to the same, none of them too long for a line of the journal."""
    match record:
        case Settled(items=items) if len(items) > _MOST_ITEMS:
            for at in range(0, len(items), _MOST_ITEMS):
                yield record._replace(items=items[at : at + _MOST_ITEMS])
        case Claimed(ids=ids) if len(ids) > _MOST_IDS:
            for at in range(0, len(ids), _MOST_IDS):
                yield record._replace(token=record.token + at, ids=ids[at : at + _MOST_IDS])
        case (
            Cancelled(ids=ids)
            | Expired(ids=ids)
            | Forgotten(ids=ids)
            | Rescued(ids=ids)
            | Moved(ids=ids)
            | Revived(ids=ids)
        ) if len(ids) > _MOST_IDS:
            for at in range(0, len(ids), _MOST_IDS):
                yield record._replace(ids=ids[at : at + _MOST_IDS])
        case _:
            yield record


def decode_record(fields: dict[str, Any]) -> Record:
    """The record of parsed JSON.

    Raises:
        ValueError: it is none.
    """
    op = fields.get("op")
    kind = _OPS.get(op) if isinstance(op, str) else None
    if kind is None:
        raise ValueError(f"unknown operation {op!r:.80}")
    try:
        if kind is Settled:
            return Settled(fields["now_ms"], [(id, token, decode_effect(rest)) for id, token, *rest in fields["items"]])
        return kind(**{name: value for name, value in fields.items() if name not in ("seq", "op")})
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a {op} record: {error}") from None
