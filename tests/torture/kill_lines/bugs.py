"""Stores and schedulers with a mistake in them, which kills must bring out."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest
from hourwheel.contract import Claims
from hourwheel.job import Job, Succeeded
from hourwheel.store import JsonStore
from hourwheel.store.state.verbs import StateVerbs
from hourwheel.turn import effects

from tests.torture.power_loss.seeds import SEEDS
from tests.torture.report import Report

from . import dispatching, verbs
from .tracing import Failed

_PATCH: Final = pytest.MonkeyPatch()
"""Used in forked processes only, and never undone: they end with it."""
_FEW: Final = "add compact"


def caught(name: str, seed: int) -> bool:
    """Whether kills bring the bug out."""
    in_dispatch, kinds, sow = BUGS[name]
    for number in range(30):
        report = Report()
        try:
            if in_dispatch:
                dispatching.run(report, random.Random(seed + number), 20, sow)
            else:
                verbs.run(report, seed + number, 60, sow, kinds=kinds, only="seeds.py" if kinds == _FEW else "")
        except Failed:  # the store itself has noticed, and goes on no more
            return True
        if report.violations:
            return True
    return False


def _acknowledged_before_it_is_written() -> None:
    add, late = StateVerbs.add, list[Any]()

    def lazy(self: StateVerbs, jobs: Sequence[Job], now_ms: int, **options: Any) -> list[str]:
        while late:
            add(self, late.pop(), now_ms)
        late.append(jobs)
        return [job.id for job in jobs]

    _PATCH.setattr(JsonStore, "add", lazy)


def _removed_and_then_run() -> None:
    claim = StateVerbs.claim

    def pop(self: StateVerbs, owner: str, now_ms: int, limit: int, **options: Any) -> Claims:
        claims = claim(self, owner, now_ms, limit, **options)
        self.settle(effects([(one, Succeeded()) for one in claims]), now_ms)
        return claims

    _PATCH.setattr(StateVerbs, "claim", pop)


def _sown(name: str) -> Callable[[], None]:
    def sow() -> None:
        SEEDS[name].sow(_PATCH)

    return sow


BUGS: Final[dict[str, tuple[bool, str, Callable[[], None]]]] = {
    "a claim is not written": (False, "add claim", _sown("a claim is not written")),
    "jobs are removed and then run": (True, "", _removed_and_then_run),
    "acknowledged before it is written": (False, "add", _acknowledged_before_it_is_written),
    "the old journal is removed before the rename": (
        *(False, _FEW),
        _sown("the old journal is removed before the rename"),
    ),
    "the old journal is emptied first": (False, _FEW, _sown("the old journal is emptied first")),
    "the snapshot is written in place": (False, _FEW, _sown("the snapshot is written in place")),
}
"""Whether it is one of dispatching, the steps that bring it out soonest, and how it is sown."""
