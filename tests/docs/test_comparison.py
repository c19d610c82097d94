"""docs/comparison.md answers every row, and each yes leads to the heading that explains it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "comparison.md"
LINK = re.compile(r"\[[^]]+\]\((\w[\w-]*\.md)(#[\w-]+)?\)")
ANSWER = re.compile(r"\*\*(yes|partly|not yet|no)\*\*")
PEERS = 6
LEAST_ROWS = 75


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[0] and not row[0].startswith("---")]


def test_every_row_has_an_answer_and_as_many_cells_as_its_table() -> None:
    assert len(rows()) >= LEAST_ROWS
    assert [row[0] for row in rows() if not ANSWER.match(row[1]) or len(row) not in (3, 2 + PEERS) or "" in row] == []


def test_every_yes_and_every_partly_leads_to_where_it_is_explained() -> None:
    assert [row[0] for row in rows() if ANSWER.match(row[1])[1] in ("yes", "partly") and not LINK.search(row[1])] == []


def test_every_no_gives_its_reason() -> None:
    assert [
        row[0] for row in rows() if ANSWER.match(row[1])[1] == "no" and len(row[1]) < len("**no**: because") + 10
    ] == []


def test_links_lead_to_headings_and_not_to_whole_pages_unless_the_page_is_about_nothing_else() -> None:
    whole = {page for row in rows() for page, anchor in LINK.findall(row[1]) if not anchor}
    assert whole <= {"cli.md", "pools.md", "simulation.md"}
