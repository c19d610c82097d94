"""Load: what a forecast is to be made for: the scheduled jobs of a store, jobs as they are, or a described stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Final, cast

from ...contract import Filter, Store
from ...errors import InvalidValue
from ...job import Job, State
from .happenings import Add

_ALL: Final = 1 << 62
_SCHEDULED: Final = Filter(states=frozenset({State.SCHEDULED}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Calls of one task that go on and on, at random moments, so many on average."""

    task: str
    calls: float
    """So many ..."""
    per: float
    """... in so many seconds."""
    countdown: float = 0.0
    """Each due so many seconds after its call."""

    def __post_init__(self) -> None:
        for name, least in (("calls", 0), ("per", 0), ("countdown", -1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not least < value < 1e12:
                raise InvalidValue.of(name, "a number greater than 0" if least == 0 else "0 or more seconds", value)


Load = Store | Iterable[Job | Stream]


def adds_of(load: Load, now_ms: int, within_ms: int, seed: int) -> list[Add]:
    """The load as what producers do, by its time; what is due later than ``within_ms`` from now is left out.

    Args:
        load: a Store, whose scheduled jobs are taken, or Jobs and Streams.
        now_ms: the present, in milliseconds since the epoch.
        within_ms: how far to look.
        seed: of the streams.
    """
    found: list[Add] = []
    for each in _parts(load):
        if isinstance(each, Stream):
            found += _calls(each, within_ms, Random(f"{each.task} {seed}"))
        elif each.due_ms < now_ms + within_ms:
            found.append(_of_job(each, now_ms))
    return sorted(found, key=lambda add: add.at_ms)


def _parts(load: Load) -> Iterable[Job | Stream]:
    scan = getattr(load, "scan", None)
    if callable(scan):
        return cast("list[Job]", scan(_SCHEDULED, _ALL))
    parts = list(cast("Iterable[Job | Stream]", load))
    if not all(isinstance(part, (Job, Stream)) for part in parts):
        raise InvalidValue.of("load", "a Store, or Jobs and Streams", load)
    return parts


def _of_job(job: Job, now_ms: int) -> Add:
    expires_ms = None if job.expires_ms is None else job.expires_ms - job.due_ms
    return Add(
        at_ms=0,
        id=job.id,
        delay_ms=job.due_ms - now_ms,
        task=job.task,
        key=job.key,
        priority=job.priority,
        expires_ms=expires_ms,
        max_crashes=job.max_crashes,
    )


def _calls(stream: Stream, within_ms: int, random: Random) -> Iterator[Add]:
    at_s = 0.0
    for number in count(1):
        at_s += random.expovariate(stream.calls / stream.per)
        if (at_s + stream.countdown) * 1000 >= within_ms:
            return
        countdown_ms = round(stream.countdown * 1000)
        yield Add(at_ms=round(at_s * 1000), id=f"{stream.task}-{number}", delay_ms=countdown_ms, task=stream.task)
