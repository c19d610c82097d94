"""Which tests run which lines: found by running each fast test once under coverage, in a context of its own."""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

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
        """The tests that could notice a mutant, the quickest first.

        If no test runs the line in this process (a forked child may), those of the whole module; likewise for what an
        import runs, unless it gives a name to something: then those that run a line of the module with that name.
        """
        by_line = self.tests.get(mutant.target.file, {})
        wanted: Iterable[int] = range(mutant.line, mutant.last_line + 1)
        if not mutant.in_function:
            wanted = _naming(mutant)
        found = {test for line in wanted for test in by_line.get(line, ())}
        found = found or {test for tests in by_line.values() for test in tests}
        return sorted((test for test in found if test in self.cost), key=lambda test: (self.cost[test], test))


def _naming(mutant: Mutant) -> list[int]:
    text = mutant.target.text().splitlines()
    return [at for at, line in enumerate(text, 1) if any(name in line for name in mutant.names)]


# ---- finding out -----------------------------------------------------------------------------------------


def found_in(session: pytest.Session, jobs: int) -> Lines:
    """What the tests of this session run; taken from the cache if neither tests nor product have changed since."""
    path = CACHE / f"lines-{fingerprint(('tests', 'wheel', 'store'))}.json"
    if not path.exists():
        _save(_measured(session, jobs), path)
    told = json.loads(path.read_text(encoding="utf-8"))
    tests = {file: {int(line): found for line, found in lines.items()} for file, lines in told["tests"].items()}
    here = {item.nodeid for item in session.items}
    return Lines({test: cost for test, cost in told["cost"].items() if test in here}, told["failing"], tests)


def fingerprint(folders: Sequence[str]) -> str:
    """Of every Python file in some folders, but for the mutants' own."""
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    digest = hashlib.sha256()
    for path in paths:
        if path.parent != Path(__file__).parent and path.parent.name not in ("torture", "docs"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _measured(session: pytest.Session, jobs: int) -> Lines:
    CACHE.mkdir(parents=True, exist_ok=True)
    parts = [CACHE / f"part-{number}.json" for number in range(jobs)]
    forks = []
    for number, part in enumerate(parts):
        items = session.items[number::jobs]
        forks.append(Fork(session, lambda _, items=items, part=part: _measure(items, part)))  # type: ignore[misc]
    for fork in forks:
        os.waitpid(fork.pid, 0)
        fork.ended()
    return _together(Lines(**json.loads(part.read_text(encoding="utf-8"))) for part in parts)


def _together(parts: Iterable[Lines]) -> Lines:
    all_of_them = Lines()
    for part in parts:
        all_of_them.cost |= part.cost
        all_of_them.failing += part.failing
        for file, lines in part.tests.items():
            known = all_of_them.tests.setdefault(file, {})
            for line, tests in lines.items():
                known.setdefault(int(line), []).extend(tests)
    return all_of_them


def _measure(items: Sequence[pytest.Item], part: Path) -> int:
    data = part.with_suffix(".coverage")
    data.unlink(missing_ok=True)
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


def _contexts(data: coverage.CoverageData) -> Any:
    found: dict[str, dict[int, list[str]]] = {}
    for target in TARGETS:
        by_line = data.contexts_by_lineno(str(target.path))
        found[target.file] = {line: [test for test in tests if test] for line, tests in sorted(by_line.items())}
    return found


def _save(lines: Lines, path: Path) -> None:
    known: dict[str, Any] = defaultdict(dict, cost=lines.cost, failing=lines.failing, tests=lines.tests)
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(known), encoding="utf-8")
    beside.replace(path)
