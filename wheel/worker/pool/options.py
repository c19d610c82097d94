"""PoolOptions: the kind, size and limits of a scheduler's pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, TypedDict

from ...errors import InvalidValue
from ...tasks.options.time_limits import Limits, limits_of
from .kinds import ALIASES, KINDS, Kind

Seconds = float | timedelta
_TASKS_MOST: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """The options of a pool, checked; None for what was not given.

    >>> PoolOptions(pool="asyncio").workers
    500
    >>> PoolOptions(pool="prefork", given_workers=8).but(max_tasks_per_child=100).kind.name
    'processes'
    """

    pool: str = "threads"
    given_workers: int | None = None
    time_limit: Seconds | None = None
    soft_time_limit: Seconds | None = None
    max_tasks_per_child: int | None = None
    max_memory_per_child: int | None = None

    def __post_init__(self) -> None:
        kind = self.kind
        if self.given_workers is not None:
            rule = f"a whole number from 1 to {kind.most} for {kind.name}" if kind.most > 1 else "1 for a solo pool"
            _whole("workers", self.given_workers, kind.most, rule)
        limits_of(self.time_limit, self.soft_time_limit)
        for name in ("max_tasks_per_child", "max_memory_per_child"):
            value = getattr(self, name)
            if value is not None:
                if not kind.imports:
                    rule = 'left out: only a pool of processes has children; pass pool="processes" before or with it'
                    raise InvalidValue.of(name, rule, value)
                _whole(name, value, _TASKS_MOST, "a whole number, 1 or more")

    @property
    def kind(self) -> Kind:
        """The kind of pool."""
        name = ALIASES.get(self.pool, self.pool) if isinstance(self.pool, str) else ""
        if name not in KINDS:
            raise InvalidValue.of("pool", f"one of {', '.join(sorted(KINDS))}", self.pool)
        return KINDS[name]

    @property
    def workers(self) -> int:
        """How many jobs run at once."""
        return self.kind.workers if self.given_workers is None else self.given_workers

    @property
    def shown(self) -> str:
        """The size and kind as text, such as "4 threads"."""
        return f"{self.workers} {self.kind.what}"

    @property
    def limits(self) -> Limits:
        """The time limits of tasks that have none of their own."""
        return limits_of(self.time_limit, self.soft_time_limit)

    def but(self, **changes: Any) -> PoolOptions:
        """Return the options with changes.

        Raises:
            InvalidValue: they are not valid, or contradict each other.
        """
        return replace(self, **changes)


def _whole(name: str, value: object, most: int, rule: str) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise InvalidValue.of(name, rule, value)


class PoolArguments(TypedDict, total=False):
    """The arguments of a Scheduler for its pool."""

    workers: int | None
    """How many jobs run at once. The default is 4 for threads, 500 for coroutines and greenlets, and one per processor
    for processes."""
    pool: str
    """"threads", "processes", "asyncio", "gevent", "eventlet" or "solo"; see docs/pools.md."""
    time_limit: Seconds | None
    """The hard time limit of tasks that have none of their own."""
    soft_time_limit: Seconds | None
    """The soft time limit of tasks that have none of their own."""
    max_tasks_per_child: int | None
    """Replace a worker process after this many jobs."""
    max_memory_per_child: int | None
    """Replace a worker process that uses more than this many KiB after a job."""


def pool_options(values: Mapping[str, Any]) -> PoolOptions:
    """Return the options for the pool's settings, by name.

    Raises:
        InvalidValue: a value is not valid, or they contradict each other.
    """
    given = dict(values)
    return PoolOptions(given_workers=given.pop("workers", None), **given)
