"""Reading a command line for Celery, word by word. What becomes of each option: tests/unit/cli/test_for_celery.py."""

from __future__ import annotations

from typing import Any

import pytest
from hourwheel.celery.command_line import read
from hourwheel.cli.parser import make_parser
from hourwheel.cli.program import COMMANDS
from hypothesis import given
from hypothesis import strategies as st

PARSER = make_parser(COMMANDS)
OURS = [
    "-A proj",
    "-c 4",
    "-c4",
    "--concurrency=4",
    "-P solo",
    "-Q a,b",
    "-l debug",
    "-ldebug",
    "-B",
    "--no-beat",
    "-Bc 2",
]
OURS += ["--timeout 5", "--time-limit=9.5", "-X a", "-n w1", "-f=w.log", "-I proj.more", "--max-tasks-per-child 7"]
THEIRS = [
    "-E",
    "-O fair",
    "--autoscale 9,1",
    "-D",
    "-b x",
    "--without-mingle",
    "-Ofair",
    "-EB",
    "--scheduler=x",
    "--",
    "-",
]
WORD = st.sampled_from(
    [*OURS, *THEIRS, "worker", "inspect active", "call", "-Z", "--none", "--none=3", "", "-E=1", "é"]
)


def parsed(words: list[str]) -> dict[str, Any]:
    return {name: value for name, value in vars(PARSER.parse_args(words)).items() if name not in ("parser", "program")}


@given(st.lists(st.sampled_from(OURS)))
def test_what_is_ours_is_read_as_it_was(options: list[str]) -> None:
    words = " ".join(["worker", *options]).split()
    reading = read(words)
    assert (reading.told, reading.refused) == ([], [])
    assert parsed(reading.words) == parsed(words)


@given(st.lists(WORD))
def test_any_words_can_be_read_and_what_is_unknown_is_left_to_the_parser(options: list[str]) -> None:
    words = [word for option in options for word in (option.split() or [""])]
    reading = read(words)
    unknown = [word for word in words if word in ("-Z", "--none", "--none=3", "é")]
    assert reading.refused or [word for word in reading.words if word in unknown] == unknown


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        ("-Aproj worker -EBc8 -Ofair", "-A proj worker -B -c 8"),
        ("worker -E -- -E", "worker -- -E"),
        ("worker --autoscale=9,1 -- x", "worker -c 9 -- x"),
        ("jobs -E --autoscale 9", "jobs -E --autoscale 9"),
        ("-b x jobs -b y", "jobs -b y"),
    ],
)
def test_only_the_options_of_the_command_are_read(words: str, ours: str) -> None:
    reading = read(words.split())
    assert (reading.words, reading.refused) == (ours.split(), [])


def test_a_password_is_not_repeated() -> None:
    reading = read(["-b", "redis://:secret@x", "--result-backend=redis://:secret@x", "worker"])
    assert len(reading.told) == 1
    assert "secret" not in repr(reading)
