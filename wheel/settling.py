"""Settling many at once, so that one outcome that cannot be recorded does not keep the others from it."""

from __future__ import annotations

from . import log
from .contract import Store
from .errors import StoreError
from .failure import failure_of
from .job import Claim, Failed, Outcome

Settlements = list[tuple[Claim, Outcome]]


def settle(store: Store, settlements: Settlements, now_ms: int) -> list[Claim]:
    """Store.settle, and the list is empty afterwards; the claims that were lost.

    If the call fails of what is no error of the store's, one of them is at fault: then each is settled for itself, and
    one that cannot be ends as failed, with the reason.

    Raises:
        StoreError: the store failed; the list holds what it has not taken.
    """
    try:
        lost = store.settle(settlements, now_ms)
    except StoreError:
        raise
    except Exception as error:
        log.LOG.critical("Of %d outcomes one cannot be recorded: %s", len(settlements), type(error).__name__)
        lost = _one_by_one(store, settlements, now_ms)
    settlements.clear()
    return lost


def _one_by_one(store: Store, settlements: Settlements, now_ms: int) -> list[Claim]:
    lost: list[Claim] = []
    while settlements:
        claim, outcome = settlements[0]
        try:
            lost += store.settle([(claim, outcome)], now_ms)
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
        return store.settle([(claim, failed)], now_ms)
    except StoreError:
        raise
    except Exception:
        log.LOG.critical("Job %s stays running until this process ends: it cannot be settled", claim.job.id)
        return []
