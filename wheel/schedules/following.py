"""Add the next fires of schedules, so that one that cannot be added does not hold up the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..contract import Store
from ..errors import StoreError
from ..job import Claim, Job, Outcome, Released, Snoozed
from ..safety.calm import CalmLogger
from ..turn import Keep

_LOG: Final = CalmLogger("hourwheel.schedules")
_HOLD_MS: Final = 60_000


def add_next(following: Sequence[tuple[Claim, Keep]], ended: dict[int, Outcome], store: Store, now_ms: int) -> set[int]:
    """Add the next fires.

    Args:
        following: for each claim the next fire.
        ended: by token, what becomes of claims that are not run; those that cannot be followed are put in.
        store: where.
        now_ms: the present.

    Returns:
        The tokens of claims that were lost to another owner.
    """
    try:
        return {claim.token for claim in store.settle(following, now_ms)} if following else set()
    except StoreError as error:
        _LOG.warning("%d fires are released, because the next ones could not be added: %s", len(following), error)
        ended |= {claim.token: Released(reason="the next fire could not be added") for claim, _ in following}
        return set()
    except Exception as error:  # one of the jobs is not valid: find out which
        if len(following) > 1:
            return {token for one in following for token in add_next([one], ended, store, now_ms)}
        claim = following[0][0]
        ended[claim.token] = hold(claim.job, now_ms, error)
        return set()


def hold(job: Job, now_ms: int, error: Exception) -> Snoozed:
    """Postpone a fire whose schedule raises."""
    _LOG.error("Fire %s is postponed by %d s: its schedule failed", job.id, _HOLD_MS // 1000, exc_info=error)
    return Snoozed(due_ms=now_ms + _HOLD_MS, reason=f"its schedule failed: {type(error).__name__}")
