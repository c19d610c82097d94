"""Counts: the ledger of a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...job import State

_NAMES: Final = {state: state.value for state in State}
"""The value of an enumeration's member takes longer to get than all the rest of add()."""


@dataclass(slots=True)
class Counts:
    """How many jobs there are, and have been; accepted == scheduled + running + the four totals."""

    accepted: int = 0
    scheduled: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0

    def add(self, state: State, more: int = 1) -> None:
        """Count so many more jobs in that state."""
        name = _NAMES[state]
        setattr(self, name, getattr(self, name) + more)
