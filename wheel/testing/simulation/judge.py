"""Judge: watches a simulated world, and ends it if something is wrong."""

from __future__ import annotations

from ...contract import Store
from ...job import Claim
from .node import Node


class Violation(Exception):
    """A promise was broken, so the world ends."""


class Judge:
    """Raises Violation if a job is lost, starts early, or starts twice. Subclass it to check more."""

    def __init__(self) -> None:
        self._began: dict[str, Claim] = {}
        self._dead: set[str] = set()

    def watching(self, store: Store, owner: str) -> Store:  # noqa: ARG002
        """Return the store that ``owner`` ("" for producers) is to use: this one, or a wrapper that watches it."""
        return store

    def began(self, claim: Claim, now_ms: int) -> None:
        """A worker starts a run."""
        job, before = claim.job, self._began.get(claim.job.id)
        if now_ms < job.due_ms:
            raise Violation(f"early: {job.id} started at {now_ms}, due {job.due_ms}")
        if before is not None and (before.owner not in self._dead or before.token >= claim.token):
            raise Violation(f"started twice: {job.id} by {before.owner} and by {claim.owner}, token {claim.token}")
        self._began[job.id] = claim

    def stepped(self, node: Node, sleep_s: float) -> None:
        """The ticker of a node has done a step, and will sleep."""

    def died(self, owner: str) -> None:
        """The process of an owner has ended."""
        self._dead.add(owner)

    def over(self, store: Store, now_ms: int) -> None:
        """The world has ended."""
        stats = store.stats(now_ms)
        finished = stats.succeeded + stats.failed + stats.cancelled + stats.expired
        if stats.accepted != finished:
            raise Violation(f"lost: of {stats.accepted} jobs {finished} have finished")
        found = store.check()
        if found:
            raise Violation(f"check: {found[:5]}")
