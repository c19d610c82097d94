"""The campaigns, in the order in which they are run and shown."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Final, NamedTuple

from .report import Report, Size


class Campaign(NamedTuple):
    """One campaign.

    Args:
        name: of the module in this directory, and what ``--only`` takes.
        title: what the table calls it.
        how: "beside" others on the second core, "alone" because it measures time, or "long": all the while.
    """

    name: str
    title: str
    how: str = "beside"

    def run(self, size: Size, seed: int) -> Report:
        """Run it here and now."""
        found: Callable[[Size, int], Report] = importlib.import_module(f"{__package__}.{self.name}").run
        return found(size, seed)


CAMPAIGNS: Final = (
)
