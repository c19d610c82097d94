"""The campaigns, in the order in which they are shown."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from .report import Report, Size

How = Literal["beside", "alone", "throughout"]
"""How a campaign shares the machine: beside another one, alone because it measures time, or throughout the whole run."""


class Campaign(NamedTuple):
    """One campaign.

    Args:
        name: of the module in this directory, and what ``--only`` takes.
        title: what the table calls it.
        how: it shares the machine.
    """

    name: str
    title: str
    how: How = "beside"

    def run(self, size: Size, seed: int) -> Report:
        """Run it here and now."""
        found: Callable[[Size, int], Report] = importlib.import_module(f"{__package__}.{self.name}").run
        return found(size, seed)


# The long ones first: two at a time, they are over together then.
CAMPAIGNS: Final = (
    Campaign("many_processes", "Many processes on one file, killed and stopped"),
    Campaign("kill_lines", "kill -9 at every line"),
    Campaign("models", "State machines against simple models"),
    Campaign("rot", "Tails, rot, edits by hand"),
    Campaign("mutants", "Slips in our own modules: would the tests notice?"),
    Campaign("simulation", "Deterministic simulation: bad days of three nodes"),
    Campaign("power_loss", "Power loss and torn writes"),
    Campaign("shutdown", "Stopped at random moments"),
    Campaign("failing_calls", "System calls that fail, full disks"),
    Campaign("fencing", "Zombies, simulated and real"),
    Campaign("fork", "Forks under load"),
    Campaign("clock_and_stalls", "Clock jumps and stalls"),
    Campaign("hostile_payloads", "Hostile payloads, records and names"),
    Campaign("overload", "Ten times more due than can be done", "alone"),
    Campaign("soak", "Soak", "throughout"),
)
