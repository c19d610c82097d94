"""Celery's names and meanings over Hourwheel: switching is one import.

``from celery import Celery`` becomes ``from hourwheel.celery import Celery``, and so on for ``shared_task``, ``chain``,
``celery.result``, ``celery.schedules``, ``celery.signals``, ``celery.exceptions`` and ``celery.utils.log``. Jobs are
kept in the store that ``store=`` or ``HOURWHEEL_STORE`` names; no broker is needed.
"""

from . import exceptions, result, schedules, signals, states
from .app import Celery, bugreport, shared_task
from .canvas import (
    chain,
    chord,
    chunks,
    group,
    maybe_signature,
    signature,
    starmap,
    subtask,
    xmap,
    xstarmap,
)
from .current import current_app, current_task
from .signatures import Signature
from .task import Task
from .utils import uuid

__all__ = [
    "Celery",
    "Signature",
    "Task",
    "bugreport",
    "chain",
    "chord",
    "chunks",
    "current_app",
    "current_task",
    "exceptions",
    "group",
    "maybe_signature",
    "result",
    "schedules",
    "shared_task",
    "signals",
    "signature",
    "starmap",
    "states",
    "subtask",
    "uuid",
    "xmap",
    "xstarmap",
]
