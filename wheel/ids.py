"""Ids of jobs: UUIDs of version 7 (RFC 9562), which sort by the time they were made.

An id has 48 bits of milliseconds, a counter of 26 bits (12 before and 14 after the variant), and 48 random bits. The
counter starts at random in each process and is incremented for each id, so ids of the same millisecond sort in the
order in which they were made. Jobs that are due at the same instant are claimed in order of their ids, and therefore in
the order of the calls. (Exceptions: one id in 67 million, at which the counter wraps, and two threads at once.)

Everything but the milliseconds is made in advance, 256 ids at a time, because a system call for each id would take
longer than the rest. A forked child must not use its parent's supply, or both would make equal ids. The at-fork hook
discards it; so does a check of the pid, for servers that fork in C without telling Python.
"""

from __future__ import annotations

import os
import re
from collections import deque
from itertools import count
from typing import Final
from uuid import UUID

from .errors import InvalidValue

_BATCH: Final = 256
_LOW_BYTES: Final = [f"{number:02x}" for number in range(_BATCH)]
_RANDOM_BYTES: Final = 6
_pid: Final = os.getpid

_RULE: Final = "a UUID, or 1 to 200 letters, digits and ._:@/+- that start with a letter or digit"
_FIRE_MOST: Final = 300
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,199}")
_UUID: Final = re.compile(
    r"(?:urn:uuid:)?(\{)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})(?(1)\})",
    re.IGNORECASE,
)

_tails: deque[str] = deque()


def _numbers() -> count[int]:
    return count(int.from_bytes(os.urandom(4)) << 8, _BATCH)


_blocks = _numbers()
_owner = os.getpid()
_moment = (-1, "")
"""The millisecond of the newest id and its text. One tuple, so that threads never see them mixed."""


def new_id(now_ms: int) -> str:
    """Return a new id, a UUID of version 7 in canonical spelling.

    >>> new_id(1_000)[:15]
    '00000000-03e8-7'
    """
    global _moment
    ms, prefix = _moment
    if ms != now_ms:
        digits = f"{now_ms:012x}"
        prefix = f"{digits[:8]}-{digits[8:]}-7"
        _moment = (now_ms, prefix)
    if _owner != _pid():
        _forget()
    while True:
        try:
            return prefix + _tails.popleft()
        except IndexError:
            _draw()


def _draw() -> None:
    """Make the ends of the next ids. Two threads may both do this; each gets its own block of numbers."""
    random = os.urandom(_BATCH * _RANDOM_BYTES).hex("-", _RANDOM_BYTES).split("-")
    number = next(_blocks)
    head = f"{number >> 14 & 0xFFF:03x}-{0x80 | number >> 8 & 0x3F:02x}"
    _tails.extend([f"{head}{low}-{tail}" for low, tail in zip(_LOW_BYTES, random, strict=True)])


def _forget() -> None:
    global _blocks, _owner
    _tails.clear()
    _blocks = _numbers()
    _owner = _pid()


os.register_at_fork(after_in_child=_forget)


def normal_id(text: str | UUID) -> str:
    """Return the canonical spelling of an id: a UUID becomes lower case with hyphens, a name stays as it is.

    >>> normal_id("0192E4C0A1B27C3D8E4F5A6B7C8D9E0F")
    '0192e4c0-a1b2-7c3d-8e4f-5a6b7c8d9e0f'
    >>> normal_id("invoice:42")
    'invoice:42'
    """
    if isinstance(text, UUID):
        return str(text)
    if type(text) is not str:
        raise InvalidValue.of("task_id", _RULE, text)
    uuid = _UUID.fullmatch(text)
    if uuid is not None:
        return str(UUID(uuid[2]))
    if _PLAIN.fullmatch(text) is None:
        raise InvalidValue.of("task_id", _RULE, text)
    return text


def sought_id(text: str | UUID) -> str:
    """Return the canonical spelling of an id to look up: like normal_id(), but the id of a fire is accepted, too.

    >>> sought_id("daily report@2026-11-30T07:30:00Z")
    'daily report@2026-11-30T07:30:00Z'
    """
    if type(text) is str and "@" in text and text.isprintable() and len(text) <= _FIRE_MOST:
        return text
    return normal_id(text)
