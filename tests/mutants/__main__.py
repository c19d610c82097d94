"""`python -m tests.mutants`: try the mutants, print a table, fail if too many survive."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
from collections.abc import Sequence
from datetime import date
from typing import Final

import pytest

from .known import Earlier, equivalent, stale
from .lines import found_in
from .mutant import Mutant, mutants_of
from .suite import FOLDERS, with_tests
from .table import LEAST, Row, as_markdown, page, rows_of
from .targets import ROOT, TARGETS
from .trial import BUDGET_S, Result, Trials

PAGE: Final = ROOT / "docs" / "mutants.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 if enough mutants were noticed."""
    options = _options(arguments)
    os.nice(10)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    statuses: list[int] = []
    broken = with_tests(lambda session: statuses.append(_tried(session, options)), options.tests)
    return statuses[0] if statuses else broken or 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    names = [target.name for target in TARGETS]
    parser.add_argument("--module", action="append", choices=names, help="only this one; may be given again")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="try so many at a time (2)")
    parser.add_argument("--sample", type=int, metavar="N", help="try N mutants, chosen by --seed")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument(
        "--budget", type=float, default=BUDGET_S, metavar="S", help="of tests for each mutant (%(default)g s)"
    )
    parser.add_argument("--fresh", action="store_true", help="forget the results of earlier runs")
    parser.add_argument(
        "--tests", nargs="+", default=FOLDERS, metavar="PATH", help="only these, instead of all fast ones"
    )
    parser.add_argument("--sound", action="store_true", help="try the sound modules instead: nothing may be noticed")
    parser.add_argument(
        "--equivalent", action="store_true", help="try those that are named as equivalent, and no others"
    )
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--json", action="store_true", help="print the results as JSON, use and keep no others")
    options = parser.parse_args(arguments)
    if options.page and (options.module or options.sample or options.sound or options.equivalent):
        parser.error("--page is of all mutants")
    return options


def _tried(session: pytest.Session, options: argparse.Namespace) -> int:
    lines = found_in(session, options.jobs)
    for test in lines.failing:
        print(f"fails on the sound modules, so it is left out: {test}", file=sys.stderr)
    everything = [mutant for target in TARGETS for mutant in mutants_of(target)]
    for key in stale(everything):
        print(f"equivalent.toml names what is no mutant any more: {key}", file=sys.stderr)
    mutants = _chosen(everything, options)
    reasons = equivalent()
    to_try = [mutant for mutant in mutants if (mutant.key in reasons) is options.equivalent]
    trials = Trials(session, lines, options.jobs, options.budget, sound=options.sound)
    earlier = Earlier(
        lines, options.budget, forget=options.fresh, apart=options.json or options.sound or options.equivalent
    )
    results = _results(trials, earlier, to_try, options)
    spared = [mutant.key for mutant in mutants if mutant.key in reasons and not options.equivalent]
    rows = rows_of(results, spared)
    _print(rows, options)
    if options.page:
        text = page(rows, reasons, date=date.today().isoformat(), jobs=options.jobs)
        PAGE.write_text(text, encoding="utf-8")
    return 0 if all(row.score >= LEAST for row in rows) else 1


def _chosen(everything: Sequence[Mutant], options: argparse.Namespace) -> Sequence[Mutant]:
    mutants = [mutant for mutant in everything if options.module is None or mutant.target.name in options.module]
    if options.sample is not None:
        mutants = random.Random(options.seed).sample(mutants, min(options.sample, len(mutants)))
    return mutants


def _results(trials: Trials, earlier: Earlier, mutants: Sequence[Mutant], options: argparse.Namespace) -> list[Result]:
    known = {mutant.key: found for mutant in mutants if (found := earlier.of(mutant)) is not None}
    results = list(known.values())
    for result in trials.run([mutant for mutant in mutants if mutant.key not in known]):
        results.append(result)
        earlier.note(result)
        if (result.verdict == "survived") is not options.equivalent and not options.json:
            print(
                f"{len(results)}/{len(mutants)} {result.verdict} {result.mutant.line} {result.mutant.key}", flush=True
            )
    return results


def _print(rows: Sequence[Row], options: argparse.Namespace) -> None:
    if not options.json:
        print(as_markdown(rows))
        return
    print(json.dumps([{"module": row.name, "tried": row.tried, "survivors": row.survivors} for row in rows]))


if __name__ == "__main__":
    sys.exit(main())
