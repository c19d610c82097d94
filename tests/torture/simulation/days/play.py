"""Plays a history to its end, and says what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hourwheel.testing.simulation.clock import MS

from ..memory_stores import MemoryStores, Stores
from .history import History
from .world import DayWorld

_LAST_LINES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What came of a history."""

    history: History
    violation: str | None
    """The first invariant that did not hold; None if all did, all the time."""
    hash: str
    """The same for the same history, always and everywhere; another one if anything went another way."""
    steps: int
    """Of tickers."""
    skipped: int
    """Idle ticks that were skipped."""
    lines: list[str]
    """The last lines of the trace."""


def play(history: History, *, stores: Callable[..., Stores] = MemoryStores, fast: bool = True) -> Course:
    """Play a history, until it is over or something is wrong.

    Args:
        history: such as ``bad_day(seed)``.
        stores: makes the place for the jobs; given the length of a lease, if the history has one.
        fast: skip the ticks at which nothing can happen.
    """
    made = stores() if history.lease_ms is None else stores(history.lease_ms)
    world = DayWorld(history, made, fast=fast)
    violation = world.play(history.length_ms * MS)
    return Course(
        history=history,
        violation=violation,
        hash=world.hash,
        steps=world.steps,
        skipped=sum(node.skipped for node in world.nodes),
        lines=world.lines(_LAST_LINES),
    )
