"""Schedulers that take more than they can do, sown into this process."""

from __future__ import annotations

from collections.abc import Callable

from hourwheel.worker import ticker
from hourwheel.worker.ticker import Ticker

_ALL = 1 << 20


def _has_no_bound() -> None:
    """The queue takes whatever is due, a thousand in a call."""
    Ticker.credit = property(lambda self: _ALL)  # type: ignore[method-assign, assignment]


def _claims_all_at_once() -> None:
    _has_no_bound()

    def limit(now_ms: int, *, ticks: bool, stale: bool, credit: int, next_ms: int | None) -> int | None:
        return _ALL if ticks else None

    ticker.claim_limit = limit


BUGS: dict[str, Callable[[], None]] = {
    "the queue has no bound": _has_no_bound,
    "a claim takes everything that is due": _claims_all_at_once,
}
"""What is sown; each is to be noticed by what NOTICED_BY says."""
NOTICED_BY = {
    "the queue has no bound": "credit",
    "a claim takes everything that is due": "ticker was blocked",
}
