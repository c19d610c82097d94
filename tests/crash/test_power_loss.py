"""Power loss and kill -9 after every system call: what is left is opened, and no acknowledged job is missing.

How the disk behaves is in disk.py, what is done to the store in workload.py, what is demanded in campaign.py.
"""

from __future__ import annotations

import pytest

from .campaign import Campaign
from .disk import Order
from .seeds import SEEDS


@pytest.mark.parametrize(("seed", "order"), [(0, "weak"), (1, "ordered"), (2, "weak"), (5, "ordered")])
def test_whatever_moment_the_power_fails_no_acknowledged_job_is_lost(seed: int, order: Order) -> None:
    findings = Campaign(seed, order, states_each=2).run()
    print(findings)
    assert not findings.wrong, findings
    assert findings.states > 500


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("order", ["weak", "ordered"])
@pytest.mark.parametrize("block", range(10))
def test_whatever_moment_the_power_fails_no_acknowledged_job_is_lost_in_many_runs(block: int, order: Order) -> None:
    states = 0
    for seed in range(1000 + 10 * block, 1010 + 10 * block):
        findings = Campaign(seed, order, states_each=10).run()
        assert not findings.wrong, f"seed {seed}: {findings}"
        states += findings.states
    print(f"{states} states, 0 violations")
    assert states > 10_000


@pytest.mark.parametrize("name", SEEDS)
def test_a_protocol_with_a_bug_in_it_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded = SEEDS[name]
    runs = [
        Campaign(seed, order, kinds=seeded.kinds, first_only=True) for seed in range(8) for order in ("weak", "ordered")
    ]
    handicap = seeded.sow(monkeypatch)  # only now, so that what is expected comes from the right protocol
    for run in runs:
        if handicap is not None:
            run.handicap = handicap
        findings = run.run()
        if findings.wrong:
            print(f"{name}: {findings}")
            return
    pytest.fail(f"{name} was not caught")


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEDS)
def test_the_right_protocol_passes_where_the_bug_is_caught(name: str) -> None:
    findings = Campaign(0, "weak", kinds=SEEDS[name].kinds, steps=10).run()
    assert not findings.wrong, findings
