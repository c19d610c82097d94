"""Ring and stores against simple models: random histories of calls must be answered as a sorted list and a dict would.

A case is one call. The machines are those of tests/unit/test_ring_machine.py and tests/contract; here they run longer,
with other seeds, and every bug that is sown in ring and store must be noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hourwheel.ring import Ring
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.contract import test_store_machine as stores
from tests.unit import test_ring_machine as ring

from .report import Report, Size, pick

_QUICK = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
_FINDING = [Phase.generate]
_SHRINKING = [Phase.generate, Phase.shrink]


def run(size: Size, seed: int) -> Report:
    """130,000 calls of the ring and 80,000 of the stores in CI, three times as many at full size."""
    report = Report()
    ring_histories = pick(size, smoke=10, ci=1_000, full=3_000)
    store_histories = pick(size, smoke=4, ci=100, full=400)
    _must_hold(report, seed, ring.machine_for(Ring), ring_histories, 110)
    for machine in (stores.MemoryMachine, stores.JsonMachine):
        _must_hold(report, seed, machine, store_histories, 100)
    few = slice(0, pick(size, smoke=2, ci=None, full=None))
    for bug in ring.BUGS[few]:
        report.seeded(f"ring: {bug.__name__}", caught=_finds(seed, ring.machine_for(bug)))
    for mistaken in stores.BUGS[few]:
        report.seeded(f"store: {mistaken.__name__}", caught=_finds(seed, stores.machine_for(mistaken)))
    return report


def _must_hold(report: Report, number: int, machine: type[RuleBasedStateMachine], histories: int, steps: int) -> None:
    counted = _counting(machine)
    try:
        _histories(number, counted, histories, steps, _SHRINKING)
    except Exception as error:
        notes = " | ".join(getattr(error, "__notes__", []))
        report.wrong(f"{machine.__name__}, seed {number}: {error!r:.300} {notes:.2000}")
    report.cases += counted.calls
    report.figures[f"{machine.__name__}: calls"] = f"{counted.calls:,}"


def _finds(number: int, machine: type[RuleBasedStateMachine]) -> bool:
    try:
        _histories(number, machine, 2_000, 40, _FINDING)
    except Exception:
        return True
    return False


def _histories(
    number: int, machine: Callable[[], RuleBasedStateMachine], histories: int, steps: int, phases: list[Phase]
) -> None:
    how = settings(
        max_examples=histories, stateful_step_count=steps, phases=phases, report_multiple_bugs=False, **_QUICK
    )
    run_state_machine_as_test(seed(number)(machine), settings=how)  # type: ignore[no-untyped-call]


def _counting(machine: type[RuleBasedStateMachine]) -> Any:
    """The same machine, which counts the rules that are run."""

    class Counting(machine):  # type: ignore[misc, valid-type]
        calls = 0

        def check_invariants(self, *args: Any, **kwargs: Any) -> None:
            Counting.calls += 1
            super().check_invariants(*args, **kwargs)

    Counting.__name__ = machine.__name__
    return Counting
