"""Auditor: the judge that compares everything with a ledger, and has no patience with tickers that idle or spin."""

from __future__ import annotations

from typing import Any, cast

from hourwheel.contract import Filter, Store
from hourwheel.job import Claim
from hourwheel.testing.simulation import Judge, Violation
from hourwheel.testing.simulation.node import Node

from .entry import Entry
from .ledger import Ledger
from .watched import Watched

_TICKS_MISSED_MOST = 2
_STEPS_A_SECOND = 2_000


class Auditor(Judge):
    """See Judge."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._idled: dict[str, int] = {}
        """By owner: for how many ticks it has left what it must take."""
        self._seen: dict[str, tuple[int, int]] = {}
        """By owner: a second, and how often it has stepped within."""

    def excused(self, node: Node) -> bool:
        """Whether a ticker need not take what is due now: its store does not work, or it is to stop."""
        return bool(node.ticker._stop_at is not None or node.ticker._trouble)

    def watching(self, store: Store, owner: str) -> Store:  # noqa: ARG002
        return cast("Store", Watched(store, self.ledger))

    def began(self, claim: Claim, now_ms: int) -> None:  # noqa: ARG002
        self.ledger.began(claim)

    def died(self, owner: str) -> None:
        self.ledger.dead.add(owner)

    def over(self, store: Store, now_ms: int) -> None:
        """All that can be told of the store as a whole."""
        found = store.check()
        if found:
            raise Violation(f"check: {found[:5]}")
        self.ledger.compare(store.stats(now_ms))
        self.ledger.compare_jobs(store.scan(Filter()))

    # ---- what a ticker does ------------------------------------------------------------------------------

    def stepped(self, node: Node, sleep_s: float) -> None:
        if not 0.0 <= sleep_s <= 1.0:
            raise Violation(f"{node.owner} wants to sleep for {sleep_s} s, more than a tick")
        if not sleep_s and node.ticker._trouble and node.ticker._stop_at is None:
            raise Violation(f"{node.owner} does not wait, although its store fails")
        now_ms = node.clock.now_ms()
        self._refuse_idling(node, now_ms)
        self._refuse_spinning(node, now_ms // 1000)

    def _refuse_idling(self, node: Node, now_ms: int) -> None:
        """With room, and a store that works, it must not leave a due job, or one of a dead owner, for two ticks."""
        idled = self._idled.get(node.owner, 0)
        if self.excused(node) or not self._must_act(node, now_ms):
            self._idled[node.owner] = 0
        elif now_ms // 1000 != self._seen.get(node.owner, (-1, 0))[0]:
            self._idled[node.owner] = idled + 1
            if idled >= _TICKS_MISSED_MOST:
                left = self._left_lying(node, now_ms)
                raise Violation(
                    f"{node.owner} has had room for {idled + 1} ticks and has not taken what is due: {left}"
                )

    def _must_act(self, node: Node, now_ms: int) -> bool:
        if self.ledger.running and (self.ledger.orphans() or self._forgotten(node)):
            return True
        due_ms = self.ledger.next_due_ms(now_ms)
        return node.has_room and due_ms is not None and due_ms <= now_ms

    def _forgotten(self, node: Node) -> list[Entry]:
        """Jobs that run in its name, and that it knows nothing of: nobody would ever take them back."""
        mine = [entry for entry in self.ledger.running.values() if entry.owner == node.owner]
        if not mine:
            return []
        known = _held(node.pool) | {claim.token for claim, _ in node.ticker._unsettled}
        return [entry for entry in mine if entry.token not in known]

    def _left_lying(self, node: Node, now_ms: int) -> list[str]:
        """Some of the jobs that are due, run for nobody, or have been forgotten by who runs them."""
        due = [e for e in self.ledger.entries.values() if e.where == "scheduled" and e.due_ms <= now_ms]
        return [entry.id for entry in [*due, *self.ledger.orphans(), *self._forgotten(node)]][:5]

    def _refuse_spinning(self, node: Node, second: int) -> None:
        before, steps = self._seen.get(node.owner, (-1, 0))
        steps = steps + 1 if before == second else 1
        self._seen[node.owner] = second, steps
        if steps > _STEPS_A_SECOND + 200 * len(self.ledger.entries):
            raise Violation(f"{node.owner} steps more than {steps - 1} times within a second, {second}")


def _held(pool: Any) -> set[int]:
    """The tokens of all claims that are waiting, running, or have ended and not been collected."""
    claims = [*pool._queue, *(claim for claim, _ in pool._busy.values()), *(done.claim for done in pool._done)]
    return {claim.token for claim in claims}
