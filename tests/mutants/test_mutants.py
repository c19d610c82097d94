"""What a mutant is and how it comes to life: a tool that makes none, or none that differ, would praise any tests."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest
from hourwheel.safety import latch

from .lines import Lines
from .mutant import Mutant, mutants_of
from .operators import variants
from .targets import TARGETS, Target
from .transplant import NotExchangeable, transplant

LATCH = Target("wheel/safety/latch.py")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b", ["a <= b", "a >= b"]),
        ("a == b", ["a != b"]),
        ("a is None", ["a is not None"]),
        ("a and b", ["a or b", "b", "a"]),
        ("a and b and c", ["a or b or c", "b and c", "a and c", "a and b"]),
        ("not a", ["a"]),
        ("a + b", ["a - b"]),
        ("7", ["8", "6"]),
        ("True", ["False"]),
        ("0.5", ["2.0"]),
        ("b'x'", ["b'?'"]),
        ("'x'", []),
        ("None", []),
        ("min(a, b)", ["max(a, b)"]),
        ("sorted(a, key=b)", ["list(a)"]),
        ("a if b else c", ["a if not b else c"]),
    ],
)
def test_what_can_be_wrong_in_an_expression(text: str, expected: list[str]) -> None:
    assert [ast.unparse(new) for new in variants(ast.parse(text, mode="eval").body)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("return a", ["return None"]),
        ("return None", []),
        ("a()", ["pass"]),
        ("'a docstring'", []),
        ("a.b = 1", ["pass"]),
        ("a = 1", []),
        ("a += 1", ["a -= 1", "a = 1", "pass"]),
        ("raise A", ["pass"]),
        ("del a[b]", ["pass"]),
        ("break", ["continue"]),
        ("assert a", ["pass"]),
    ],
)
def test_what_can_be_wrong_in_a_statement(text: str, expected: list[str]) -> None:
    [statement] = ast.parse(text).body
    found = [ast.unparse(ast.fix_missing_locations(ast.copy_location(new, statement))) for new in variants(statement)]
    assert found == expected


def test_an_exception_that_was_caught_is_caught_no_more() -> None:
    [statement] = ast.parse("try: a()\nexcept B: c()").body
    assert isinstance(statement, ast.Try)
    assert ["NotImplementedError" in ast.unparse(new) for new in variants(statement.handlers[0])] == [True]


def test_mutants_have_names_of_their_own_compile_and_leave_the_sound_module_as_it_was() -> None:
    mutants = mutants_of(LATCH)
    sound = ast.unparse(mutants[0].tree)
    assert len({mutant.key for mutant in mutants}) == len(mutants) >= 5
    for mutant in mutants:
        mutant.code()
    assert ast.unparse(mutants[0].tree) == sound


def test_every_target_is_there() -> None:
    assert [target.file for target in TARGETS if not target.path.exists()] == []


def test_tests_about_a_module_are_tried_first_and_of_equals_the_quickest() -> None:
    cost = {"unit/test_a.py::quick": 0.1, "unit/test_latch.py::slow": 0.9, "unit/test_latch_file.py::quick": 0.2}
    line = mutant_that_says("=> return None").line
    assert Lines(cost, [], {"wheel/safety/latch.py": {line: [*cost, "unknown"]}}).of(
        mutant_that_says("=> return None")
    ) == [
        "unit/test_latch_file.py::quick",
        "unit/test_latch.py::slow",
        "unit/test_a.py::quick",
    ]
    epoch = Target("store/file/epoch.py", also="ahead")
    tests = (
        "unit/test_epoch.py::ahead",
        "unit/test_ahead.py::a",
        "unit/test_journal.py::test_epoch",
        "unit/epoch.py::a",
    )
    assert [epoch.is_of(test) for test in tests] == [True, True, False, False]


def mutant_that_says(words: str) -> Mutant:
    [mutant] = [mutant for mutant in mutants_of(LATCH) if words in mutant.key]
    return mutant


def test_a_transplanted_mutant_is_run_by_objects_that_were_there_before(tmp_path: Path) -> None:
    bell = latch.Latch()
    bell.notify()
    pid = os.fork()
    if not pid:
        transplant(mutant_that_says("=> return None"))
        os._exit(0 if bell.wait(0) is None else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert bell.wait(0) is True


def test_what_is_not_the_code_of_a_function_is_not_transplanted() -> None:
    mutant = mutant_that_says("=> return None")
    mutant.where = "Latch.unknown"
    with pytest.raises(NotExchangeable):
        transplant(mutant)
