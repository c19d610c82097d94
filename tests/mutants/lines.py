"""Which tests run which lines: found by running each fast test once under coverage, in a context of its own."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import coverage
import pytest

from .mutant import Mutant
from .suite import Fork, passes, seconds
from .targets import CACHE, ROOT, TARGETS

_TEST_S: Final = 120.0


@dataclass(slots=True)
class Lines:
    """For each line of a target the tests that run it, and how long each test takes."""

    cost: dict[str, float] = field(default_factory=dict)
    """Seconds that a test took, by its node id. One that fails as it is stands for nothing and is left out."""
    failing: list[str] = field(default_factory=list)
    tests: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    """By file and line."""

    def of(self, mutant: Mutant) -> list[str]:
        """The tests that could notice a mutant: those about its module, then the others; the quickest first.

        If no test runs the line in this process (a forked child may), those of the whole module; likewise for what an
        import runs, unless it gives a name to something: then those that run a line of the module with that name.
        """
        by_line = self.tests.get(mutant.target.file, {})
        wanted: Iterable[int] = range(mutant.line, mutant.last_line + 1)
        if not mutant.in_function:
            wanted = _naming(mutant)
        found = {test for line in wanted for test in by_line.get(line, ())}
        found = found or {test for tests in by_line.values() for test in tests}
        known = (test for test in found if test in self.cost)
        return sorted(known, key=lambda test: (not mutant.target.is_of(test), self.cost[test], test))

    def only(self, test_file: str) -> Lines:
        """What is known of the tests of one file."""
        start = test_file + "::"
        return Lines(
            {test: cost for test, cost in self.cost.items() if test.startswith(start)},
            [test for test in self.failing if test.startswith(start)],
            {
                file: {line: [test for test in tests if test.startswith(start)] for line, tests in by_line.items()}
                for file, by_line in self.tests.items()
            },
        )


def _naming(mutant: Mutant) -> list[int]:
    text = mutant.target.text().splitlines()
    return [at for at, line in enumerate(text, 1) if any(name in line for name in mutant.names)]


# ---- finding out -----------------------------------------------------------------------------------------


def found_in(session: pytest.Session, jobs: int) -> Lines:
    """What the tests of this session run. Of a test file that has not changed since, nor any target, it is known."""
    common = fingerprint([*(target.path for target in TARGETS), *shared()])
    by_file: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in session.items:
        by_file[item.nodeid.partition("::")[0]].append(item)
    stores = {file: CACHE / "lines" / f"{common}-{fingerprint([ROOT / file])}.json" for file in by_file}
    unknown = [item for file, items in by_file.items() if not stores[file].exists() for item in items]
    if unknown:
        measured = _measured(session, unknown, jobs)
        for file, store in stores.items():
            if not store.exists():
                _save(measured.only(file), store)
    return _together(_load(store) for store in stores.values())


def shared() -> list[Path]:
    """What tests are made of that stands in no file of tests: their kit, and the contract of all stores."""
    return sorted([*(ROOT / "tests" / "kit").glob("*.py"), *(ROOT / "wheel" / "testing").rglob("*.py")])


def fingerprint(paths: Iterable[Path]) -> str:
    """Of the content of some files."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _measured(session: pytest.Session, items: Sequence[pytest.Item], jobs: int) -> Lines:
    (CACHE / "lines").mkdir(parents=True, exist_ok=True)
    parts = [CACHE / f"part-{os.getpid()}-{number}.json" for number in range(jobs)]
    forks = []
    for number, part in enumerate(parts):
        share = items[number::jobs]
        forks.append(Fork(session, lambda _, share=share, part=part: _measure(share, part)))  # type: ignore[misc]
    for fork in forks:
        status = os.waitstatus_to_exitcode(os.waitpid(fork.pid, 0)[1])
        told = fork.ended()
        if status:
            raise RuntimeError(f"the tests ended the process that ran them, with {status}: {told}")
    found = _together(_load(part) for part in parts)
    for part in parts:
        part.unlink()
        part.with_suffix(".coverage").unlink(missing_ok=True)
    return found


def _together(parts: Iterable[Lines]) -> Lines:
    all_of_them = Lines()
    for part in parts:
        all_of_them.cost |= part.cost
        all_of_them.failing += part.failing
        for file, lines in part.tests.items():
            known = all_of_them.tests.setdefault(file, {})
            for line, tests in lines.items():
                known.setdefault(line, []).extend(tests)
    return all_of_them


def _measure(items: Sequence[pytest.Item], part: Path) -> int:
    data = part.with_suffix(".coverage")
    data.unlink(missing_ok=True)
    part.unlink(missing_ok=True)
    cover = coverage.Coverage(data_file=str(data), include=[str(target.path) for target in TARGETS], config_file=False)
    lines = Lines()
    cover.start()
    for item in items:
        cover.switch_context(item.nodeid)
        start = seconds()
        if passes(item, _TEST_S):
            lines.cost[item.nodeid] = seconds() - start
        else:
            lines.failing.append(item.nodeid)
    cover.stop()
    lines.tests = _contexts(cover.get_data())
    _save(lines, part)
    return 0


def _contexts(data: coverage.CoverageData) -> dict[str, dict[int, list[str]]]:
    found: dict[str, dict[int, list[str]]] = {}
    for target in TARGETS:
        by_line = data.contexts_by_lineno(str(target.path))
        found[target.file] = {line: [test for test in tests if test] for line, tests in sorted(by_line.items())}
    return found


def _save(lines: Lines, path: Path) -> None:
    """The names of tests are long, so each stands there once."""
    names = {test: number for number, test in enumerate(lines.cost)}
    tests = {
        file: {line: [names[test] for test in tests if test in names] for line, tests in by_line.items()}
        for file, by_line in lines.tests.items()
    }
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps({"cost": lines.cost, "failing": lines.failing, "tests": tests}), encoding="utf-8")
    beside.replace(path)


def _load(path: Path) -> Lines:
    told = json.loads(path.read_text(encoding="utf-8"))
    names = [sys.intern(test) for test in told["cost"]]
    tests = {
        file: {int(line): [names[number] for number in numbers] for line, numbers in by_line.items()}
        for file, by_line in told["tests"].items()
    }
    return Lines(dict(zip(names, told["cost"].values(), strict=True)), told["failing"], tests)
