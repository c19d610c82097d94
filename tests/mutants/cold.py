"""A mutant of what an import runs: a process of its own imports it, and runs the tests; `python -m tests.mutants.cold`.

Standard input has {"key": of the mutant, "file": of its module, "tests": {node id: seconds that it may take}}. The exit
status is 0 if nothing was noticed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType
from typing import Any

import pytest

from .mutant import Mutant, mutants_of
from .suite import passes, with_tests
from .targets import ROOT, Target


def survives(mutant: Mutant, tests: Mapping[str, float], within_s: float) -> bool | None:
    """Whether the tests pass on a mutant, in another process; None if they had not ended in time."""
    told = json.dumps({"key": mutant.key, "file": mutant.target.file, "tests": dict(tests)})
    command = [sys.executable, "-m", __spec__.name]
    program = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    try:
        program.communicate(told, timeout=within_s)
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, 9)
        program.wait()
        return None
    return program.returncode == 0


class _Importer(MetaPathFinder):
    """Finds the mutant where the module is asked for."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != self._mutant.target.module:
            return None
        file = str(self._mutant.target.path)
        return importlib.util.spec_from_file_location(name, file, loader=_Loader(name, file, self._mutant))


class _Loader(SourceFileLoader):
    def __init__(self, name: str, file: str, mutant: Mutant) -> None:
        super().__init__(name, file)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        return self._mutant.code()


def _run(tests: Mapping[str, float]) -> int:
    noticed: list[str] = []

    def loop(session: pytest.Session) -> None:
        by_name = {item.nodeid: item for item in session.items}
        for test, within_s in tests.items():
            if test not in by_name or not passes(by_name[test], within_s):
                noticed.append(test)
                return

    status = with_tests(loop, _files(tests))
    return 1 if status or noticed else 0


def _files(tests: Mapping[str, float]) -> Sequence[str]:
    return sorted({test.partition("::")[0] for test in tests})


def main() -> int:
    """Be the mutant that standard input names."""
    told = json.load(sys.stdin)
    mutant = next(mutant for mutant in mutants_of(Target(told["file"])) if mutant.key == told["key"])
    sys.meta_path.insert(0, _Importer(mutant))
    return _run(told["tests"])


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)
