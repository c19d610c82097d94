"""The guides for those who switch have one shape: what changes silently, what maps, examples whose code runs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(Path(__file__).parent))

from blocks import blocks_of  # noqa: E402

GUIDES = sorted({*DOCS.glob("guide-from-*.md")} - {DOCS / "guide-from-celery.md"})
"""That from Celery is longer, and has an order of its own."""
TRAPS, NAMES, EXAMPLES = 8, 15, 2


def rows_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")][1:]


def sections_of(page: Path) -> dict[str, str]:
    found = re.split(r"^## (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    return dict(zip(found[1::2], found[2::2], strict=True))


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_a_guide_begins_with_what_changes_silently_and_moves_programs_that_run(page: Path) -> None:
    sections = sections_of(page)
    assert [*sections][:3] == ["Silent traps", "What maps", "Examples"]
    assert len(rows_of(sections["Silent traps"])) >= TRAPS
    assert len(rows_of(sections["What maps"])) >= NAMES
    assert re.search(r"\b[Uu]nits\b", sections["Silent traps"]), "say whether it is seconds there, too"
    blocks = blocks_of(page)
    assert sum(block.info.endswith("for comparison") for block in blocks) >= EXAMPLES
    assert sum(block.runs and block.language == "python" and not block.file for block in blocks) >= EXAMPLES


def test_there_is_a_guide_from_each() -> None:
    assert {page.stem.removeprefix("guide-from-") for page in GUIDES} >= {
        "apscheduler",
        "django-q",
        "dramatiq",
        "huey",
        "rq",
        "schedule",
    }
