"""Judge: looks on while a world is played, and ends it when something is wrong."""

from __future__ import annotations

from ...contract import Store
from ...job import Claim
from .node import Node


class Violation(Exception):
    """A promise was broken; the world ends there."""


class Judge:
    """What a world tells its judge, who raises Violation.

    This one sees to it that no job of a forecast is lost, starts early, or starts twice. Subclass it to look closer.
    """

    def __init__(self) -> None:
        self._began: dict[str, Claim] = {}
        self._dead: set[str] = set()

    def watching(self, store: Store, owner: str) -> Store:  # noqa: ARG002
        """The store as ``owner`` is to use it, "" for the producers: itself, or something that listens in between."""
        return store

    def began(self, claim: Claim, now_ms: int) -> None:
        """A worker begins a run."""
        job, before = claim.job, self._began.get(claim.job.id)
        if now_ms < job.due_ms:
            raise Violation(f"early: {job.id} began at {now_ms}, due {job.due_ms}")
        if before is not None and (before.owner not in self._dead or before.token >= claim.token):
            raise Violation(f"started twice: {job.id} by {before.owner} and by {claim.owner}, token {claim.token}")
        self._began[job.id] = claim

    def stepped(self, node: Node, sleep_s: float) -> None:
        """The ticker of a node has made a step, and wants to sleep."""

    def died(self, owner: str) -> None:
        """A process has ended."""
        self._dead.add(owner)

    def over(self, store: Store, now_ms: int) -> None:
        """Nothing is left to do."""
        stats = store.stats(now_ms)
        finished = stats.succeeded + stats.failed + stats.cancelled + stats.expired
        if stats.accepted != finished:
            raise Violation(f"lost: of {stats.accepted} jobs {finished} have finished")
        found = store.check()
        if found:
            raise Violation(f"check: {found[:5]}")
