"""The table of a run, for the terminal and for docs/mutants.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from .targets import TARGETS
from .trial import BUDGET_S, Result

LEAST: Final = 0.9
"""The share of mutants that must be noticed."""


@dataclass(slots=True)
class Row:
    """What came out for one module."""

    name: str
    killed: int = 0
    timeouts: int = 0
    survivors: list[str] = field(default_factory=list)
    equivalent: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def tried(self) -> int:
        return self.killed + self.timeouts + len(self.survivors)

    @property
    def mutants(self) -> int:
        return self.tried + len(self.equivalent)

    @property
    def score(self) -> float:
        """Noticed by a test or by its hanging, of all that differ from the original."""
        return (self.killed + self.timeouts) / self.tried if self.tried else 1.0

    @property
    def score_of_all(self) -> float:
        """The same of all, as if the equivalent ones could be noticed."""
        return (self.killed + self.timeouts) / self.mutants if self.mutants else 1.0


def rows_of(results: Sequence[Result], equivalent: Sequence[str]) -> list[Row]:
    """A row for each module that something is known of."""
    rows = {target.name: Row(target.name) for target in TARGETS}
    for result in sorted(results, key=lambda result: (result.mutant.target.file, result.mutant.line)):
        row = rows[result.mutant.target.name]
        row.seconds += result.seconds
        row.killed += result.verdict == "killed"
        row.timeouts += result.verdict == "timeout"
        if result.verdict == "survived":
            row.survivors.append(result.mutant.key)
    for key in equivalent:
        rows[key.partition(":")[0]].equivalent.append(key)
    return [row for row in rows.values() if row.mutants]


def total(rows: Sequence[Row]) -> Row:
    """All rows in one."""
    return Row(
        "all",
        sum(row.killed for row in rows),
        sum(row.timeouts for row in rows),
        [key for row in rows for key in row.survivors],
        [key for row in rows for key in row.equivalent],
        sum(row.seconds for row in rows),
    )


_HEADS: Final = ("module", "mutants", "killed", "timeouts", "survived", "equivalent", "score", "of all", "seconds")


def as_markdown(rows: Sequence[Row]) -> str:
    """A table, with a last row for all."""
    lines = [_HEADS, ("---", *["---:"] * (len(_HEADS) - 1)), *(_cells(row) for row in (*rows, total(rows)))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _cells(row: Row) -> tuple[str, ...]:
    counts = (row.mutants, row.killed, row.timeouts, len(row.survivors), len(row.equivalent))
    return (
        row.name,
        *(f"{count:,}" for count in counts),
        f"{row.score:.1%}",
        f"{row.score_of_all:.1%}",
        f"{row.seconds:,.0f}",
    )


def page(rows: Sequence[Row], reasons: Mapping[str, str], *, date: str, jobs: int) -> str:
    """docs/mutants.md."""
    equivalent = Counter((row.name, reasons[key]) for row in rows for key in row.equivalent)
    survivors = [key for row in rows for key in row.survivors]
    return _PAGE.format(
        budget=BUDGET_S,
        date=date,
        minutes=total(rows).seconds / 60 / jobs,
        jobs=jobs,
        table=as_markdown(rows),
        survivors="None." if not survivors else "\n".join(["```text", *(_short(key) for key in survivors), "```"]),
        equivalent="\n".join(
            f"| {name} | {count} | {reason} |" for (name, reason), count in sorted(equivalent.items())
        ),
    )


def _short(key: str) -> str:
    return key if len(key) <= _KEY_MOST else key[: _KEY_MOST - 3] + "..."


_KEY_MOST: Final = 220
_PAGE: Final = """\
# Mutants: would the tests notice?

A mutant is a module with one small thing wrong: a `<` for a `<=`, a number off by one, a condition turned round or left
out, a call that is not made, an exception that is not caught, `None` returned. The tests are good if they fail on it.
`make mutants` makes every such mutant of the modules that a lost or doubled job would be the fault of. On each it runs
the fast tests that execute its line, the quickest first and at most {budget:g} seconds of them, until one fails. A mutant
that hangs counts as noticed. This page is what it wrote on {date}. All trials together take {minutes:.0f} minutes with
{jobs} processes on two cores. Nothing is left to chance, so there is no seed.

{table}

*Score* is the share of the mutants that a test can tell from the original; *of all* counts the equivalent ones as if they
had to be noticed too. If the score of any module is below 90 % the command fails. Not mutated: annotations,
docstrings, texts, and what a `raise` builds. Tests that try every byte, bit or failing call are left out, since they take
many seconds; what only they notice counts as not noticed.

The mutants show what the tests see, and no more: a line that is missing has no mutants. What each line must stand
besides is in [Reliability](reliability.md).

## Survivors

{survivors}

## Equivalent mutants

No test can notice these, or only by a clock; each is named in `tests/mutants/equivalent.toml`.

| module | mutants | why |
| --- | ---: | --- |
{equivalent}
"""
