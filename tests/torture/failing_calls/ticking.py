"""A ticker over a store whose calls fail: no job lost, none run twice by the same token, and it goes on by itself."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hourwheel.job import Claim, Outcome, State, Succeeded
from hourwheel.store import JsonStore
from hourwheel.store.file.store import Durability

from tests.kit.jobs import content
from tests.kit.ticking import World

from .deeds import open_store
from .faults import Faults, name_of

_JOBS = 6
_STEPS = 40


def first_call(durability: Durability) -> tuple[int, int]:
    """The numbers of the first and the last call that a ticker at work makes."""
    system = Faults()
    world, store = _world(system, durability)
    first = system.calls + 1
    _work(world, _STEPS)
    last = system.calls
    store.close()
    return first, last


def with_a_failure(durability: Durability, number: int, error: int, lasts: int) -> str:
    """What goes wrong when ``lasts`` calls from ``number`` on fail; "" if nothing does."""
    system = Faults(lasting=error, span=range(number, number + lasts))
    world, store = _world(system, durability)
    try:
        _work(world, _STEPS)
        system.lift()
        _work(world, 2 * _STEPS)
        wrong = _wrong_with(world, content(store))
        store.close()
    except Exception as failure:
        wrong = f"the ticker's step raised {failure!r:.200}"
    return f"{durability}, calls {number} to {number + lasts - 1}, {name_of(error)}: {wrong}" if wrong else ""


class _Counting(World):
    """Counts the runs of each claim."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.runs: Counter[tuple[str, int]] = Counter()
        super().__init__(*args, **options)

    def run(self, claim: Claim) -> Outcome:
        self.runs[claim.job.id, claim.token] += 1
        return Succeeded(returned="1")


def _world(system: Faults, durability: Durability) -> tuple[_Counting, JsonStore]:
    store = open_store(system, durability)
    world = _Counting(store)
    world.add(_JOBS - 2)
    world.add(2, in_ms=3_000, prefix="later")
    return world, store


def _work(world: _Counting, steps: int) -> None:
    for _ in range(steps):
        world.ticker.step()
        world.pool.work()
        world.clock.advance(0.25)


def _wrong_with(world: _Counting, held: dict[str, Any]) -> str:
    if len(held) != _JOBS:
        return f"{_JOBS - len(held)} jobs are lost"
    waiting = sorted(job.id for job in held.values() if job.state is not State.SUCCEEDED)
    if waiting:
        return f"{waiting} never ended: it did not go on by itself"
    twice = [claim for claim, runs in world.runs.items() if runs > 1]
    return f"{twice} ran twice" if twice else ""
