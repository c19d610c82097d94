"""Hourwheel: run a Python function later, and never lose it.

>>> from hourwheel import Scheduler
>>> app = Scheduler("tasks.json")
>>> @app.task
... def remind(user_id, text): ...
>>> result = remind.delay(1, "x", countdown=900)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .clock import Clock, SystemClock
    from .contract import Filter, Found, OnConflict, Stats, Store, Wakeup
    from .errors import (
        Deadlock,
        DuplicateJob,
        HourwheelError,
        InvalidValue,
        JobCancelled,
        JobExpired,
        JobFailed,
        NoScheduler,
        NotRegistered,
        PayloadError,
        ResultError,
        ResultTimeout,
        SchedulerError,
        SoftTimeLimitExceeded,
        StoreBusy,
        StoreClosed,
        StoreCorrupt,
        StoreError,
        StoreFormatError,
        StoreFull,
        StoreIncomplete,
        StoreMoved,
        StoreReadOnly,
        StoreReentered,
        StoreUncertain,
        StoreUnsafe,
        TimeLimitExceeded,
        TooManyPending,
        UnknownJob,
        UnknownSchedule,
        UnknownSetting,
        WrongUse,
    )
    from .events import Events, Hook
    from .job import Bound, Claim, Crashed, Failed, Failure, Job, Outcome, Released, Retried, Snoozed, State, Succeeded
    from .results.completing import as_completed
    from .results.many import Results
    from .results.result import AsyncResult
    from .scheduler.book import ScheduleBook
    from .scheduler.scheduler import Scheduler
    from .scheduler.scheduling import Scheduled
    from .schedules.when import Schedule, crontab, every
    from .settings.conf import Conf
    from .settings.table import UNSET
    from .tasks.canvas import Signature, chain, chord, group
    from .tasks.context import current_job
    from .tasks.decorator import TaskDecorator, task
    from .tasks.default_app import get_default, set_default
    from .tasks.options.limit import Limit
    from .tasks.options.retry import MaxRetriesExceeded, Retry, Snooze
    from .tasks.registry import Registry
    from .tasks.sender import Call
    from .tasks.task import Task

__version__ = "0.1.0"

_HOMES: Final = {
    "clock": "Clock SystemClock",
    "contract": "Filter Found OnConflict Stats Store Wakeup",
    "events": "Events Hook",
    "job": "Bound Claim Crashed Failed Failure Job Outcome Released Retried Snoozed State Succeeded",
    "results.completing": "as_completed",
    "results.many": "Results",
    "results.result": "AsyncResult",
    "scheduler.scheduler": "Scheduler",
    "scheduler.book": "ScheduleBook",
    "scheduler.scheduling": "Scheduled",
    "schedules.when": "Schedule crontab every",
    "settings.conf": "Conf",
    "settings.table": "UNSET",
    "tasks.canvas": "Signature chain chord group",
    "tasks.context": "current_job",
    "tasks.decorator": "TaskDecorator task",
    "tasks.default_app": "get_default set_default",
    "tasks.options.limit": "Limit",
    "tasks.options.retry": "MaxRetriesExceeded Retry Snooze",
    "tasks.registry": "Registry",
    "tasks.sender": "Call",
    "tasks.task": "Task",
}
"""The modules that define the names; what is not listed is in ``errors``. Each is imported when first used."""
__all__ = [  # noqa: RUF022 - in alphabetical order
    "AsyncResult",
    "Bound",
    "Call",
    "Claim",
    "Clock",
    "Conf",
    "Crashed",
    "Deadlock",
    "DuplicateJob",
    "Events",
    "Failed",
    "Failure",
    "Filter",
    "Found",
    "Hook",
    "HourwheelError",
    "InvalidValue",
    "Job",
    "JobCancelled",
    "JobExpired",
    "JobFailed",
    "Limit",
    "MaxRetriesExceeded",
    "NoScheduler",
    "NotRegistered",
    "OnConflict",
    "Outcome",
    "PayloadError",
    "Registry",
    "Released",
    "ResultError",
    "ResultTimeout",
    "Results",
    "Retried",
    "Retry",
    "Schedule",
    "ScheduleBook",
    "Scheduled",
    "Scheduler",
    "SchedulerError",
    "Signature",
    "Snooze",
    "Snoozed",
    "SoftTimeLimitExceeded",
    "State",
    "Stats",
    "Store",
    "StoreBusy",
    "StoreClosed",
    "StoreCorrupt",
    "StoreError",
    "StoreFormatError",
    "StoreFull",
    "StoreIncomplete",
    "StoreMoved",
    "StoreReadOnly",
    "StoreReentered",
    "StoreUncertain",
    "StoreUnsafe",
    "Succeeded",
    "SystemClock",
    "Task",
    "TaskDecorator",
    "TimeLimitExceeded",
    "TooManyPending",
    "UNSET",
    "UnknownJob",
    "UnknownSchedule",
    "UnknownSetting",
    "Wakeup",
    "WrongUse",
    "as_completed",
    "chain",
    "chord",
    "crontab",
    "current_job",
    "every",
    "get_default",
    "group",
    "set_default",
    "task",
]

_HOME: Final = dict.fromkeys(__all__, "errors")
_HOME.update((name, home) for home, names in _HOMES.items() for name in names.split())


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f".{home}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
