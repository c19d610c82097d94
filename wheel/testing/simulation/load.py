"""Load: what a forecast is made for: the scheduled jobs of a store, or Jobs and Streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Final, NamedTuple, cast

from ...contract import Filter, Store
from ...errors import InvalidValue
from ...job import Job, State

_ALL: Final = 1 << 62
_SCHEDULED: Final = Filter(states=frozenset({State.SCHEDULED}))
_KEPT_MS: Final = 1 << 50
"""The result_ttl of all jobs: longer than any world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An endless stream of calls of one task at random times: on average, ``calls`` in each ``per`` seconds."""

    task: str
    calls: float
    per: float
    countdown: float = 0.0
    """How many seconds after its call each job is due."""

    def __post_init__(self) -> None:
        for name, least in (("calls", 0), ("per", 0), ("countdown", -1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not least < value < 1e12:
                raise InvalidValue.of(name, "a number greater than 0" if least == 0 else "0 or more seconds", value)


Load = Store | Iterable[Job | Stream]


class Call(NamedTuple):
    """A job, and when it is added, in milliseconds since the world began."""

    at_ms: int
    job: Job


def calls_of(load: Load, now_ms: int, within_ms: int, seed: int) -> list[Call]:
    """Return the load as calls, in order of time, without jobs that are due later than ``within_ms`` from now."""
    found: list[Call] = []
    for part in _parts(load):
        if isinstance(part, Stream):
            found += _calls(part, now_ms, within_ms, Random(f"{part.task} {seed}"))
        elif part.due_ms < now_ms + within_ms:
            found.append(Call(0, _as_new(part, now_ms)))
    return sorted(found, key=lambda call: call.at_ms)


def _parts(load: Load) -> Iterable[Job | Stream]:
    scan = getattr(load, "scan", None)
    if callable(scan):
        return cast("list[Job]", scan(_SCHEDULED, _ALL))
    parts = list(cast("Iterable[Job | Stream]", load))
    if not all(isinstance(part, (Job, Stream)) for part in parts):
        raise InvalidValue.of("load", "a Store, or Jobs and Streams", load)
    return parts


def _as_new(job: Job, now_ms: int) -> Job:
    """A job as it was added, with the fields that decide when and how often it runs."""
    return Job(
        id=job.id,
        task=job.task,
        due_ms=job.due_ms,
        created_ms=now_ms,
        key=job.key,
        priority=job.priority,
        expires_ms=job.expires_ms,
        max_crashes=job.max_crashes,
        result_ttl_ms=_KEPT_MS,
    )


def _calls(stream: Stream, now_ms: int, within_ms: int, random: Random) -> Iterator[Call]:
    at_s, countdown_ms = 0.0, round(stream.countdown * 1000)
    for number in count(1):
        at_s += random.expovariate(stream.calls / stream.per)
        if (at_s + stream.countdown) * 1000 >= within_ms:
            return
        at_ms = round(at_s * 1000)
        job = Job(
            id=f"{stream.task}-{number}",
            task=stream.task,
            due_ms=now_ms + at_ms + countdown_ms,
            created_ms=now_ms + at_ms,
            result_ttl_ms=_KEPT_MS,
        )
        yield Call(at_ms, job)
