"""Every command explains itself, and the page in the documentation says the same."""

from __future__ import annotations

import importlib.util
import shlex
from argparse import ArgumentParser
from pathlib import Path

import pytest
from hourwheel.cli.command import Command
from hourwheel.cli.parser import make_parser
from hourwheel.cli.program import COMMANDS

from .conftest import Run

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help_with_an_example(run: Run, command: Command) -> None:
    status, out, err = run(command.name, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: hourwheel {command.name}")
    assert command.examples
    for example in command.examples:
        assert f"  {example}\n" in out + "\n"
    assert " ".join(command.description.split()) in " ".join(out.split())


@pytest.mark.parametrize("example", [example for command in COMMANDS for example in command.examples])
def test_every_example_can_be_parsed(example: str) -> None:
    program, *words = shlex.split(example)
    assert program == "hourwheel"
    assert make_parser(COMMANDS).parse_args(words).command.name in " ".join(words)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_option_is_explained(command: Command) -> None:
    parser = ArgumentParser()
    command.arguments(parser)
    assert [action.dest for action in parser._actions if not action.help] == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_fits_into_eighty_columns(run: Run, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words in ((command.name, "--help"), ("--help",)):
        assert max(map(len, run(*words)[1].splitlines())) <= 80


def test_the_list_of_commands_names_them_all(run: Run) -> None:
    status, out, _ = run("--help")
    assert status == 0
    for command in COMMANDS:
        assert f"    {command.name} " in out
        assert command.summary.split()[0] in out


def test_the_page_in_the_documentation_is_what_the_parser_says() -> None:
    """If this fails: python docs/make_cli.py"""
    spec = importlib.util.spec_from_file_location("make_cli", DOCS / "make_cli.py")
    assert spec is not None
    assert spec.loader is not None
    make_cli = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_cli)
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == make_cli.page()
