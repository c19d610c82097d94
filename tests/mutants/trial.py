"""Trying mutants: each in a fork of the process that has the tests ready, some at the same time."""

from __future__ import annotations

import os
import signal
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pytest

from .cold import survives
from .lines import Lines
from .mutant import Mutant
from .suite import Fork, passes, seconds
from .transplant import NotExchangeable, transplant

Verdict = Literal["killed", "survived", "timeout"]
BUDGET_S: Final = 8.0
"""A mutant is tried on tests that take so long together, in seconds, the quickest first."""
_SURVIVED: Final = 0
_KILLED: Final = 1
"""Exit statuses of a trial."""
_COLD_S: Final = 40.0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant."""

    mutant: Mutant
    verdict: Verdict
    by: str
    """The test that noticed, if one did."""
    seconds: float


def may_take(cost_s: float) -> float:
    """How long a test may take, in seconds, that usually takes ``cost_s``: a mutant that hangs is noticed by that."""
    return 5.0 + 10.0 * cost_s


class Trials:
    """Tries mutants, ``jobs`` at a time."""

    def __init__(
        self, session: pytest.Session, lines: Lines, jobs: int, budget_s: float = BUDGET_S, *, sound: bool = False
    ) -> None:
        """With ``sound`` the modules stay as they are, and nothing may be noticed."""
        self._budget_s = budget_s
        self._sound = sound
        self._session = session
        self._items = {item.nodeid: item for item in session.items}
        self._lines = lines
        self._jobs = jobs
        self._running: dict[int, tuple[Mutant, Fork, float]] = {}
        self._killers: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=5))

    def run(self, mutants: Sequence[Mutant]) -> Iterator[Result]:
        """Try all of them; the results as they come."""
        waiting = deque(mutants)
        try:
            while waiting or self._running:
                while waiting and len(self._running) < self._jobs:
                    self._begin(waiting.popleft())
                yield self._next_end()
        finally:
            for _, fork, _ in self._running.values():
                fork.ended()

    def tests_for(self, mutant: Mutant) -> list[str]:
        """Those that a mutant is tried on, in order: what has noticed its neighbours goes first."""
        tests: list[str] = []
        left = self._budget_s
        for test in self._lines.of(mutant):
            left -= self._lines.cost[test]
            if left > 0:
                tests.append(test)
        first = [test for test in reversed(self._killers[_neighbours(mutant)]) if test in tests]
        return list(dict.fromkeys([*first, *tests]))

    def _begin(self, mutant: Mutant) -> None:
        tests = self.tests_for(mutant)
        fork = Fork(self._session, lambda tell: self._try(mutant, tests, tell))
        self._running[fork.pid] = mutant, fork, seconds()

    def _try(self, mutant: Mutant, tests: Sequence[str], tell: Callable[[str], None]) -> int:
        try:
            if not mutant.in_function and not self._sound:
                return self._try_cold(mutant, tests)
            if not self._sound:
                transplant(mutant)
        except NotExchangeable:
            return self._try_cold(mutant, tests)
        for test in tests:
            if not passes(self._items[test], may_take(self._lines.cost[test])):
                tell(test)
                return _KILLED
        return _SURVIVED

    def _try_cold(self, mutant: Mutant, tests: Sequence[str]) -> int:
        within = {test: may_take(self._lines.cost[test]) for test in tests}
        survived = survives(mutant, within, _COLD_S + 4 * sum(self._lines.cost[test] for test in tests))
        if survived is None:
            os.kill(os.getpid(), signal.SIGALRM)
        return _SURVIVED if survived else _KILLED

    def _next_end(self) -> Result:
        pid, status = os.wait()
        mutant, fork, start = self._running.pop(pid)
        by = fork.ended()
        if by:
            self._killers[_neighbours(mutant)].append(by)
        return Result(mutant, _verdict(status, by), by, seconds() - start)


def _verdict(status: int, said: str) -> Verdict:
    if os.WIFSIGNALED(status):
        return "timeout" if os.WTERMSIG(status) == signal.SIGALRM else "killed"
    found: Verdict | None = {_SURVIVED: "survived", _KILLED: "killed"}.get(os.WEXITSTATUS(status))
    if found is None and not said:
        return "killed"  # the mutant has closed our descriptors, say
    if found is None:
        raise RuntimeError(f"a trial must end with status 0 or 1, got {os.WEXITSTATUS(status)}: {said}")
    return found


def _neighbours(mutant: Mutant) -> str:
    return f"{mutant.target.file} {mutant.where}"
