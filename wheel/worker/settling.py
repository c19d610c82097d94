"""Settle many claims at once. An outcome that cannot be recorded does not affect the others."""

from __future__ import annotations

from ..contract import Store
from ..errors import StoreError
from ..job import Claim, Failed, Outcome, Succeeded
from ..turn import effects
from . import log
from .run.failure import failure_of

Settlements = list[tuple[Claim, Outcome]]


def settle(store: Store, settlements: Settlements, now_ms: int) -> list[Claim]:
    """Settle all items of the list with Store.settle, and remove them from it. Returns the claims that were lost.

    Items may be appended meanwhile. If the call fails with another error than StoreError, one of the items is at fault.
    Then they are settled one by one, and each that cannot be settled ends as failed, with the reason.

    Raises:
        StoreError: the store failed; the items that it has not recorded are still in the list.
    """
    some = settlements.copy()
    try:
        lost = store.settle(effects(some), now_ms)
    except StoreError:
        raise
    except Exception as error:
        log.LOG.critical("One of %d outcomes cannot be recorded: %s", len(some), type(error).__name__)
        return _one_by_one(store, settlements, now_ms)
    del settlements[: len(some)]
    return lost


def _one_by_one(store: Store, settlements: Settlements, now_ms: int) -> list[Claim]:
    lost: list[Claim] = []
    while settlements:
        claim, outcome = settlements[0]
        try:
            lost += store.settle(effects([(claim, outcome)]), now_ms)
        except StoreError:
            raise
        except Exception as error:
            lost += _set_aside(store, claim, error, now_ms)
        del settlements[0]
    return lost


def _set_aside(store: Store, claim: Claim, error: Exception, now_ms: int) -> list[Claim]:
    failed = Failed(error=failure_of(error), reason="its outcome could not be recorded")
    log.failed(claim.job, failed.error, error)
    try:
        return store.settle(effects([(claim, failed)]), now_ms)
    except StoreError:
        raise
    except Exception:
        log.LOG.critical("Job %s stays running until this process ends: it cannot be settled", claim.job.id)
        return []


def may_bring_more(settlement: tuple[Claim, Outcome]) -> bool:
    """Whether a job may come due because of this: this job again, or one that it held back."""
    (job, *_), outcome = settlement
    return type(outcome) is not Succeeded or bool(job.wakes or job.limits or job.key)
