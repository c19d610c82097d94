"""Settings: the table of all that can be configured, each with its default, its rule and a line of help.

A setting has one name wherever it is given: ``workers`` in code and in TOML, ``HOURWHEEL_WORKERS`` in the environment,
``CELERY_WORKER_CONCURRENCY`` or ``HOURWHEEL_WORKERS`` in Django's settings. celery.py has what Celery calls otherwise.
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
from ..worker.pool.options import pool_options
from ..zones import checked_zone
from .celery import RENAMED, keeps_rule, modern, rule_of
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

# ---- rules: each gives the value as it is kept, or raises InvalidValue -----------------------------------


def _durability(value: Any) -> Any:
    if value not in ("sync", "interval", "os") or type(value) is not str:
        raise InvalidValue.of("durability", '"sync", "interval" or "os"', value)
    return value


def _workers(value: Any) -> Any:
    """Checked against the largest pool; PoolOptions checks it against the one that is chosen."""
    if type(value) is not int or not 1 <= value <= max(kind.most for kind in KINDS.values()):
        pool_options({"workers": value})  # raises, and says how many there may be
    return value


def _default_queue(value: Any) -> Any:
    try:
        return checked_queue(value)
    except InvalidValue as error:
        raise InvalidValue(f"task_default_{error}") from None


def _beat_schedule(value: Any) -> Any:
    if not isinstance(value, Mapping) or not all(type(name) is str for name in value):
        raise InvalidValue.of("beat_schedule", "a dict of schedules by name", value)
    return MappingProxyType(dict(value))


def _as_given(check: Callable[[Any], object]) -> Callable[[Any], Any]:
    """The rule of a check, for a value that is kept as it was given."""
    return lambda value: (check(value), value)[1]


def _of_pool(name: str) -> Callable[[Any], Any]:
    return _as_given(lambda value: pool_options({"pool": "processes", name: value}))  # it can do most


# ---- readers of the text of a variable: what they cannot read breaks the rule, which has the better words -


def _names(text: str) -> Any:
    return [name.strip() for name in text.split(",") if name.strip()]


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _routes(text: str) -> Any:
    pairs = (part.rpartition("=") for part in _names(text))
    return {pattern.strip(): queue.strip() for pattern, _, queue in pairs}


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that can be configured."""

    name: str
    default: Any
    check: Callable[[Any], Any]
    """Its rule; None is not checked where it is the default."""
    read: Callable[[str], Any] | None
    """Reads the text of a variable; None for what can only be given in code."""
    help: str

    def checked(self, value: Any) -> Any:
        """The value as it is kept; InvalidValue if it breaks the rule."""
        return value if value is None and self.default is None else self.check(value)

    def of_text(self, text: str) -> Any:
        """A value from the text of a variable, not checked yet, or why there is none; UNSET if it is empty."""
        if self.read is None:
            return InvalidValue.of(self.name, "given in code", text) if text.strip() else UNSET
        none = self.default is None and text.strip().lower() == "none"
        return None if none else self.read(text.strip()) if text.strip() else UNSET


SETTINGS: Final[Mapping[str, Setting]] = MappingProxyType({setting.name: setting for setting in (
    Setting("store", "tasks.json", checked_store, str, "where the ring lives: a path, a URL, or in code a Store"),
    Setting("durability", None, _durability, str,
            '"sync", "interval" or "os"; None for what the URL says, or else "sync"'),
    Setting("pool", "threads", _of_pool("pool"), str,
            'what jobs run in: "threads", "processes", "asyncio", "gevent", "eventlet" or "solo"'),
    Setting("workers", None, _workers, _number,
            "how many jobs run at the same time; None for what the pool has: 4 threads"),
    Setting("queues", None, checked_queues, _names, "run jobs of these queues only; None for all"),
    Setting("result_ttl", 3600, _as_given(checked_ttl_ms), _number,
            "how long a finished job and its result are kept, in seconds or as a timedelta"),
    Setting("failed_ttl", 7 * 86_400, _as_given(lambda ttl: checked_ttl_ms(ttl, "failed_ttl")), _number,
            "how long a job that failed, or expired unrun, is kept, unless its result_ttl is longer"),
    Setting("time_limit", None, _of_pool("time_limit"), _number,
            "of tasks that have none of their own: a run is stopped after so many seconds, where the pool can"),
    Setting("soft_time_limit", None, _of_pool("soft_time_limit"), _number,
            "likewise: SoftTimeLimitExceeded is raised in the function"),
    Setting("max_tasks_per_child", None, _of_pool("max_tasks_per_child"), _number,
            "a worker process that has run so many jobs is replaced"),
    Setting("max_memory_per_child", None, _of_pool("max_memory_per_child"), _number,
            "a worker process that is larger than so many KiB after a job is replaced"),
    Setting("task_default_queue", "default", _default_queue, str,
            "of calls whose queue neither the call, nor the task, nor task_routes says"),
    Setting("task_routes", None, checked_routes, _routes,
            'the queue of tasks by their names or patterns of them: {"app.mail.*": "mail"}'),
    Setting("timezone", "UTC", _as_given(checked_zone), str, "in which crontab() is understood, and nothing else"),
    Setting("owner", None, checked_owner, str,
            "how this process is called in the store, for people; None for the host's name"),
    Setting("beat_schedule", None, _beat_schedule, None, "schedules by name, as Celery has them; in code only"),
)})  # fmt: skip
"""All settings, by name, in the order in which they are shown."""
IN_CODE: Final = frozenset(name for name, setting in SETTINGS.items() if setting.read is None)
"""Those that can be given in code only."""
POOL: Final = ("pool", "workers", "time_limit", "soft_time_limit", "max_tasks_per_child", "max_memory_per_child")
"""Those that together make the pool."""

# ---- names -----------------------------------------------------------------------------------------------


def canonical(name: str) -> str:
    """Our name of a setting, which may be given by Celery's.

    Raises:
        UnknownSetting: there is none; the message guesses which was meant.
    """
    if name in SETTINGS or name in RENAMED:
        return RENAMED.get(name, name)
    if now := modern(name, SETTINGS):
        guess = f"; Celery has called it {now} since version 4: {what_to_write(now)}"
    elif near := near_miss(name):
        guess = f"; did you mean {near!r}?"
    else:
        guess = f"; the settings are {', '.join(SETTINGS)}"
    raise UnknownSetting(f"there is no setting {name!r}{guess}")


def what_to_write(name: str) -> str:
    """What to do about one of Celery's settings, in words."""
    rule = rule_of(name)
    if name in SETTINGS or name in RENAMED or (rule and not rule.startswith("absent")):
        return f"write {name}"
    return f"{name} must be {rule}" if rule else "there is no such setting here"


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
    if name not in SETTINGS and keeps_rule(name, value):
        return None
    setting = SETTINGS[canonical(name)]
    return setting.name, setting.checked(value)


# ---- for people ------------------------------------------------------------------------------------------

_PASSWORD: Final = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]*@")


def plain(value: Any) -> Any:
    """A value as strict JSON: what has no form there is text, and passwords of URLs are not shown."""
    match value:
        case str():
            return _PASSWORD.sub(r"\1:***@", value)
        case Mapping():
            return {str(key): plain(one) for key, one in value.items()}
        case list() | tuple() | frozenset():
            found = [plain(one) for one in value]
            return sorted(found) if isinstance(value, frozenset) else found
        case timedelta():
            return value.total_seconds()
        case None | bool() | int() | float():
            return value
    return str(value) if isinstance(value, tzinfo) else repr(value)
