"""What is known of mutants: those that nobody can tell from the original, with a reason each; and results of earlier runs."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from .lines import Lines, fingerprint, shared
from .mutant import Mutant
from .targets import CACHE, ROOT
from .trial import Result

EQUIVALENT: Final = Path(__file__).with_name("equivalent.toml")
RESULTS: Final = CACHE / "results.jsonl"


def equivalent() -> dict[str, str]:
    """The reasons why mutants are equivalent, by their keys."""
    told: dict[str, dict[str, str]] = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))
    return {f"{where}: {change}": reason for where, changes in told.items() for change, reason in changes.items()}


def stale(mutants: Iterable[Mutant]) -> list[str]:
    """Keys in the file of equivalent mutants that name no mutant any more."""
    return sorted(equivalent().keys() - {mutant.key for mutant in mutants})


class Earlier:
    """Results of earlier runs that still hold.

    That a test has noticed a mutant holds as long as module and test are there; that no test has, only as long as no
    test has changed.
    """

    def __init__(self, lines: Lines, budget_s: float, *, forget: bool = False, apart: bool = False) -> None:
        """With ``forget`` begin anew; with ``apart`` neither use nor keep anything."""
        self._apart = apart
        self._lines = lines
        self._budget_s = budget_s
        self._tests = fingerprint([*sorted((ROOT / "tests").rglob("test_*.py")), *shared()])
        self._known: dict[str, Mapping[str, Any]] = {}
        if forget:
            RESULTS.unlink(missing_ok=True)
        if RESULTS.exists() and not apart:
            told = map(json.loads, RESULTS.read_text(encoding="utf-8").splitlines())
            self._known = {one["key"]: one for one in told}

    def of(self, mutant: Mutant) -> Result | None:
        """The result that is known, if one is."""
        one = self._known.get(mutant.key)
        if one is None or one["source"] != _source(mutant):
            return None
        if one["verdict"] == "survived":
            holds = one["tests"] == self._tests and one["budget"] >= self._budget_s
        else:
            holds = not one["by"] or one["by"] in self._lines.cost
        return Result(mutant, one["verdict"], one["by"], one["seconds"]) if holds else None

    def note(self, result: Result) -> None:
        """Keep a result for a later run."""
        if self._apart:
            return
        one = {
            "key": result.mutant.key,
            "source": _source(result.mutant),
            "tests": self._tests,
            "verdict": result.verdict,
            "by": result.by,
            "seconds": round(result.seconds, 3),
            "budget": self._budget_s,
        }
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(one) + "\n")


def _source(mutant: Mutant) -> str:
    return hashlib.sha256(mutant.target.text().encode()).hexdigest()[:16]
