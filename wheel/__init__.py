"""Hourwheel: run a Python function later, and never lose it.

>>> from hourwheel import Scheduler
>>> app = Scheduler("tasks.json")
>>> @app.task
... def remind(user_id, text): ...
>>> result = remind.delay(1, "x", countdown=900)
"""

from .canvas import Signature, chain, chord, group
from .clock import Clock, SystemClock
from .conf import Conf
from .context import current_job
from .contract import Erasing, Filter, Found, OnConflict, Pausable, Stats, Store, Wakeup
from .decorator import TaskDecorator, task
from .default import get_default, set_default
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
    StorePoisoned,
    StoreReadOnly,
    StoreReentered,
    StoreUnsafe,
    TimeLimitExceeded,
    TooManyPending,
    UnknownJob,
    UnknownSchedule,
    UnknownSetting,
)
from .events import Events, Hook
from .job import Bound, Claim, Crashed, Failed, Failure, Job, Outcome, Released, Retried, Snoozed, State, Succeeded
from .limit import Limit
from .periodic import Schedule, crontab, every
from .registry import Registry
from .result import AsyncResult
from .results import Results
from .retry import MaxRetriesExceeded, Retry, Snooze
from .scheduler import Scheduler
from .scheduling import Scheduled
from .sender import Call
from .settings import UNSET
from .task import Task

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022 - by the alphabet alone
    "AsyncResult",
    "Bound",
    "Call",
    "Claim",
    "Clock",
    "Conf",
    "Crashed",
    "Deadlock",
    "DuplicateJob",
    "Erasing",
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
    "Pausable",
    "PayloadError",
    "Registry",
    "Released",
    "ResultError",
    "ResultTimeout",
    "Results",
    "Retried",
    "Retry",
    "Schedule",
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
    "StorePoisoned",
    "StoreReadOnly",
    "StoreReentered",
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
