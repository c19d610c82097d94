"""Checks: arguments of Scheduler and its methods, in the form in which they are used."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from ..clock import deadline_ms, instant_ms
from ..errors import InvalidValue
from ..tasks.options.plan import checked_queue

WORKERS_MOST: Final = 1024
_SECONDS_MOST: Final = 100_000_000_000
"""In seconds that is the year 5138, in milliseconds 1973."""


def checked_workers(workers: object) -> int:
    """How many jobs at once."""
    if type(workers) is not int or not 1 <= workers <= WORKERS_MOST:
        raise InvalidValue.of("workers", f"a whole number from 1 to {WORKERS_MOST}", workers)
    return workers


def checked_queues(queues: Iterable[str] | None) -> frozenset[str] | None:
    """Names of queues, or None for all."""
    if queues is None:
        return None
    if isinstance(queues, (str, bytes, Mapping)) or not isinstance(queues, Iterable) or not (names := list(queues)):
        raise InvalidValue.of("queues", "a collection of names, not empty", queues)
    try:
        return frozenset(checked_queue(name) for name in names)
    except InvalidValue as error:
        raise InvalidValue(f"queues must be names of queues: {error}") from None


def checked_ttl_ms(ttl: float | timedelta, name: str = "result_ttl") -> int:
    """A result_ttl or failed_ttl in milliseconds."""
    try:
        return deadline_ms(0, ttl)
    except InvalidValue:
        raise InvalidValue.of(name, "a number of seconds or a timedelta, zero or more", ttl) from None


def checked_owner(owner: str | None) -> str:
    """The readable part of an owner's name; the host's by default."""
    if owner is None:
        return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:63] or "host"
    if type(owner) is not str or not re.fullmatch(r"[A-Za-z0-9._-]{1,63}", owner):
        raise InvalidValue.of("owner", "1 to 63 letters, digits and ._-", owner)
    return owner


def checked_store(store: Any) -> Any:
    """A Store as it is, or the text of a path or URL."""
    found = os.fspath(store) if isinstance(store, (str, os.PathLike)) else store
    is_store = callable(getattr(found, "claim", None)) and callable(getattr(found, "settle", None))
    if not found if isinstance(found, str) else not is_store:
        raise InvalidValue.of("store", "a path, a URL or a Store", store)
    return found


def moment_ms(now: datetime | int, clock_ms: int = 0) -> int:
    """A moment as milliseconds since the epoch, rounded down, as every now is; seconds are not taken for them."""
    if isinstance(now, datetime):
        return instant_ms(now, "now") - (now.microsecond % 1000 > 0)
    if type(now) is not int or now < 0:
        raise InvalidValue.of("now", "an aware datetime or milliseconds since the epoch", now)
    if now < _SECONDS_MOST <= clock_ms:
        raise InvalidValue.of("now", "milliseconds since the epoch, as time.time_ns() // 1_000_000, not seconds", now)
    return now


def checked_timeout(timeout: object) -> float:
    """How long to wait, in seconds."""
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout >= 0:
        raise InvalidValue.of("timeout", "a number of seconds, zero or more", timeout)
    return timeout
