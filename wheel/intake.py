"""Intake: what becomes of claims before they are run: fires are followed, what waited is given what it waited for."""

from __future__ import annotations

from collections.abc import Sequence

from .contract import Store
from .events import Events
from .gathering import sift
from .job import Claim, Outcome
from .schedules import Schedules


def take_in(
    claims: Sequence[Claim], store: Store, now_ms: int, on: Events, schedules: Schedules
) -> tuple[Sequence[Claim], list[tuple[Claim, Outcome]]]:
    """(claims to be run, claims that end without being run).

    Raises:
        StoreError: a result that a job waited for could not be read.
    """
    taken, skipped = schedules.follow(claims, store, now_ms, on)
    to_run, ended = sift(taken, store, on)
    return to_run, [*skipped, *ended]
