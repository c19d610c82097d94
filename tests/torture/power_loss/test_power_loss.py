"""A few runs of the campaign and every seeded bug, among the ordinary tests."""

from __future__ import annotations

import pytest
from hourwheel.store.jsonfile import Durability

from . import states_until_caught
from .disk import Order
from .seeds import SEEDS
from .watched_run import WatchedRun


@pytest.mark.parametrize(
    ("seed", "order", "durability"),
    [(0, "weak", "sync"), (1, "ordered", "sync"), (2, "weak", "interval"), (5, "ordered", "os")],
)
def test_whatever_moment_the_power_fails_no_acknowledged_job_is_lost(
    seed: int, order: Order, durability: Durability
) -> None:
    findings = WatchedRun(seed, order, durability, kills_each=1, states_each=2).run()
    assert not findings.wrong, findings
    assert findings.states > 500


@pytest.mark.parametrize("name", SEEDS)
def test_a_protocol_with_a_bug_in_it_is_caught(name: str) -> None:
    assert states_until_caught(SEEDS[name]) is not None
