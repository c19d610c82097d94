"""Plays a history to its end, and says what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from .history import History
from .ledger import Violation
from .stores import MemoryStores, Stores
from .world import World

_LOG: Final = logging.getLogger("hourwheel.worker")
_LAST_LINES: Final = 40


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


def play(
    history: History, *, stores: Callable[[], Stores] = MemoryStores, fast: bool = True, last_lines: int = _LAST_LINES
) -> Course:
    """Play a history, until it is over or something is wrong.

    Args:
        history: such as ``bad_day(seed)``.
        stores: makes the place for the jobs.
        fast: skip the ticks at which nothing can happen.
        last_lines: so many lines of the trace are kept.
    """
    world = World(history, stores(), fast=fast)
    violation = played(world)
    return Course(
        history=history,
        violation=violation,
        hash=world.trace.hash(),
        steps=world.steps,
        skipped=world.skipped,
        lines=world.trace.lines(last_lines),
    )


def played(world: World) -> str | None:
    """Play a world; what was wrong, if anything. A bug that raises is a violation, too."""
    with _quiet():
        try:
            world.play()
        except Violation as violation:
            return str(violation)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return None


@contextmanager
def _quiet() -> Iterator[None]:
    """The tickers of a bad day have much to complain of."""
    before = _LOG.level
    _LOG.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        _LOG.setLevel(before)
