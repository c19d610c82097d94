"""Settling many at once, so that one outcome that cannot be recorded does not keep the others from it."""

from __future__ import annotations

from ..contract import Store
from ..errors import StoreError
from ..job import Claim, Failed, Outcome, Succeeded
from ..turn import effects
from . import log
from .run.failure import failure_of

Settlements = list[tuple[Claim, Outcome]]


def settle(store: Store, settlements: Settlements, now_ms: int) -> list[Claim]:
    """Store.settle, and what was in the list is taken off it; the claims that were lost.

    More may be put on the list meanwhile.

    If the call fails of what is no error of the store's, one of them is at fault: then each is settled for itself, and
    one that cannot be ends as failed, with the reason.

    Raises:
        StoreError: the store failed; the list holds what it has not taken.
    """
    some = settlements.copy()
    try:
        lost = store.settle(effects(some), now_ms)
    except StoreError:
        raise
    except Exception as error:
        log.LOG.critical("Of %d outcomes one cannot be recorded: %s", len(some), type(error).__name__)
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
    failed = Failed(error=failure_of(error), reason="what came of it could not be recorded")
    log.failed(claim.job, failed.error, error)
    try:
        return store.settle(effects([(claim, failed)]), now_ms)
    except StoreError:
        raise
    except Exception:
        log.LOG.critical("Job %s stays running until this process ends: it cannot be settled", claim.job.id)
        return []


def may_bring_more(settlement: tuple[Claim, Outcome]) -> bool:
    """Whether a job may come due by what is settled: this one again, or another one that it held back."""
    (job, *_), outcome = settlement
    return type(outcome) is not Succeeded or bool(job.wakes or job.limits or job.key)
