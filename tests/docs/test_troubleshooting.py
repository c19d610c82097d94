"""The messages that docs/troubleshooting.md quotes are those of the code, so that a search for one finds its entry."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```text\n(.*?)\n```$", re.M | re.S)
FENCED = re.compile(r"^```.*?^```$", re.M | re.S)
CELL = re.compile(r"`([^`]*\.\.\.[^`]*)`")
"""A message in a table or a sentence: text in backticks with the dots that stand for what varies."""
ANY = "..."


def texts_in(tree: ast.AST) -> Iterator[str]:
    """The texts of a module; in one that is formatted, dots stand for what varies."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else ANY for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"%[-+.\w]*[sdgf]", ANY, node.value)


def messages() -> str:
    files = [path for room in ("wheel", "store") for path in (ROOT / room).rglob("*.py")]
    return "\0".join(text for path in files for text in texts_in(ast.parse(path.read_text(encoding="utf-8"))))


QUOTED = sorted({*BLOCK.findall(PAGE), *CELL.findall(FENCED.sub("", PAGE))})
SOURCE = messages()


@pytest.mark.parametrize("message", [message for message in QUOTED if "hourwheel worker ..." not in message])
def test_a_message_that_the_page_quotes_is_one_of_the_code(message: str) -> None:
    pieces = [piece.strip() for piece in message.split(ANY)]
    assert [piece for piece in pieces if len(piece) > 3 and piece not in SOURCE] == []


def test_there_are_messages_to_look_for() -> None:
    assert len(QUOTED) >= 25


def test_a_message_that_is_nowhere_in_the_code_is_noticed() -> None:
    assert "The store is somewhat busy" not in SOURCE
