"""Following: the fires that come next are added, so that one that cannot be does not keep the others from it."""

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
    """Add the fires that come next.

    Args:
        following: for each claim the next fire.
        ended: by token, what becomes of claims that are not run; those that cannot be followed are put in.
        store: where.
        now_ms: the present.

    Returns:
        The tokens of the claims that are lost.
    """
    try:
        return {claim.token for claim in store.settle(following, now_ms)} if following else set()
    except StoreError as error:
        _LOG.warning("%d fires are given back, as the next ones could not be added: %s", len(following), error)
        ended |= {claim.token: Released(reason="the next fire could not be added") for claim, _ in following}
        return set()
    except Exception as error:  # one of them is no sound job
        if len(following) > 1:
            return {token for one in following for token in add_next([one], ended, store, now_ms)}
        claim = following[0][0]
        ended[claim.token] = hold(claim.job, now_ms, error)
        return set()


def hold(job: Job, now_ms: int, error: Exception) -> Snoozed:
    """Put a fire off whose schedule fails."""
    _LOG.error("Fire %s is put off, as its schedule fails", job.id, exc_info=error)
    return Snoozed(due_ms=now_ms + _HOLD_MS, reason=f"its schedule failed: {type(error).__name__}")
