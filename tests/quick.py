"""The inner loop: the unit tests of what changed and the types, in under 30 seconds. Run: make quick

What changed is what differs from where this branch left main, the working tree included. Tests run nearest first: of the
changed modules, of their rooms, of the rooms that import these. When the time is over the rest is left to `make test`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import pytest

from tests.kit.rooms import ROOT, room_of, rooms

TESTS_S = 18.0
"""After the start; then no more tests begin, and those that run have ten seconds to end."""
LEAST_S = 5.0
"""With less than that left the tests of the importing rooms are not begun."""
UNIT = Path("tests/unit")
ALWAYS = UNIT / "test_layout.py"
PAGES = [Path("tests/docs") / name for name in ("test_pages.py", "test_pictures.py", "test_comparison.py")]


# ---- what to run ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is to be tested, and why."""

    changed: Sequence[str]
    """Rooms."""
    importing: Sequence[str]
    """Rooms that import a changed one."""
    near: Sequence[Path]
    """Files of tests, nearest first."""
    far: Sequence[Path]
    """Those of the importing rooms."""

    def __str__(self) -> str:
        if not self.changed:
            return "no room changed: the tests of the nouns, or those that changed themselves"
        then = f"; then what imports them: {', '.join(self.importing)}" if self.importing else ""
        return f"changed rooms: {', '.join(self.changed)}{then}"


def choose(changed: Iterable[str], imports: Mapping[str, frozenset[str]], root: Path = ROOT) -> Choice:
    """The tests for the paths that changed; the layout is always looked at."""
    paths = [Path(path) for path in changed]
    touched = {room for path in paths if (room := room_touched_by(path)) in imports}
    above = {room for room, others in imports.items() if others & touched} - touched
    importing = sorted(above, key=lambda room: (len(imports[room]), room))  # the lower floors first
    tests = [path for path in paths if is_test(path) and (root / path).exists()]
    tests += [ALWAYS, *tests_named_after(paths, imports, root)]
    if any(path.suffix == ".md" or path.parts[0] == "docs" for path in paths):
        tests += PAGES
    tests += (test for room in sorted(touched) or ["nouns"] for test in tests_of(room, root))
    near = list(dict.fromkeys(tests))
    far = [test for room in importing for test in tests_of(room, root) if test not in near]
    return Choice(changed=sorted(touched), importing=importing, near=near, far=far)


def is_test(path: Path) -> bool:
    return path.parts[0] == "tests" and path.name.startswith("test_") and path.suffix == ".py"


def room_touched_by(path: Path) -> str | None:
    """The room that a file belongs to, as its code or as its tests."""
    if path.suffix != ".py":
        return None
    if path.parts[0] in ("wheel", "store"):
        return room_of(ROOT / path)
    if path.parts[:2] != UNIT.parts:
        return None
    within = path.parent.relative_to(UNIT).parts[:2]
    return ("/".join(within) if within[0] == "store" else within[0]) if within else "nouns"


def folder_of(room: str) -> Path:
    """Where its tests are."""
    return UNIT if room == "nouns" else UNIT / room


def tests_of(room: str, root: Path) -> Iterator[Path]:
    """All tests of a room; of the flat files beside the rooms only the flat ones."""
    pattern = "test_*.py" if room in ("nouns", "store") else "**/test_*.py"
    return (path.relative_to(root) for path in sorted((root / folder_of(room)).glob(pattern)))


def tests_named_after(paths: Sequence[Path], imports: Mapping[str, frozenset[str]], root: Path) -> Iterator[Path]:
    """Of a changed module the tests that have its name."""
    for path in paths:
        room = room_touched_by(path)
        if room in imports and not is_test(path):
            yield from (test for test in tests_of(room, root) if test.stem.startswith(f"test_{path.stem}"))


# ---- what changed -----------------------------------------------------------------------------------------


def git(*arguments: str) -> list[str]:
    """The lines that it prints; none if it fails."""
    ended = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return ended.stdout.splitlines() if ended.returncode == 0 else []


def changed_paths() -> list[str]:
    """What differs from where this branch left main, committed or not."""
    for main in ("origin/main", "main"):
        if base := git("merge-base", "HEAD", main):
            break
    else:
        base = ["HEAD"]
    return git("diff", "--name-only", "--no-renames", base[0]) + git("ls-files", "--others", "--exclude-standard")


# ---- running ----------------------------------------------------------------------------------------------


class Count:
    """Counts the tests; a plugin for pytest."""

    def __init__(self) -> None:
        self.ran = 0
        self.failed = False
        self.stopped = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ran += report.when == "call"
        self.failed |= report.failed

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.failed |= report.failed


def run_tests(tests: Sequence[Path], count: Count, seconds: float) -> bool:
    """Whether all passed that ran before the time was over; some run in any case."""

    def time_is_over(_number: int, _frame: FrameType | None) -> None:
        if count.ran:
            signal.setitimer(signal.ITIMER_REAL, 0)
            count.stopped = True
            pytest.exit("the time is over; make test runs the rest", returncode=pytest.ExitCode.OK)

    signal.signal(signal.SIGALRM, time_is_over)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.1), 0.5)
    options = ["-q", "-n", "2", "--dist", "load", "-p", "no:randomly", "-p", "no:cacheprovider"]
    status = pytest.main([*options, *(str(ROOT / test) for test in tests)], plugins=[count])
    signal.setitimer(signal.ITIMER_REAL, 0)
    return status == pytest.ExitCode.OK and not count.failed


def main() -> int:
    """0 if all that ran is well."""
    start = time.monotonic()
    choice = choose(changed_paths(), rooms())
    print(choice, flush=True)
    environment = os.environ | {"MYPYPATH": str(ROOT / ".cache" / "imported")}
    command = [sys.executable, "-m", "mypy", "-p", "hourwheel"]  # its cache makes it look at the changed rooms only
    types = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    count = Count()
    passed = run_tests(choice.near, count, start + TESTS_S - time.monotonic())
    if passed and choice.far and (left := start + TESTS_S - time.monotonic()) > LEAST_S:
        passed = run_tests(choice.far, count, left)
    said, _ = types.communicate()
    print(f"types: {said.rstrip()}")
    rest = ", stopped when the time was over" if count.stopped else ""
    print(f"== quick: {count.ran} tests{rest}, and the types: {time.monotonic() - start:.1f} s")
    return 0 if passed and types.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
