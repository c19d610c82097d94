"""Settings: the table of everything that can be configured, each with its rule, its default and a line of help.

A setting has one name wherever it is given: ``workers`` in code and in TOML, ``HOURWHEEL_WORKERS`` in the environment,
``CELERY_WORKER_CONCURRENCY`` or ``HOURWHEEL_WORKERS`` in Django's settings. What Celery calls otherwise is in
celery_names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from difflib import get_close_matches
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from ..errors import InvalidValue, UnknownSetting
from ..tasks.options.plan import checked_queue
from ..tasks.options.routes import checked_routes
from ..worker.pool.kinds import KINDS
from ..worker.pool.options import PoolOptions
from ..zones import checked_zone
from .celery import RENAMED, is_so_anyway, modern, moved
from .checks import checked_owner, checked_queues, checked_store, checked_ttl_ms


class Unset(Enum):
    """The type of UNSET."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET: Final = Unset.UNSET
"""A setting that is UNSET in one layer is what the next one says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing that can be configured."""

    name: str
    default: Any
    check: Callable[[Any], Any]
    """The value as it is kept; raises InvalidValue if it breaks the rule. None, where it is the default, does not."""
    read: Callable[[str], Any] | None
    """A value from the text of a variable; None for what can only be given in code."""
    help: str

    def checked(self, value: Any) -> Any:
        """The value as it is kept.

        Raises:
            InvalidValue: it breaks the rule.
        """
        return value if value is None and self.default is None else self.check(value)

    def of_text(self, text: str) -> Any:
        """A value from the text of a variable of the environment; an empty one is UNSET.

        Raises:
            InvalidValue: it breaks the rule.
        """
        if not text.strip():
            return UNSET
        if self.read is None:
            raise InvalidValue.of(self.name, "given in code", text)
        if self.default is None and text.strip().lower() == "none":
            return None
        return self.checked(self.read(text.strip()))


# ---- rules -----------------------------------------------------------------------------------------------


def _checked_by(check: Callable[[Any], object]) -> Callable[[Any], Any]:
    """A rule that leaves the value as it was given."""

    def rule(value: Any) -> Any:
        check(value)
        return value

    return rule


def _store(value: Any) -> Any:
    url, store = checked_store(value, None)
    return url if store is None else store


def _durability(value: Any) -> str:
    if type(value) is not str or value not in ("sync", "interval", "os"):
        raise InvalidValue.of("durability", '"sync", "interval" or "os"', value)
    return value


def _workers(value: Any) -> int:
    """What some pool can do; whether the one that is chosen can is seen when the two are put together."""
    if type(value) is not int or not 1 <= value <= max(kind.most for kind in KINDS.values()):
        PoolOptions(given_workers=value)  # which says how many there may be
    return int(value)


def _pooled(name: str) -> Callable[[Any], Any]:
    return _checked_by(lambda value: PoolOptions(**{"pool": "processes", name: value}))


def _default_queue(value: Any) -> str:
    try:
        return checked_queue(value)
    except InvalidValue as error:
        raise InvalidValue(f"task_default_{error}") from None


def _beat_schedule(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(type(name) is str for name in value):
        raise InvalidValue.of("beat_schedule", "a dict of schedules by name", value)
    return MappingProxyType(dict(value))


# ---- what stands in a variable ---------------------------------------------------------------------------


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text  # which breaks the rule, and that says how


def _routes(text: str) -> dict[str, str]:
    found = {}
    for part in _names(text):
        pattern, _, queue = part.rpartition("=")
        found[pattern.strip()] = queue.strip()
    return found


_TABLE: Final = (
    Setting(
        name="store", default="tasks.json", check=_store, read=str,
        help="where the ring lives: a path, a URL, or in code a Store",
    ),
    Setting(
        name="durability", default=None, check=_durability, read=str,
        help='"sync", "interval" or "os"; None for what the URL says, or else "sync"',
    ),
    Setting(
        name="pool", default="threads", check=_checked_by(lambda value: PoolOptions(pool=value)), read=str,
        help='what jobs run in: "threads", "processes", "asyncio", "gevent", "eventlet" or "solo"',
    ),
    Setting(
        name="workers", default=None, check=_workers, read=_number,
        help="how many jobs run at the same time; None for what the pool has: 4 threads",
    ),
    Setting(
        name="queues", default=None, check=checked_queues, read=_names,
        help="run jobs of these queues only; None for all",
    ),
    Setting(
        name="result_ttl", default=3600, check=_checked_by(checked_ttl_ms), read=_number,
        help="how long a finished job and its result are kept, in seconds or as a timedelta",
    ),
    Setting(
        name="failed_ttl", default=7 * 86_400, read=_number,
        check=_checked_by(lambda ttl: checked_ttl_ms(ttl, "failed_ttl")),
        help="how long a job that failed, or expired unrun, is kept, unless its result_ttl is longer",
    ),
    Setting(
        name="time_limit", default=None, check=_pooled("time_limit"), read=_number,
        help="of tasks that have none of their own: a run is stopped after so many seconds, where the pool can",
    ),
    Setting(
        name="soft_time_limit", default=None, check=_pooled("soft_time_limit"), read=_number,
        help="likewise: SoftTimeLimitExceeded is raised in the function",
    ),
    Setting(
        name="max_tasks_per_child", default=None, check=_pooled("max_tasks_per_child"), read=_number,
        help="a worker process that has run so many jobs is replaced",
    ),
    Setting(
        name="max_memory_per_child", default=None, check=_pooled("max_memory_per_child"), read=_number,
        help="a worker process that is larger than so many KiB after a job is replaced",
    ),
    Setting(
        name="task_default_queue", default="default", check=_default_queue, read=str,
        help="of calls whose queue neither the call, nor the task, nor task_routes says",
    ),
    Setting(
        name="task_routes", default=None, check=checked_routes, read=_routes,
        help='the queue of tasks by their names or patterns of them: {"app.mail.*": "mail"}',
    ),
    Setting(
        name="timezone", default="UTC", check=_checked_by(checked_zone), read=str,
        help="in which crontab() is understood, and nothing else",
    ),
    Setting(
        name="owner", default=None, check=checked_owner, read=str,
        help="how this process is called in the store, for people; None for the host's name",
    ),
    Setting(
        name="beat_schedule", default=None, check=_beat_schedule, read=None,
        help="schedules by name, as Celery has them; in code only",
    ),
)  # fmt: skip
SETTINGS: Final[Mapping[str, Setting]] = MappingProxyType({setting.name: setting for setting in _TABLE})
"""All settings, by name, in the order in which they are shown."""
POOL: Final = ("pool", "workers", "time_limit", "soft_time_limit", "max_tasks_per_child", "max_memory_per_child")
"""Those that together make the pool."""


def canonical(name: str) -> str:
    """Our name of a setting, which may be given by Celery's.

    Raises:
        UnknownSetting: there is none; the message guesses which was meant.
    """
    if name in SETTINGS:
        return name
    if name in RENAMED:
        return RENAMED[name]
    raise UnknownSetting(f"there is no setting {name!r}{_guess(name)}")


def _guess(name: str) -> str:
    now = modern(name, SETTINGS)
    if now is not None:
        return f"; Celery has called it {now} since version 4: {what_to_write(now)}"
    near = near_miss(name)
    return f"; did you mean {near!r}?" if near else f"; the settings are {', '.join(SETTINGS)}"


def what_to_write(name: str) -> str:
    """What becomes of one of Celery's settings here, in words."""
    if name in SETTINGS or name in RENAMED or is_so_anyway(name):
        return f"write {name}"
    try:
        moved(name, UNSET)
    except InvalidValue as error:
        return str(error)
    return "there is no such setting here"


def near_miss(name: str, cutoff: float = 0.7) -> str | None:
    """The setting that a name comes nearest to, if it comes near."""
    near = get_close_matches(name.lower(), [*SETTINGS, *RENAMED], n=1, cutoff=cutoff)
    return near[0] if near else None


def accepted(name: str, value: Any) -> tuple[str, Any] | None:
    """A setting under our name with its value as it is kept; None for one that says what is so in any case.

    Raises:
        UnknownSetting: there is no such setting.
        InvalidValue: the value breaks the rule, or the setting is one of Celery's that means something else here.
    """
    if value is UNSET:
        return canonical(name), UNSET
    if name not in SETTINGS and moved(name, value):
        return None
    setting = SETTINGS[canonical(name)]
    return setting.name, setting.checked(value)


# ---- for people ------------------------------------------------------------------------------------------

_PASSWORD: Final = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]*@")


def plain(value: Any) -> Any:
    """A value as strict JSON: what has no form there is text, and passwords of URLs are not shown."""
    if isinstance(value, str):
        return _PASSWORD.sub(r"\1:***@", value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, frozenset):
        return sorted(plain(one) for one in value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _words(value)


def _words(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, tzinfo) else repr(value)
