"""The pages hang together: links lead somewhere, decisions are numbered and short, no page is left out of the README."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
README = ROOT / "README.md"
TOP = [README, *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"))]
PAGES = [*TOP, *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[\w-]+\]: (\S+)$", re.M)
NAMED = re.compile(r"\]\[([\w-]+)\]")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SOURCE = PROJECT["urls"]["Source"]
OURS = re.compile(
    rf"{re.escape(SOURCE)}/(?:blob|tree)/main/|{re.escape(SOURCE.replace('github', 'raw.githubusercontent'))}/main/"
)
"""Where a package index finds our files."""
FENCED = re.compile(r"^```.*?^```$", re.M | re.S)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose_of(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def links_of(page: Path) -> list[str]:
    """Where its links lead; those to files of ours by their path from the page on, or absolute."""
    found = (link or reference for link, reference in LINK.findall(prose_of(page)))
    return [OURS.sub(f"{ROOT}/", link) for link in found]


def anchors_of(page: Path) -> set[str]:
    """The headings as the usual renderers name them."""
    headings = re.findall(r"^#+ (.*)$", prose_of(page), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links_of(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links_of(README)}
    assert [name_of(page) for page in sorted((ROOT / "docs").glob("*.md")) if page.resolve() not in linked] == []


def test_a_package_index_can_show_the_readme() -> None:
    """It has the text only: links and pictures name the repository, which is the one that pyproject.toml names."""
    text = prose_of(README)
    assert [link or name for link, name in LINK.findall(text) if not (link or name).startswith("https://")] == []
    named = set(NAMED.findall(text))
    assert named == set(re.findall(r"^\[([\w-]+)\]: ", text, re.M))
    assert len(OURS.findall(text)) >= 25
    assert PROJECT["readme"] == "README.md"


def test_decisions_have_a_number_each_and_a_title() -> None:
    assert len(DECISIONS) >= 18
    numbers = Counter(page.name[:4] for page in DECISIONS)
    assert [number for number, count in numbers.items() if count > 1 or not number.isdigit()] == []
    assert [name_of(page) for page in DECISIONS if not page.read_text(encoding="utf-8").startswith("# ")] == []


def test_decisions_are_short() -> None:
    lengths = {name_of(page): len(page.read_text(encoding="utf-8").splitlines()) for page in DECISIONS}
    assert {name: length for name, length in lengths.items() if length > 16} == {}


def test_decisions_that_the_code_names_exist() -> None:
    sources = [path for folder in ("wheel", "store") for path in (ROOT / folder).rglob("*.py")]
    named = {
        found
        for path in sources
        for found in re.findall(r"docs/decisions/[\w-]+\.md", path.read_text(encoding="utf-8"))
    }
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_files_that_contributing_names_exist() -> None:
    named = re.findall(r"`((?:wheel|store|tests|docs)/[\w./-]+)`", prose_of(ROOT / "CONTRIBUTING.md"))
    assert len(named) >= 40
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_lines_of_prose_can_be_read_in_an_editor() -> None:
    long = [
        f"{name_of(page)}: {line[:60]}"
        for page in PAGES
        for line in prose_of(page).splitlines()
        if len(line) > 122 and not line.startswith("|")
    ]
    assert long == []
