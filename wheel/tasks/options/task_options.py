"""What may be said of a task when it is made: its own options, and the defaults for all its calls."""

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
    """Of a task: its own, and the defaults for all its calls."""

    name: str | None
    """By default module.function. Jobs are stored under it: keep it, or name the old one in ``aliases``."""
    aliases: Iterable[str]
    """Names that the task had before."""
    max_retries: int | None
    """How often a job is tried again, 3 by default; None for no end."""
    default_retry_delay: Seconds | None
    """How long until the next attempt if neither Retry nor retry_backoff says, 180 s by default."""
    autoretry_for: Collection[type[BaseException]] | type[BaseException] | None
    """A function that raises one of these is run again, as if it had raised Retry."""
    dont_autoretry_for: Collection[type[BaseException]] | type[BaseException] | None
    """But not for these, which may be kinds of those."""
    retry_backoff: bool | float | None
    """The first delay, in seconds (True: 1), of delays that double; also where Retry is raised by hand."""
    retry_backoff_max: float | None
    """The longest of these delays, in seconds, 600 by default."""
    retry_jitter: bool | None
    """Draw each of these delays from zero to its value, so that jobs do not come back together. By default those after
    ``autoretry_for``, and not those that Retry asks for."""
    retry_kwargs: Mapping[str, Any] | None
    """max_retries and countdown in a dict, as Celery has it."""
    retries: int | None
    """As huey has it: any exception is tried again, so often; with
    ``retry_delay`` seconds in between, none by default."""
    retry_delay: Seconds | None
    time_limit: Seconds | None
    """A run is stopped after so long, where the pool can: see docs/pools.md."""
    soft_time_limit: Seconds | None
    """After so long SoftTimeLimitExceeded is raised in the function."""


def refuse_unknown(options: Mapping[str, Any]) -> None:
    """Raise InvalidValue if an option is none of a task's."""
    for name in options:
        if name not in STANDING and name not in _OWN:
            raise InvalidValue.of("option", f"one of {', '.join(sorted(STANDING | _OWN))}", name)


def listed(names: object) -> Iterable[object]:
    """The names of ``aliases``."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise InvalidValue.of("aliases", "a list of names", names)
    return names
