"""What `make quick` chooses: the tests nearest to a change come first, and the layout is always looked at."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.kit.rooms import ROOT, rooms
from tests.quick import PAGES, Choice, Count, choose, run_tests

IMPORTS = {
    "cli": frozenset({"worker", "tasks", "nouns"}),
    "worker": frozenset({"tasks", "nouns"}),
    "tasks": frozenset({"nouns"}),
    "nouns": frozenset(),
    "store/file": frozenset({"nouns"}),
    "store": frozenset({"store/file"}),
}
TESTS = """
    cli/test_jobs.py store/file/format/test_journal.py store/file/test_ahead.py store/test_url.py tasks/test_task.py
    test_layout.py test_ring.py worker/pool/test_wire.py worker/test_sweep.py worker/test_ticker.py
    worker/test_ticker_edges.py
""".split()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for test in TESTS:
        path = tmp_path / "tests" / "unit" / test
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def names_of(choice: Choice) -> list[str]:
    return [str(path).removeprefix("tests/unit/") for path in (*choice.near, *choice.far)]


def test_the_tests_of_a_changed_module_come_before_those_of_its_room_and_of_the_rooms_above(root: Path) -> None:
    choice = choose(["wheel/worker/ticker.py"], IMPORTS, root)
    assert (choice.changed, choice.importing) == (["worker"], ["cli"])
    near = ["test_layout.py", "worker/test_ticker.py", "worker/test_ticker_edges.py"]
    assert names_of(choice) == [*near, "worker/pool/test_wire.py", "worker/test_sweep.py", "cli/test_jobs.py"]
    assert choice.far == [Path("tests/unit/cli/test_jobs.py")]


def test_a_changed_test_is_the_first_of_all_and_one_that_was_deleted_is_not_run(root: Path) -> None:
    choice = choose(["tests/unit/worker/pool/test_wire.py", "tests/unit/worker/test_gone.py"], IMPORTS, root)
    assert names_of(choice)[:2] == ["worker/pool/test_wire.py", "test_layout.py"]
    assert choice.changed == ["worker"]
    assert "worker/test_gone.py" not in names_of(choice)


@pytest.mark.parametrize(
    ("path", "changed", "importing"),
    [
        ("wheel/ring.py", ["nouns"], ["tasks", "store/file", "worker", "cli"]),
        ("store/file/format/journal.py", ["store/file"], ["store"]),
        ("store/url.py", ["store"], []),
        ("tests/unit/test_ring.py", ["nouns"], ["tasks", "store/file", "worker", "cli"]),
        ("tests/unit/worker/pool/test_wire.py", ["worker"], ["cli"]),
        ("tests/unit/store/conftest.py", ["store"], []),
        ("tests/unit/store/file/conftest.py", ["store/file"], ["store"]),
        ("tests/process/test_demo.py", [], []),
        ("wheel/py.typed", [], []),
        ("Makefile", [], []),
    ],
)
def test_the_rooms_of_a_path_and_those_that_import_them(root: Path, path: str, changed: list, importing: list) -> None:
    choice = choose([path], IMPORTS, root)
    assert (choice.changed, sorted(choice.importing)) == (changed, sorted(importing))


def test_pages_have_tests_of_their_own(root: Path) -> None:
    assert set(PAGES) <= set(choose(["README.md"], IMPORTS, root).near)
    assert set(PAGES) & set(choose(["wheel/ring.py"], IMPORTS, root).near) == set()
    assert [path for path in PAGES if not (ROOT / path).exists()] == []


def test_if_nothing_changed_the_nouns_are_tested(root: Path) -> None:
    choice = choose([], IMPORTS, root)
    assert names_of(choice) == ["test_layout.py", "test_ring.py"]
    assert "no room changed" in str(choice)


def test_every_room_but_those_that_others_test_has_tests() -> None:
    imports = rooms()
    chosen = {room: choose([f"wheel/{room}/x.py"], {room: imports[room]}).near for room in imports if "/" not in room}
    assert {room for room, tests in chosen.items() if tests[1:] == []} <= {"nouns", "store"}
    assert len(choose(["wheel/ring.py"], imports).far) > 80


class Pytest:
    """Runs tests that do nothing: the alarm comes after each of them."""

    def __init__(self, *failed: bool) -> None:
        self.failed = failed
        self.ran = 0

    def main(self, _arguments: list[str], plugins: list[Count]) -> pytest.ExitCode:
        try:
            signal.raise_signal(signal.SIGALRM)
            for failed in self.failed:
                self.ran += 1
                plugins[0].pytest_runtest_logreport(SimpleNamespace(when="call", failed=failed))
                signal.raise_signal(signal.SIGALRM)
        except pytest.exit.Exception as ended:
            return ended.returncode
        return pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize(
    ("failed", "passed", "ran"), [((False, False), True, 1), ((True, False), False, 1), ((), False, 0)]
)
def test_the_time_limit_hides_no_failure_and_some_tests_run_in_any_case(
    monkeypatch: pytest.MonkeyPatch, failed: tuple, passed: bool, ran: int
) -> None:
    before = signal.getsignal(signal.SIGALRM)
    fake = Pytest(*failed)
    monkeypatch.setattr(pytest, "main", fake.main)
    try:
        assert run_tests([], Count(), 3600) is passed
    finally:
        signal.signal(signal.SIGALRM, before)
    assert fake.ran == ran
