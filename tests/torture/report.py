"""What a campaign is, and what it reports.

A campaign is a module or package of this directory that is named in campaigns.py and has

    def run(size: Size, seed: int) -> Report

The first line of its docstring says what it tries. The same code runs at three sizes: ``smoke`` (some seconds), ``ci``
(with the counts that docs/reliability.md states) and ``full``. The same seed makes the same choices.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

Size = Literal["smoke", "ci", "full"]
T = TypeVar("T")


@dataclass(slots=True)
class Report:
    """How many cases were tried, and what was wrong.

    >>> report = Report()
    >>> report.cases += 1
    >>> report.wrong("seed 7: an acknowledged job is lost")
    >>> report.seeded("ack before fsync", caught=True)
    >>> report.passed
    False
    """

    cases: int = 0
    violations: Counter[str] = field(default_factory=Counter)
    bugs: dict[str, bool] = field(default_factory=dict)
    """For each bug that was sown on purpose, whether the campaign noticed it."""
    figures: dict[str, str] = field(default_factory=dict)
    """What else was counted or measured, each with its unit."""

    def wrong(self, what: str) -> None:
        """Count a violation; the text must be enough to find it again (seed, case)."""
        self.violations[what] += 1

    def demand(self, condition: object, otherwise: str) -> None:
        """Count a violation unless the condition holds."""
        if not condition:
            self.wrong(otherwise)

    def seeded(self, bug: str, *, caught: bool) -> None:
        """Note whether a bug that was sown on purpose was noticed."""
        self.bugs[bug] = caught

    @property
    def passed(self) -> bool:
        """Nothing was wrong, something was tried, and every seeded bug was noticed."""
        return self.cases > 0 and not self.violations and all(self.bugs.values())

    def as_json(self) -> dict[str, Any]:
        """For the process that runs the campaigns."""
        return {
            "cases": self.cases,
            "violations": dict(self.violations.most_common(20)),
            "bugs": self.bugs,
            "figures": self.figures,
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Report:
        """The reverse of as_json."""
        return cls(found["cases"], Counter(found["violations"]), found["bugs"], found["figures"])


def pick(size: Size, *, smoke: T, ci: T, full: T) -> T:
    """What belongs to a size.

    >>> pick("ci", smoke=10, ci=2_000, full=20_000)
    2000
    """
    return {"smoke": smoke, "ci": ci, "full": full}[size]
