"""PoolOptions: which pool a scheduler is to have, checked."""

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
    """What a user said of the pool; None where he said nothing.

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
                    rule = (
                        'absent: of the pools only processes have children, so say pool="processes" with it or before'
                    )
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
        """In words, such as "4 threads"."""
        return f"{self.workers} {self.kind.what}"

    @property
    def limits(self) -> Limits:
        """Of tasks that have none of their own."""
        return limits_of(self.time_limit, self.soft_time_limit)

    def but(self, **changes: Any) -> PoolOptions:
        """These with changes.

        Raises:
            InvalidValue: together they break a rule.
        """
        return replace(self, **changes)


def _whole(name: str, value: object, most: int, rule: str) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise InvalidValue.of(name, rule, value)


class PoolArguments(TypedDict, total=False):
    """What a Scheduler takes for its pool."""

    workers: int | None
    """How many jobs run at the same time; by default 4 in threads, 500 in coroutines or greenlets, and in processes
    one for each processor."""
    pool: str
    """What they run in: "threads", "processes", "asyncio", "gevent", "eventlet" or "solo"; see docs/pools.md."""
    time_limit: Seconds | None
    """Of tasks that have none of their own, as are the next."""
    soft_time_limit: Seconds | None
    max_tasks_per_child: int | None
    """A worker process that has run so many jobs is replaced."""
    max_memory_per_child: int | None
    """One that is larger than so many KiB after a job is replaced."""


def pool_options(said: Mapping[str, Any]) -> PoolOptions:
    """The options that the settings of these names make.

    Raises:
        InvalidValue: one breaks its rule, or they contradict each other.
    """
    given = dict(said)
    return PoolOptions(given_workers=given.pop("workers", None), **given)
