"""Celery's names of settings: which mean the same here, which say what is so in any case, and what the rest has become.

A setting that would be ignored is found out in production, so none is: it is taken, or refused with what to write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from .errors import InvalidValue

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
    "broker_": _NO_BROKER,
    "redis_": _NO_BROKER,
    "result_backend_": "absent: results are kept in the store",
}
"""The same for all names that begin so."""


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
    rule = _GONE.get(name) or next((rule for start, rule in _FAMILIES.items() if name.startswith(start)), "")
    if rule:
        raise InvalidValue(f"{name} must be {rule}")  # without the value: there may be a password in it
    return False
