"""Rescuing: what happens to the running jobs of an owner that has died."""

from __future__ import annotations

from collections.abc import Sequence

from ...job import Released
from ...turn import Effect, turn
from .records import Record, Rescued, Settled
from .state import State, job_of


def rescued(state: State, ids: Sequence[str], mark: tuple[int, int] | None, reason: str, now_ms: int) -> list[Record]:
    """Jobs that had begun have crashed; the others are given back, which counts for nothing.

    ``mark`` says up to which token they had begun, and since when. If it is None, all count as begun.
    """
    given_back = Released(reason=f"{reason} before it began")
    begun: list[str] = []
    unbegun: list[tuple[str, int, Effect]] = []
    for id in ids:
        job = job_of(state.rows[id])
        token = job.token
        if mark is None or token <= mark[0]:
            begun.append(id)
        else:
            unbegun.append((id, token, turn(job, given_back)))
    records: list[Record] = [Rescued(now_ms, begun, reason)] if begun else []
    return [*records, Settled(now_ms, unbegun)] if unbegun else records
