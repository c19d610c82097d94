"""Celery's names of settings: which mean the same here, and what the others have become.

A setting that is ignored is found out in production, so none is: it is taken, or refused with what to write instead.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, Final

from ..errors import InvalidValue

RENAMED: Final[Mapping[str, str]] = {
    "result_expires": "result_ttl",
    "task_soft_time_limit": "soft_time_limit",
    "task_time_limit": "time_limit",
    "worker_concurrency": "workers",
    "worker_max_memory_per_child": "max_memory_per_child",
    "worker_max_tasks_per_child": "max_tasks_per_child",
    "worker_pool": "pool",
}
"""Celery's name: ours."""


def _are_json(value: object) -> bool:
    return isinstance(value, (list, tuple, set, frozenset)) and all(one in _JSON for one in value)


_JSON: Final = ("json", "application/json")
_ALLOWED: Final[Mapping[str, Callable[[Any], bool]]] = {
    "True": lambda value: value is True,
    '"json"': lambda value: value in _JSON,
    '["json"]': _are_json,
}
"""Which values a rule allows, by its first word."""
_BROKER: Final = 'absent: there is no broker; write store=, a path or URL such as "tasks.json"'
_IMPORTS: Final = 'absent: call app.autodiscover_tasks(["shop", ...]), or import the modules where the app is made'
_PICKLE: Final = '"json": pickle is never read'
_TESTS: Final = "absent: tests run the jobs themselves, with app.run_due() and hourwheel.testing; see docs/testing.md"
_TWICE: Final = "give @app.task(acks_early=True) to those that must not"
_RULES: Final[Mapping[str, str]] = {
    "accept_content": '["json"]: arguments and results are strict JSON, and pickle is never read',
    "enable_utc": "True: instants are kept in UTC always; timezone says how crontab() is understood",
    "imports": _IMPORTS,
    "include": _IMPORTS,
    "result_backend": "absent: results are kept in the store, with their jobs; result_ttl says for how long",
    "result_serializer": _PICKLE,
    "task_acks_late": f"True: a job is settled after it ran; {_TWICE} run twice",
    "task_always_eager": _TESTS,
    "task_annotations": "absent: give options to @app.task(...), or to the call",
    "task_eager_propagates": _TESTS,
    "task_ignore_result": "absent: result_ttl=0 keeps no results",
    "task_queues": "absent: a queue is there as soon as it is named; queues= says which of them are worked on",
    "task_reject_on_worker_lost": f"True: a job whose worker died runs again; {_TWICE}",
    "task_serializer": _PICKLE,
    "task_store_eager_result": _TESTS,
    "task_track_started": 'True: a job that runs is always seen as "running"',
    "worker_prefetch_multiplier": "absent: a job is claimed when a worker is free, so there is nothing to tune",
}
"""What settings must be that have become something else, or can only say what is always so here."""
_FAMILIES: Final[Mapping[str, str]] = {
    "beat_": "absent: there is no beat; every process that runs jobs looks after the schedules",
    "broker_": _BROKER,
    "redis_": _BROKER,
    "result_backend_": "absent: results are kept in the store",
}
"""The same for all names that begin so."""
_ARGUMENTS: Final = {"broker": "broker_url", "backend": "result_backend", "include": "include"}


def rule_of(name: str) -> str:
    """What a setting of Celery's must be here; "" for those that can be anything, or are unknown."""
    return _RULES.get(name) or next((rule for start, rule in _FAMILIES.items() if name.startswith(start)), "")


def keeps_rule(name: str, value: object) -> bool:
    """Whether a setting of Celery's has a rule, so that there is nothing to set; refuse a value that breaks it."""
    rule = rule_of(name)
    word = rule.partition(":")[0]
    if name == "result_expires" and not value:
        raise InvalidValue.of(name, "more than zero: for ever, which it means in Celery, is a large result_ttl", value)
    if word == "absent":
        raise InvalidValue(f"{name} must be {rule}")  # without the value: there may be a password in it
    if rule and not _ALLOWED[word](value):
        raise InvalidValue.of(name, rule, value)
    return bool(rule)


def argument_hint(name: str) -> str:
    """What to do instead of an argument of ``Celery()``; "" for others.

    >>> argument_hint("backend")
    'results are kept in the store, with their jobs; result_ttl says for how long'
    """
    return rule_of(_ARGUMENTS.get(name, "")).removeprefix("absent: ")


# ---- before Celery 4 -------------------------------------------------------------------------------------

_OLD_STARTS: Final = (("celeryd_task_", "task_"), ("celeryd_", "worker_"), ("celerybeat_", "beat_"))
_OLD_QUEUES: Final = "CELERY_QUEUES"
"""It means task_queues, not our ``queues``."""
_OLD_PREFIXES: Final = ("CELERYD_", "CELERYBEAT_", "CELERYEV_", "CELERYMON_", "BROKER_")


def is_old(name: str) -> bool:
    """Whether this name of Celery 3 would be misread, or passed over because it is in no namespace."""
    return name.startswith(_OLD_PREFIXES) or name == _OLD_QUEUES


def modern(name: str, known: Container[str] = ()) -> str | None:
    """The name since Celery 4 of what was called ``name`` before; None if there is none, here or in ``known``.

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
    for made in (rest, f"task_{rest}", f"result_{rest}", f"worker_{rest}", rest.removeprefix("task_")):
        if made != name and (made in known or made in RENAMED or rule_of(made)):
            return made
    return None
