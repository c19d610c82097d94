"""docs/pains.md names tests: they exist, and no test that is named after a complaint is missing there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "pains.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)
ROWS = re.findall(r"^\| ([A-HSTUV])(\d+) \|(.*)\|$", PAGE, re.M)
COMPLAINT = re.compile(r"test_([a-z_]+?)_(\d+)_")
COMPLAINTS, STRANGERS, ATTACKS, SWITCHERS, NEWCOMERS = 57, 39, 16, 19, 13


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_complaint_has_its_row() -> None:
    numbers = {"": [], "S": [], "T": [], "U": [], "V": []}
    for letter, number, _ in ROWS:
        numbers[letter if letter in "STUV" else ""].append(int(number))
    ends = {"": COMPLAINTS, "S": STRANGERS, "T": ATTACKS, "U": SWITCHERS, "V": NEWCOMERS}
    assert numbers == {letter: list(range(1, end + 1)) for letter, end in ends.items()}


def test_every_row_names_a_test_or_says_that_there_is_none_yet() -> None:
    empty = [
        f"{letter}{number}" for letter, number, text in ROWS if "::test_" not in text and "**not yet**" not in text
    ]
    assert empty == []


def test_every_test_that_the_page_names_exists() -> None:
    assert len(NAMED) > 80
    missing = {f"{path}::{name}" for path, name in NAMED if name not in functions_of(ROOT / path)}
    assert missing == set()


def test_every_complaint_that_a_test_is_named_after_stands_on_the_page() -> None:
    """With the test, or with a link to the thread: the row may name another test of the same."""
    named = {name for _, name in NAMED}
    here = {name for path in (ROOT / "tests" / "pains").glob("test_*.py") for name in functions_of(path)}
    complaints = {name: found for name in here - named if (found := COMPLAINT.match(name))}
    linked = {name for name, found in complaints.items() if f"[{found[1].replace('_', '-')} #{found[2]}]" in PAGE}
    assert set(complaints) - linked == set(), "say in docs/pains.md whose complaint it answers"
