"""Unheard: jobs that were claimed in a call whose answer was lost, so that nobody runs them.

A claim that ends with a StoreError may have been made all the same: the record is written, and the sync fails; a
server has committed, and the connection breaks. Then the jobs are running in the name of an owner who lives and knows
nothing of them, and nobody would ever take them back. So whoever was left without an answer looks, before he claims
again, for what runs in his name since that very moment.
"""

from __future__ import annotations

from typing import Final

from ..contract import Filter, Store
from ..job import Claim, State

_RUNNING: Final = Filter(states=frozenset({State.RUNNING}))
_ALL: Final = 1 << 62


def unheard(store: Store, owner: str, asked_ms: int, newest: int) -> list[Claim]:
    """The claims that an unanswered call of ``claim`` has made.

    Args:
        store: as it was asked.
        owner: in whose name.
        asked_ms: the ``now_ms`` of that call.
        newest: the newest token that the owner has heard of; those of the lost answer are greater.

    Returns:
        Claims of jobs that have not begun, and that nobody else can settle.
    """
    return [
        Claim(job, job.token, owner, job.lease_until_ms)
        for job in store.scan(_RUNNING, _ALL)
        if job.owner == owner and job.started_ms == asked_ms and job.token > newest
    ]
