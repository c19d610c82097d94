"""Unanswered: what is said to who waits for a job that nobody runs, in the words of ``hourwheel why``."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final

from ..job import Job
from ..worker import log
from .facts import few_facts_of
from .reasons import held_up

if TYPE_CHECKING:
    from ..contract import Store
    from ..tasks.carrier import Keeper

_WARNED: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
"""Keepers of whose jobs it was said that nobody runs them."""


def why_not_ended(keeper: Keeper, job: Job) -> str:
    """Why a job has not ended, as far as can be told at no great cost; "" if that is not known."""
    try:
        facts = few_facts_of(job, keeper.store, keeper.clock.now_ms(), nobody=_is_alone(keeper))
        return held_up(job, facts) or ""
    except Exception:  # the wait has come to nothing, and that is what is to be told
        return ""


def warn_if_nobody_runs(keeper: Keeper, id: str) -> None:
    """Log, once for each scheduler, that no process is alive which could run a job that is waited for."""
    try:
        job = keeper.store.get(id)
        if job is None or job.finished or keeper in _WARNED:
            return
        facts = few_facts_of(job, keeper.store, keeper.clock.now_ms(), nobody=_is_alone(keeper))
    except Exception:  # it is no more than a word
        return
    if facts.processes is None or facts.alive:
        return
    _WARNED.add(keeper)
    log.LOG.warning("get() waits for %s[%s]: %s", job.task, job.id, why_not_ended(keeper, job))


def _is_alone(keeper: Keeper) -> bool:
    """Whether nobody but this process could run its jobs, and it does not."""
    return _in_memory(keeper.store) and not getattr(keeper, "running", True)


def _in_memory(store: Store) -> bool:
    return type(store).__module__.endswith(".store.memory")
