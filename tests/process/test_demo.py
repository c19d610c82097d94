"""`make demo` ends by itself, says what it saw, and its exit status would tell if Hourwheel had broken its word."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hourwheel import Scheduler
from hourwheel.store import MemoryStore

import demo

DEMO = Path(demo.__file__)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The demonstration, run once with its seconds shortened, and the directory in which it made its own."""
    directory = tmp_path_factory.mktemp("demo")
    path = os.pathsep.join(entry for entry in sys.path if entry)
    env = os.environ | {"TMPDIR": str(directory), "PYTHONPATH": path}
    command = [sys.executable, str(DEMO), "--fast"]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, env=env), directory


def test_it_ends_by_itself_with_status_0_and_says_that_nothing_was_lost(shown) -> None:
    ended, _ = shown
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.endswith("Nothing was lost.\n")
    assert "FAULT" not in ended.stdout
    assert ended.stderr == ""


def test_the_ledger_that_it_prints_balances(shown) -> None:
    (accepted, *parts), *more = re.findall(
        r"accepted (\d+) = succeeded (\d+) \+ pending (\d+) \+ running (\d+)", shown[0].stdout
    )
    assert (int(accepted), [int(part) for part in parts]) == (28, [28, 0, 0])
    assert more == []


def test_it_killed_a_worker_in_the_midst_of_jobs_which_began_again_in_another_process(shown) -> None:
    [(pid, calls)] = re.findall(r"kill -9 (\d+): worker A is dead; it was running (.*)", shown[0].stdout)
    again = re.findall(r"(test\(\d+\)) started again in process (\d+), (\d+\.\d+) s after the kill", shown[0].stdout)
    assert {call for call, _, _ in again} <= set(calls.split(", "))
    assert len(again) >= 2
    assert pid not in {elsewhere for _, elsewhere, _ in again}
    begun = int(re.findall(r"(\d+) starts:", shown[0].stdout)[0])
    assert begun == 28 + len(again)


def test_it_shows_a_line_a_second_without_colours_when_no_terminal_looks_on(shown) -> None:
    assert "\x1b" not in shown[0].stdout
    assert len(re.findall(r"^ +\d{1,4} +\d+ +\d+ +\d+   [·▂▄▆█]{12}   ", shown[0].stdout, re.M)) >= 3


def test_it_leaves_nothing_behind(shown) -> None:
    assert os.listdir(shown[1]) == []


# ---- the verdict can be a bad one ------------------------------------------------------------------------


@pytest.fixture
def app() -> Iterator[Scheduler]:
    made = Scheduler(MemoryStore())
    made.registry.add(demo.test)  # the shared ones are put away for every test
    yield made
    made.close()


@pytest.fixture
def ran(app: Scheduler, tmp_path: Path) -> tuple[list[demo.Mark], list[str]]:
    """What the witness has after three calls, and their ids."""
    witness = demo.Witness(str(tmp_path / "witness.txt"))
    calls = [((number, 0.0, witness.path), {}) for number in range(3)]
    ids = list(app.schedule_many(demo.test, calls).ids)
    assert app.run_due() == 3
    return witness.marks(), ids


def killer(app: Scheduler) -> demo.Killer:
    return demo.Killer(app, demo.Workers(""), "A", wanted=[], pid=1, at_ms=0)


def test_the_verdict_is_good_when_each_call_ran_once(app, ran, capsys) -> None:
    marks, ids = ran
    assert demo.faults_of(app, marks, ids, killer(app)) == []
    assert demo.verdict(app, marks, ids, killer(app)) == 0


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda marks: [mark for mark in marks if mark.number != 1], "did not run to its end"),
        (lambda marks: [*marks, marks[0]], "started 2 times"),
        (lambda marks: [replace(marks[0], late_ms=-1), *marks[1:]], "1 ms early"),
    ],
)
def test_the_verdict_is_bad_when_a_call_is_missing_or_doubled_or_early(app, ran, harm, words, capsys) -> None:
    marks, ids = ran
    faults = demo.faults_of(app, harm(marks), ids, killer(app))
    assert any(words in fault for fault in faults)
    assert demo.verdict(app, harm(marks), ids, killer(app)) == 1


def test_the_verdict_is_bad_when_a_job_is_still_pending_or_nobody_was_killed(app, ran, capsys) -> None:
    marks, ids = ran
    nobody = demo.Killer(app, demo.Workers(""), "A", wanted=[])
    assert demo.faults_of(app, marks, ids, nobody) == ["no worker was killed while it was running jobs"]
    late = app.schedule_many(demo.test, [((9, 0.0, ""), {})], countdown=900)[0].id
    assert len(demo.faults_of(app, marks, [*ids, late], killer(app))) == 2
