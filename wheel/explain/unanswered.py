"""Unanswered: what is said to who waits for a job that nobody runs, in the words of ``hourwheel why``."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final

from ..contract import find
from ..job import Job
from ..worker import log
from .facts import few_facts_of
from .reasons import held_up

if TYPE_CHECKING:
    from ..contract import Store
    from ..tasks.carrier import Carrier

_WARNED: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
"""Keepers of whose jobs it was said that nobody runs them."""


def why_not_ended(carrier: Carrier, job: Job) -> str:
    """Why a job has not ended, as far as can be told at no great cost; "" if that is not known."""
    try:
        facts = few_facts_of(job, carrier.store, carrier.clock.now_ms(), nobody=_is_alone(carrier))
        return held_up(job, facts) or ""
    except Exception:  # the wait has come to nothing, and that is what is to be told
        return ""


def warn_if_nobody_runs(carrier: Carrier, id: str) -> None:
    """Log, once for each scheduler, that no process is alive which could run a job that is waited for."""
    try:
        job = find(carrier.store, id)
        if job is None or job.finished or carrier in _WARNED:
            return
        facts = few_facts_of(job, carrier.store, carrier.clock.now_ms(), nobody=_is_alone(carrier))
    except Exception:  # it is no more than a word
        return
    if facts.processes is None or facts.alive:
        return
    _WARNED.add(carrier)
    log.LOG.warning("get() waits for %s[%s]: %s", job.task, job.id, why_not_ended(carrier, job))


def _is_alone(carrier: Carrier) -> bool:
    """Whether nobody but this process could run its jobs, and it does not."""
    return _in_memory(carrier.store) and not getattr(carrier, "running", True)


def _in_memory(store: Store) -> bool:
    return type(store).__module__.endswith(".store.memory")
