"""Glance: what the text of a job tells without being parsed; most jobs of a store wait, and are parsed once."""

from __future__ import annotations

import re
from typing import Final

from .records import PLAIN_HEAD, decode_job

_HEAD: Final = re.compile(rb'\{"id":"([^"\\\x80-\xff]+)","due_ms":(\d{1,18}),')
_PLAIN: Final = re.compile(PLAIN_HEAD.encode("ascii"))


def peek(raw: bytes) -> tuple[str, int]:
    """The id and due_ms of an encoded job."""
    found = _HEAD.match(raw)
    if found is None:
        job = decode_job(raw)
        return job.id, job.due_ms
    return found[1].decode("ascii"), int(found[2])


def is_plain(raw: bytes, due_ms: int) -> bool:
    """Whether an encoded job surely is due at ``due_ms``, scheduled, and of the default queue and priority."""
    found = _PLAIN.match(raw)
    return found is not None and int(found[2]) == due_ms and b',"returned":' not in raw and raw.isascii()
