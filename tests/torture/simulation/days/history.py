"""History: a world's beginning, and what is to happen in it. One history has one course of events, always."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from .happenings import Happening, as_document, in_words, of_document

NEW_YEAR_2026_MS: Final = 1_767_225_600_000
DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A world before it begins."""

    happenings: tuple[Happening, ...]
    """By ``at_ms``."""
    seed: int = 0
    """Of the small delays: how late a sleeper wakes up."""
    nodes: int = 3
    workers: int = 2
    start_ms: int = NEW_YEAR_2026_MS
    """What the wall clock shows at the beginning."""
    lease_ms: int | None = None
    """How long an owner is taken to live after a sign of life; None if the store is told who has died."""
    length_ms: int = DAY_MS
    """After it nothing is done to the world any more, and it runs until its work is done."""

    def as_document(self) -> dict[str, Any]:
        """As a JSON object."""
        leased = {} if self.lease_ms is None else {"lease_ms": self.lease_ms}
        return {
            "seed": self.seed,
            "nodes": self.nodes,
            "workers": self.workers,
            **leased,
            "start_ms": self.start_ms,
            "length_ms": self.length_ms,
            "happenings": [as_document(happening) for happening in self.happenings],
        }

    @classmethod
    def of_document(cls, document: dict[str, Any]) -> History:
        """The reverse of as_document."""
        rest = dict(document)
        happenings = tuple(of_document(happening) for happening in rest.pop("happenings"))
        return cls(happenings=happenings, **rest)

    def in_words(self) -> list[str]:
        """A line for the world, and one for each happening."""
        told = f"{self.nodes} nodes, {self.workers} workers each, {self.length_ms / 3_600_000:g} h, seed {self.seed}"
        leased = "" if self.lease_ms is None else f", leases of {self.lease_ms} ms"
        return [told + leased, *map(in_words, self.happenings)]
