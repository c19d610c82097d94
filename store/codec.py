"""Codec: jobs as JSON text, as they stand in the journal and the snapshot, and back.

A job is one JSON object with its keys in a fixed order. Two rules make reading cheap: ``id`` and ``due_ms`` come
first, at a fixed place, so that opening a store need not parse payloads; and ``payload`` comes after every field that
is ours, followed by nothing but ``returned``, so that it is cut out of the text and never decoded and encoded again.
(A quotation mark inside a JSON string is always escaped, hence the first ``,"payload":`` of the text is the key.)
Fields at their default are left out. Most jobs have nothing but defaults, and a glance tells what is needed of them.
"""

from __future__ import annotations

import re
from operator import itemgetter
from types import NoneType
from typing import Any, Final

import simplejson
from simplejson.encoder import encode_basestring_ascii as quote

from .. import payload as _payload
from ..errors import InvalidValue, StoreError
from ..job import DEFAULT_QUEUE, Job, bare
from .fields import IN_TEXT, MOST

_ENCODER: Final = simplejson.JSONEncoder(
    allow_nan=False, separators=(",", ":"), use_decimal=False, namedtuple_as_object=False, tuple_as_array=False
)
_DEFAULT: Final = Job(id="", task="", due_ms=0)
_TAIL_FROM: Final = Job._fields.index("queue")
_DEFAULT_TAIL: Final = tuple(_DEFAULT[_TAIL_FROM:])
_APART: Final = ("id", "due_ms", "task", "created_ms", "payload", "returned")
"""Fields that the code below writes by itself."""
_UNUSUAL: Final = [(name, field.default, field.kind.write) for name, field in IN_TEXT.items() if name not in _APART]
_pick: Final = itemgetter(*(Job._fields.index(name) for name, _, _ in _UNUSUAL))
_READ: Final = {
    name: ({field.kind.type, NoneType if field.nullable else field.kind.type}, field.kind.least, field.kind.read)
    for name, field in IN_TEXT.items()
}
_BEGINNING: Final = (
    r'\{"id":"([^"\\\x00-\x1f]+)","due_ms":(0|[1-9][0-9]{0,17}),"task":"([^"\\\x00-\x1f]+)",'
    r'"created_ms":(0|[1-9][0-9]{0,17}),'
)
"""How every job begins: id, due_ms, task, created_ms."""
_PLAIN: Final = re.compile(_BEGINNING + r'"payload":(.*)\}')
"""One that has nothing but defaults, as most have when they are claimed."""
_PLAIN_BYTES: Final = re.compile((_BEGINNING + '"payload":').encode("ascii"))
_DEFAULT_LANE: Final = (DEFAULT_QUEUE, 0)
_LANE: Final = re.compile(
    (_BEGINNING + r'(?:"queue":"([^"\\\x00-\x1f]+)",)?(?:"priority":(-?[1-9][0-9]{0,17}),)?"').encode("ascii")
)
_ODD_AFTER: Final = re.compile(rb',"(?:id|due_ms|queue|priority|state|returned)":')
_HEAD: Final = re.compile(rb'\{"id":"([^"\\\x80-\xff]+)","due_ms":(\d{1,18}),')


class UnreadableJob(StoreError, ValueError):
    """A text with a right checksum is not a job: something other than Hourwheel wrote it, or the disk is faulty."""


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
    for (name, default, write), value in zip(_UNUSUAL, _pick(job), strict=True):
        if value is not default and value != default:
            fields[name] = value if write is None else write(value)
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
    ours = raw.isascii()
    plain = _PLAIN.fullmatch(text) if ours else None
    if plain is not None and ',"returned":' not in text:
        id, due_ms, task, created_ms, payload = plain.groups()
        return bare(Job, (id, task, int(due_ms), payload, int(created_ms), *_DEFAULT_TAIL))
    cut = text.find(',"payload":') if ours else -1
    try:
        fields = loads(text[:cut] + "}") if cut > 0 else {}
    except ValueError:
        fields = {}  # what is unknown to us may have a "payload" within it
    payload = text[cut + 11 : -1]
    if not fields or "returned" in fields or fields.get("state") == "succeeded" or ',"returned":' in payload:
        whole = loads(text)
        if not isinstance(whole, dict):
            raise ValueError("a job must be a JSON object")
        if not fields or "returned" in whole:
            returned = _payload.encode(whole.pop("returned")) if "returned" in whole else None
            return _job_of(whole, dumps(whole.pop("payload", [[], {}])), returned)
    return _job_of(fields, payload)


def _job_of(fields: dict[str, Any], payload: str, returned: str | None = None) -> Job:
    """The job of parsed JSON, of which payload and result have been taken out."""
    known: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in _READ:
            unknown[name] = value
            continue
        types, least, read = _READ[name]
        if type(value) not in types or (type(value) is int and not least <= value < MOST):
            raise ValueError(f"{name} cannot be {value!r:.80}")
        try:
            known[name] = value if read is None or value is None else read(value)
        except (ValueError, TypeError, KeyError):
            raise ValueError(f"{name} cannot be {value!r:.80}") from None
    return Job(payload=payload, returned=returned, extra=dumps(unknown) if unknown else None, **known)


def peek(raw: bytes) -> tuple[str, int]:
    """The id and due_ms of an encoded job."""
    found = _HEAD.match(raw)
    if found is None:
        job = decode_job(raw)
        return job.id, job.due_ms
    return found[1].decode("ascii"), int(found[2])


def lane(raw: bytes, due_ms: int) -> tuple[str, int] | None:
    """The queue and the priority of a scheduled job that is due at ``due_ms``; None if it must be decoded to tell."""
    found = _PLAIN_BYTES.match(raw)
    if found is not None and b',"returned":' not in raw and int(found[2]) == due_ms and raw.isascii():
        return _DEFAULT_LANE
    found = _LANE.match(raw)
    if found is None or int(found[2]) != due_ms or not raw.isascii() or _ODD_AFTER.search(raw, found.end() - 2):
        return None
    queue, priority = found.group(5, 6)
    return DEFAULT_QUEUE if queue is None else queue.decode("ascii"), 0 if priority is None else int(priority)


def may_have_priority(raw: bytes, due_ms: int) -> bool:
    """Whether a scheduled job that is due at ``due_ms`` has a priority, or must be decoded to tell."""
    if b'"priority"' not in raw:
        return False
    found = lane(raw, due_ms)
    return found is None or found[1] != 0


def dumps(value: Any) -> str:
    """Strict JSON in ASCII, without blanks."""
    return str(_ENCODER.encode(value))


def loads(text: str | bytes) -> Any:
    """Strict JSON: no NaN, no duplicate keys; every failure is a ValueError."""
    try:
        return _DECODER.decode(text)  # type: ignore[arg-type]  # bytes are taken as well
    except (RecursionError, MemoryError) as error:
        raise ValueError(f"nested too deeply: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is in an object twice")
    return made


_DECODER: Final = simplejson.JSONDecoder(allow_nan=False, object_pairs_hook=_unique)
"""Made once: simplejson.loads() with these arguments would make one for each text, in a fifth of the time."""
scan_json: Final = _DECODER.scan_once
"""The value that begins at an offset of a text, and where it ends."""
