"""Celery's names of settings: which mean the same here, which say what is so in any case, and what the rest has become.

A setting that would be ignored is found out in production, so none is: it is taken, or refused with what to write.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from types import MappingProxyType
from typing import Any, Final

from ..errors import InvalidValue

RENAMED: Final[Mapping[str, str]] = MappingProxyType({
    "result_expires": "result_ttl",
    "task_soft_time_limit": "soft_time_limit",
    "task_time_limit": "time_limit",
    "worker_concurrency": "workers",
    "worker_max_memory_per_child": "max_memory_per_child",
    "worker_max_tasks_per_child": "max_tasks_per_child",
    "worker_pool": "pool",
})  # fmt: skip
"""Celery's name: ours."""


def _is_json(value: object) -> bool:
    return value in ("json", "application/json")


_ANYWAY: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = MappingProxyType({
    "accept_content": (
        lambda value: isinstance(value, (list, tuple, set, frozenset)) and all(map(_is_json, value)),
        '["json"]: arguments and results are strict JSON, and pickle is never read',
    ),
    "enable_utc": (
        lambda value: value is True,
        "True: instants are kept in UTC always; timezone says how crontab() is understood",
    ),
    "result_serializer": (_is_json, '"json": pickle is never read'),
    "task_acks_late": (
        lambda value: value is True,
        "True: a job is settled after it ran; give @app.task(acks_early=True) to those that must not run twice",
    ),
    "task_reject_on_worker_lost": (
        lambda value: value is True,
        "True: a job whose worker died runs again; give @app.task(acks_early=True) to those that must not",
    ),
    "task_serializer": (_is_json, '"json": pickle is never read'),
    "task_track_started": (lambda value: value is True, 'True: a job that runs is always seen as "running"'),
})  # fmt: skip
"""What says what is so in any case: (whether it does, what it must be)."""

_NO_BROKER: Final = 'absent: there is no broker; write store=, a path or URL such as "tasks.json"'
_TESTING: Final = "absent: tests run the jobs themselves, with app.run_due() and hourwheel.testing; see docs/testing.md"
_DISCOVER: Final = 'absent: call app.autodiscover_tasks(["shop", ...]), or import the modules where the app is made'

_BEAT: Final = "absent: there is no beat; every process that runs jobs looks after the schedules"

_GONE: Final[Mapping[str, str]] = MappingProxyType({
    "broker_url": _NO_BROKER,
    "broker_read_url": _NO_BROKER,
    "broker_write_url": _NO_BROKER,
    "imports": _DISCOVER,
    "include": _DISCOVER,
    "result_backend": "absent: results are kept in the store, with their jobs; result_ttl says for how long",
    "task_always_eager": _TESTING,
    "task_annotations": "absent: give options to @app.task(...), or to the call",
    "task_eager_propagates": _TESTING,
    "task_ignore_result": "absent: result_ttl=0 keeps no results",
    "task_queues": "absent: a queue is there as soon as it is named; queues= says which of them are worked on",
    "task_store_eager_result": _TESTING,
    "worker_prefetch_multiplier": "absent: a job is claimed when a worker is free, so there is nothing to tune",
})  # fmt: skip
_FAMILIES: Final = {
    "beat_": _BEAT,
    "broker_": _NO_BROKER,
    "redis_": _NO_BROKER,
    "result_backend_": "absent: results are kept in the store",
}
"""The same for all names that begin so."""


# ---- before Celery 4 ---------------------------------------------------------------------------------------

_OLD_STARTS: Final = (("celeryd_task_", "task_"), ("celeryd_", "worker_"), ("celerybeat_", "beat_"))
_OLD_QUEUES: Final = "CELERY_QUEUES"
"""It means task_queues, not our ``queues``."""
_OLD_PREFIXES: Final = ("CELERYD_", "CELERYBEAT_", "CELERYEV_", "CELERYMON_", "BROKER_")
"""With these begin names that Celery 3 had and that stand in no namespace."""


_ARGUMENTS: Final = {"broker": "broker_url", "backend": "result_backend", "include": "include"}


def argument_hint(name: str) -> str:
    """What to do instead of an argument of ``Celery()``; empty for others.

    >>> argument_hint("backend")
    'results are kept in the store, with their jobs; result_ttl says for how long'
    """
    return _rule(_ARGUMENTS.get(name, "")).removeprefix("absent: ")


def is_so_anyway(name: str) -> bool:
    """Whether this is a setting of Celery's that may say what is so in any case."""
    return name in _ANYWAY


def is_old(name: str) -> bool:
    """Whether this is a name of Celery 3 that would be misread, or passed over as it does not begin with CELERY_."""
    return name.startswith(_OLD_PREFIXES) or name == _OLD_QUEUES


def modern(name: str, known: Container[str] = ()) -> str | None:
    """What Celery has called a setting since version 4 that was called ``name`` before; None if it was not.

    Args:
        name: such as CELERYD_CONCURRENCY, or what is left of CELERY_DEFAULT_QUEUE without its namespace.
        known: names besides those here.

    >>> modern("CELERYD_CONCURRENCY"), modern("default_queue", {"task_default_queue"}), modern("celery_always_eager")
    ('worker_concurrency', 'task_default_queue', 'task_always_eager')
    """
    if name == _OLD_QUEUES:
        return "task_queues"
    lower = name.lower()
    for old, new in _OLD_STARTS:
        if lower.startswith(old):
            return new + lower.removeprefix(old)
    rest = lower.removeprefix("celery_")
    for made in (rest, *(start + rest for start in ("task_", "result_", "worker_")), rest.removeprefix("task_")):
        if made != name and (made in known or made in RENAMED or made in _ANYWAY or _rule(made)):
            return made
    return None


def _rule(name: str) -> str:
    """What is to be done instead of a setting of Celery's that is none here."""
    return _GONE.get(name) or next((rule for start, rule in _FAMILIES.items() if name.startswith(start)), "")


def moved(name: str, value: object) -> bool:
    """Whether this is one of Celery's settings that says what is so in any case.

    Raises:
        InvalidValue: it is one that means something else here, or that has become something else.
    """
    if name in _ANYWAY:
        holds, rule = _ANYWAY[name]
        if not holds(value):
            raise InvalidValue.of(name, rule, value)
        return True
    if name == "result_expires" and not value:
        raise InvalidValue.of(name, "more than zero: for ever, which it means in Celery, is a large result_ttl", value)
    if rule := _rule(name):
        raise InvalidValue(f"{name} must be {rule}")  # without the value: there may be a password in it
    return False
