"""Ring, stores and crontabs against simple models: random histories of calls must be answered as a sorted list and a
dict would, and random expressions as a look at every minute.

A case is one call, or one expression. The machines are those of tests/unit/test_ring_machine.py and tests/contract, the
oracle is that of tests/kit/cron_oracle.py; here they run longer, with other seeds, and every bug that is sown in ring,
store and crontab must be noticed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any, Final

from hourwheel import crontab
from hourwheel.clock import as_datetime, instant_ms
from hourwheel.ring import Ring
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.contract import test_store_machine as stores
from tests.kit.cron_oracle import a_case, disagreement
from tests.unit import test_ring_machine as ring

from ..report import Report, Size, pick
from . import ring_bugs, store_bugs

_QUICK = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
_FINDING = [Phase.generate]
_SHRINKING = [Phase.generate, Phase.shrink]


def run(size: Size, seed: int) -> Report:
    """100,000 calls of the ring, 19,000 of the stores and 1,000 crontabs in CI, three times as many or more at full size."""
    report = Report()
    ring_histories = pick(size, smoke=10, ci=1_000, full=3_000)
    store_histories = pick(size, smoke=4, ci=100, full=400)
    _must_hold(report, seed, ring.machine_for(Ring), ring_histories, 110)
    for machine in (stores.MemoryMachine, stores.LeasedMachine, stores.JsonMachine):
        _must_hold(report, seed, machine, store_histories, 100)
    _crontabs(report, seed, pick(size, smoke=20, ci=1_000, full=3_000))
    few = slice(0, pick(size, smoke=2, ci=None, full=None))
    for bug in ring_bugs.BUGS[few]:
        report.seeded(f"ring: {bug.__name__}", caught=_finds(seed, ring.machine_for(bug)))
    for mistaken in store_bugs.BUGS[few]:
        report.seeded(f"store: {mistaken.__name__}", caught=_finds(seed, store_bugs.machine_for(mistaken)))
    for wrong in CRONTABS[few]:
        cases = (a_case(rng) for rng in [random.Random(seed)] for _ in range(2_000))
        report.seeded(f"crontab: {wrong.__name__}", caught=any(disagreement(case, wrong) for case in cases))
    return report


def _crontabs(report: Report, number: int, count: int) -> None:
    rng = random.Random(number)
    for _ in range(count):
        told = disagreement(a_case(rng))
        if told is not None:
            report.wrong(f"crontab, seed {number}: {told}")
    report.cases += count
    report.figures["crontabs: expressions"] = f"{count:,}"


class ForgetsTheClocks(crontab):
    """As if the offset of now were that of the next fire, too."""

    def _unbounded(self, ms: int) -> int | None:
        if self._named:
            return super()._unbounded(ms)
        start = as_datetime(ms)
        offset = start.astimezone(self._zone or UTC).utcoffset() or timedelta()
        naive = self._calendar.after(start.replace(tzinfo=None) + offset)
        return None if naive is None else instant_ms((naive - offset).replace(tzinfo=UTC))


class FiresTwice(crontab):
    """As if a time that the clocks show twice had two instants where the hour is named."""

    def __init__(self, *fields: Any, **options: Any) -> None:
        super().__init__(*fields, **options)
        self._named = False


class TakesOneDay(crontab):
    """As if one of the two days were enough in Celery's fields."""

    def __init__(self, *fields: Any, **options: Any) -> None:
        super().__init__(*fields, **options)
        self._calendar = replace(self._calendar, either=True)


CRONTABS: Final = (ForgetsTheClocks, FiresTwice, TakesOneDay)


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
