"""Bugs about time that are sown into ring, store and ticker: the campaign must notice each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from hourwheel.ring import Ring
from hourwheel.store import MemoryStore
from hourwheel.store.state.leases import Leases
from hourwheel.worker import ticker

from tests.torture.simulation.bugs import ring_sweeps_only_the_current_slot


def the_hand_goes_back() -> Any:
    """When the clock is set back, so is the hand."""
    pop_due = Ring.pop_due

    def pop(self: Ring[str], until_ms: int, most: int = 1 << 62) -> list[tuple[int, str]]:
        popped = pop_due(self, until_ms, most)
        self._hand = until_ms // 1000
        return popped

    return patch.object(Ring, "pop_due", pop)


def claims_hold_by_the_wall_clock() -> Any:
    """A claim holds for half a minute of wall time, whether its owner lives or not."""
    init = MemoryStore.__init__

    def leased(self: MemoryStore, **options: Any) -> None:
        init(self, **options)
        self.leases = _Mute(30_000)

    return patch.object(MemoryStore, "__init__", leased)


class _Mute(Leases):
    """Leases that only a claim of a job begins, and nothing prolongs."""

    def beat(self, owner: str, now_ms: int) -> bool:
        return True


def ticker_sleeps_until_the_next_due_instant() -> Any:
    """However far it is: a clock that is set meanwhile does not wake it."""
    nap = ticker.nap

    def long_nap(now_ns: int, *, credit: int, next_ms: int | None, waiting: bool) -> tuple[float, int]:
        sleep_s, horizon_ms = nap(now_ns, credit=credit, next_ms=next_ms, waiting=waiting)
        if credit > 0 and next_ms is not None:
            sleep_s = max(0.0, next_ms / 1000 - now_ns / 1e9)
        return sleep_s, horizon_ms

    return patch.object(ticker, "nap", long_nap)


def ticks_only_when_the_second_is_new_to_it() -> Any:
    """A second that was ticked before, before the clock was set back, is not ticked again."""
    claim = ticker.Ticker._claim

    def once(self: ticker.Ticker) -> None:
        newest = max(self._second, getattr(self, "newest_second", -1))
        self.newest_second = newest  # type: ignore[attr-defined]
        if self._clock.now_ms() // 1000 > newest:
            claim(self)
        self._stale = False

    return patch.object(ticker.Ticker, "_claim", once)


BUGS: tuple[Callable[[], Any], ...] = (
    ring_sweeps_only_the_current_slot,
    claims_hold_by_the_wall_clock,
    the_hand_goes_back,
    ticker_sleeps_until_the_next_due_instant,
    ticks_only_when_the_second_is_new_to_it,
)
