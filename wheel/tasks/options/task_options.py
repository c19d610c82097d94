"""The options of a task: its own, and the defaults for all its calls."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from ...errors import InvalidValue
from .plan import STANDING, Options
from .retry import OPTIONS as RETRY_OPTIONS
from .time_limits import OPTIONS as LIMIT_OPTIONS
from .times import Seconds

_OWN: Final = frozenset({"name", "bind", "aliases"}) | RETRY_OPTIONS | LIMIT_OPTIONS


class TaskOptions(Options, total=False):
    """The options of a task: its own, and the defaults for all its calls."""

    name: str | None
    """The default is module.function. Jobs are stored by name: if you change it, put the old one in ``aliases``."""
    aliases: Iterable[str]
    """Former names of the task."""
    max_retries: int | None
    """How often a job is retried; 3 by default, None for no limit."""
    default_retry_delay: Seconds | None
    """The delay before a retry if neither Retry nor retry_backoff sets one; 180 s by default."""
    autoretry_for: Collection[type[BaseException]] | type[BaseException] | None
    """Retry the job if the function raises one of these."""
    dont_autoretry_for: Collection[type[BaseException]] | type[BaseException] | None
    """Exceptions to this, which may be subclasses of those."""
    retry_backoff: bool | float | None
    """The first of delays that double, in seconds (True means 1). Also used for Retry without a delay."""
    retry_backoff_max: float | None
    """The longest of these delays, in seconds; 600 by default."""
    retry_jitter: bool | None
    """Whether to draw each of these delays between zero and its value, so that jobs do not come back all at once. By
    default only for ``autoretry_for``, not for Retry."""
    retry_kwargs: Mapping[str, Any] | None
    """max_retries and countdown as a dict, as in Celery."""
    retries: int | None
    """As in huey: retry on any exception, up to this many times, with ``retry_delay`` in between."""
    retry_delay: Seconds | None
    """With ``retries``: the delay; none by default."""
    time_limit: Seconds | None
    """Stop a run after this time, if the pool can; see docs/pools.md."""
    soft_time_limit: Seconds | None
    """Raise SoftTimeLimitExceeded in the function after this time."""


def refuse_unknown(options: Mapping[str, Any]) -> None:
    """Raise InvalidValue if there is no option of one of these names."""
    for name in options:
        if name not in STANDING and name not in _OWN:
            raise InvalidValue.of("option", f"one of {', '.join(sorted(STANDING | _OWN))}", name)


def listed(names: object) -> Iterable[object]:
    """Return ``aliases`` if it is a list of names."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise InvalidValue.of("aliases", "a list of names", names)
    return names
