"""The site has every page: docs/index.md lists it, and what is public stands in the pages of the API."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import hourwheel
import hourwheel.store

DOCS = Path(__file__).parents[2] / "docs"
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.M | re.S)
API = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))


def entries_of(index: Path) -> list[str]:
    """What the toctrees of a page list, as patterns from docs/ on."""
    where = index.parent.relative_to(DOCS)
    lines = [line for tree in TOCTREE.findall(index.read_text(encoding="utf-8")) for line in tree.splitlines()]
    return [str(where / line) for line in lines if line and not line.startswith(":")]


def test_every_page_is_listed_once() -> None:
    listed = [entry for index in DOCS.rglob("*.md") for entry in entries_of(index)]
    pages = [str(page.relative_to(DOCS).with_suffix("")) for page in sorted(DOCS.rglob("*.md"))]
    times = {page: sum(fnmatch(page, entry) for entry in listed) for page in pages if page != "index"}
    assert {page: count for page, count in times.items() if count != 1} == {}, "list it in docs/index.md"


def test_every_entry_is_a_page() -> None:
    pages = [str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md")]
    entries = [entry for index in DOCS.rglob("*.md") for entry in entries_of(index)]
    assert [entry for entry in entries if not any(fnmatch(page, entry) for page in pages)] == []


def test_what_is_public_stands_in_the_api() -> None:
    """Errors are there as a module; that all of them are public is what tests/unit/test_package.py sees to."""
    errors = {name for name in vars(hourwheel.errors) if isinstance(vars(hourwheel.errors)[name], type)}
    public = (set(hourwheel.__all__) - errors) | set(hourwheel.store.__all__)
    assert {name for name in public if not re.search(rf":: [\w.]*\b{name}$", API, re.M)} == set()
