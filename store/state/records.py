"""Records: what the journal says of a change, as JSON text and back: ``{"seq":7,"op":"cancel",...}``.

Records are facts: everything is decided before one is written, and applying it reads no clock and makes no choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from simplejson.encoder import encode_basestring_ascii as quote

from ...turn import Effect
from ..codec import dumps
from ..effects import decode_effect, encode_effect

_MOST_ITEMS: Final = 16
"""In a settle record: an effect may have 0.8 MiB, a line of the journal 16 MiB."""
_MOST_IDS: Final = 10_000


class Claimed(NamedTuple):
    """``owner`` took ``ids``, whose tokens count up from ``token``."""

    owner: str
    now_ms: int
    token: int
    ids: list[str]


class Settled(NamedTuple):
    """What became of claims: (id, token, effect) each. Each claim is the newest of its job."""

    now_ms: int
    items: list[tuple[str, int, Effect]]


class Cancelled(NamedTuple):
    """Scheduled jobs were cancelled, running ones were asked to end."""

    now_ms: int
    ids: list[str]
    reason: str | None = None
    ttl_ms: int | None = None
    """They are not kept longer than this, in milliseconds; None for their result_ttl."""


class Expired(NamedTuple):
    """Scheduled jobs ended unrun because their ``expires_ms`` had come, or their ``grace_ms`` was over."""

    now_ms: int
    ids: list[str]


class Moved(NamedTuple):
    """Scheduled jobs were moved to another due instant."""

    ids: list[str]
    due_ms: int


class Revived(NamedTuple):
    """Finished jobs are scheduled again."""

    ids: list[str]
    due_ms: int


class Awaited(NamedTuple):
    """New jobs, whose ids are in ``by``, wait for these, which are in the store already."""

    ids: list[str]
    by: list[str]


class Forgotten(NamedTuple):
    """Finished jobs are dropped."""

    ids: list[str]


class Tidied(NamedTuple):
    """Finished jobs whose time was over at ``now_ms`` are dropped."""

    now_ms: int
    failed_ttl_ms: int


class Rescued(NamedTuple):
    """The owner of running jobs died: they are scheduled again, or fail after max_crashes."""

    now_ms: int
    ids: list[str]
    reason: str


class Paused(NamedTuple):
    """The jobs of queues, tasks and schedules are held back from now on."""

    names: list[str]


class Resumed(NamedTuple):
    """They are not held back any more."""

    names: list[str]


JobRecord = Claimed | Settled | Cancelled | Expired | Moved | Revived | Awaited | Forgotten | Rescued
"""What can happen to jobs by their ids."""
Record = JobRecord | Tidied | Paused | Resumed

_OPS: Final[dict[str, type[Record]]] = {
    "claim": Claimed,
    "settle": Settled,
    "cancel": Cancelled,
    "expire": Expired,
    "move": Moved,
    "revive": Revived,
    "await": Awaited,
    "forget": Forgotten,
    "rescue": Rescued,
    "tidy": Tidied,
    "pause": Paused,
    "resume": Resumed,
}
_OP_OF: Final = {kind: op for op, kind in _OPS.items()}


def encode_record(seq: int, record: Record) -> str:
    """A record as one line of JSON text."""
    if type(record) is Settled:
        items = ",".join(f"[{quote(id)},{token},{encode_effect(effect)}]" for id, token, effect in record.items)
        return f'{{"seq":{seq},"op":"settle","now_ms":{record.now_ms},"items":[{items}]}}'
    fields = {name: value for name, value in record._asdict().items() if value is not None}
    return dumps({"seq": seq, "op": _OP_OF[type(record)], **fields})


def portions(record: Record) -> Iterator[Record]:
    """The record as one or more with the same effect, none of them too long for a line of the journal."""
    if isinstance(record, Settled) and len(record.items) > _MOST_ITEMS:
        for at in range(0, len(record.items), _MOST_ITEMS):
            yield record._replace(items=record.items[at : at + _MOST_ITEMS])
    elif isinstance(record, JobRecord) and not isinstance(record, Settled) and len(record.ids) > _MOST_IDS:
        for at in range(0, len(record.ids), _MOST_IDS):
            part = record._replace(ids=record.ids[at : at + _MOST_IDS])
            yield part._replace(token=part.token + at) if isinstance(part, Claimed) else part
    else:
        yield record


def decode_record(fields: dict[str, Any]) -> Record:
    """The record in parsed JSON; ValueError if it is none."""
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
