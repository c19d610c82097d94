"""A sweep: the same script again and again, with another call failing each time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hourwheel.store.file.background import Background
from hourwheel.store.file.format import journal
from hourwheel.store.file.store import Durability

from .deeds import Deeds, Wrong, script
from .faults import Faults, name_of

_SMALL = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What fails in one run of a script."""

    durability: Durability
    seed: int = 0
    single: tuple[tuple[int, int], ...] = ()
    """(number of the call, error)."""
    lasting: int | None = None
    span: range = range(0)

    def __str__(self) -> str:
        failing = [f"call {number}: {name_of(error)}" for number, error in self.single]
        if self.lasting is not None:
            failing.append(f"calls {self.span.start} to {self.span.stop}: {name_of(self.lasting)}")
        return f"{self.durability}, script {self.seed}, {', '.join(failing)}"

    def faults(self) -> Faults:
        """The system of this case."""
        return Faults(dict(self.single), lasting=self.lasting, span=self.span)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one case came to."""

    wrong: str
    failed: list[str]
    refusals: int
    calls: int


def try_case(case: Case) -> Verdict:
    """Run a script with its failures, and judge the store afterwards."""
    system = case.faults()
    deeds = Deeds(system, case.durability)
    try:
        for deed in script(case.seed):
            deed(deeds)
        calls = system.calls
        deeds.judge()
        if len(deeds.refusals) > 3 * len(case.single) and case.lasting is None:
            raise Wrong(f"{len(deeds.refusals)} refusals for {len(case.single)} failures: {deeds.refusals!r:.300}")
    except Exception as error:
        wrong = str(error) if isinstance(error, Wrong) else f"an error that is not ours: {error!r:.200}"
        return Verdict(f"{case}, {system.failed[:3]}: {wrong}", system.failed, len(deeds.refusals), system.calls)
    return Verdict("", system.failed, len(deeds.refusals), calls)


def calls_of(durability: Durability, seed: int) -> int:
    """How many calls a script makes while nothing fails."""
    verdict = try_case(Case(durability=durability, seed=seed))
    assert not verdict.wrong, verdict.wrong
    return verdict.calls


@contextmanager
def by_hand() -> Iterator[None]:
    """Journals in small pieces, so that they must grow often, and the thread of "interval" only when a deed says so."""
    note_only: Callable[[Any, float, Any], None] = lambda self, seconds, work: None  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("CHUNK", _SMALL), ("_BLANK", b"\n" * _SMALL), ("RESERVE", _SMALL // 4)):
            patch.setattr(journal, name, value)
        patch.setattr(Background, "every", note_only)
        patch.setattr(Background, "overdue", lambda self: None)
        logging.disable()  # a ticker tells of each failure
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
