"""The campaigns, in the order in which they are shown."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Final, Literal, NamedTuple

from .report import Report, Size, pick

How = Literal["beside", "alone", "throughout"]
"""How a campaign shares the machine: beside another one, alone because it measures time, or throughout the whole run."""


class Campaign(NamedTuple):
    """One campaign.

    Args:
        name: of the module in this directory, and what ``--only`` takes.
        title: what the table calls it.
        how: it shares the machine.
        full_s: what the full size takes, in seconds.
    """

    name: str
    title: str
    how: How = "beside"
    full_s: float = 60.0

    def expected_s(self, size: Size) -> float:
        """What it takes there; the smaller sizes by experience."""
        if self.how == "throughout":
            return pick(size, smoke=15.0, ci=150.0, full=self.full_s)
        return pick(size, smoke=15.0, ci=20.0 + 0.3 * self.full_s, full=self.full_s)

    def run(self, size: Size, seed: int) -> Report:
        """Run it here and now."""
        found: Callable[[Size, int], Report] = importlib.import_module(f"{__package__}.{self.name}").run
        return found(size, seed)


# The long ones first: two at a time, they are over together then.
CAMPAIGNS: Final = (
    Campaign("many_processes", "Many processes on one file, killed and stopped", full_s=1177),
    Campaign("kill_lines", "kill -9 at every line", full_s=802),
    Campaign("exceptions", "Exceptions at every line, and in every pool", full_s=1200),
    Campaign("models", "State machines against simple models", full_s=357),
    Campaign("rot", "Tails, rot, edits by hand", full_s=1000),
    Campaign("mutants", "Slips in our own modules: would the tests notice?", full_s=650),
    Campaign("simulation", "Deterministic simulation: bad days of three nodes", full_s=300),
    Campaign("power_loss", "Power loss and torn writes", full_s=159),
    Campaign("shutdown", "Stopped at random moments", full_s=62),
    Campaign("failing_calls", "System calls that fail, full disks", full_s=131),
    Campaign("fencing", "Zombies, simulated and real", full_s=155),
    Campaign("files_moved", "Files under one's feet", full_s=400),
    Campaign("fork", "Forks under load", full_s=63),
    Campaign("clock_and_stalls", "Clock jumps and stalls", full_s=93),
    Campaign("hostile_payloads", "Hostile payloads, records and names", full_s=96),
    Campaign("hostile_jobs", "Jobs whose data does harm, in every pool", full_s=180),
    Campaign("overload", "Ten times more due than can be done", "alone", 69),
    Campaign("soak", "Soak", "throughout", 1851),
)


def forecast_s(campaigns: Iterable[Campaign], size: Size, lanes: int) -> float:
    """About how long a run of them takes on the machine of docs/reliability.md."""
    each: dict[How, list[float]] = {"beside": [], "alone": [], "throughout": []}
    for campaign in campaigns:
        each[campaign.how].append(campaign.expected_s(size))
    beside = max(sum(each["beside"]) / lanes, max(each["beside"], default=0.0))
    return max(beside + sum(each["alone"]), *each["throughout"], 0.0)
