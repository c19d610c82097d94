"""Tell a caller of ``get()`` why the job has not ended, in the words of ``hourwheel why``."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final

from ..contract import find
from ..job import Job
from ..worker import log
from .facts import few_facts_of
from .reasons import held_up

if TYPE_CHECKING:
    from ..tasks.carrier import Carrier

_WARNED: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
"""Carriers for which the warning was logged."""


def why_not_ended(carrier: Carrier, job: Job) -> str:
    """Return why a job has not ended, from facts that are cheap to look up; "" if unknown."""
    try:
        facts = few_facts_of(job, carrier.store, carrier.clock.now_ms(), nobody=_is_alone(carrier))
        return held_up(job, facts) or ""
    except Exception:  # the caller is about to raise a timeout, which matters more
        return ""


def warn_if_nobody_runs(carrier: Carrier, id: str) -> None:
    """Log a warning, once per scheduler, if no process is alive that could run a job that get() waits for."""
    try:
        job = find(carrier.store, id)
        if job is None or job.finished or carrier in _WARNED:
            return
        facts = few_facts_of(job, carrier.store, carrier.clock.now_ms(), nobody=_is_alone(carrier))
    except Exception:  # a missing warning must not break get()
        return
    if facts.processes is None or facts.alive:
        return
    _WARNED.add(carrier)
    log.LOG.warning("get() waits for %s[%s]: %s", job.task, job.id, why_not_ended(carrier, job))


def _is_alone(carrier: Carrier) -> bool:
    """Whether only this process could run the jobs, and it does not."""
    return type(carrier.store).__module__.endswith(".store.memory") and not getattr(carrier, "running", True)
