"""Ways to stop wrongly, sown into this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hourwheel.job import Claim
from hourwheel.worker.signals import Waiter
from hourwheel.worker.ticker import Ticker


def _keeps_the_queue() -> None:
    def give_back(self: Ticker, claims: Sequence[Claim], reason: str) -> None:
        self._inflight -= len(claims)

    Ticker._give_back = give_back  # type: ignore[method-assign]


def _drops_outcomes() -> None:
    right = Ticker._settle

    def settle(self: Ticker) -> None:
        if self._stop_at is not None:
            self._unsettled = []
        right(self)

    Ticker._settle = settle  # type: ignore[method-assign]


def _waits_for_ever() -> None:
    def drained(self: Ticker, monotonic: float) -> bool:
        return self._inflight <= 0

    wait_while = Waiter.wait_while

    def wait(self: Waiter, condition: Callable[[], bool], timeout_s: float | None = None) -> None:
        wait_while(self, condition)

    Ticker._drained = drained  # type: ignore[method-assign]
    Waiter.wait_while = wait  # type: ignore[method-assign]


BUGS: dict[str, Callable[[], None]] = {
    "what was not begun is not given back": _keeps_the_queue,
    "outcomes are dropped while it stops": _drops_outcomes,
    "it waits for its jobs beyond its grace": _waits_for_ever,
}
