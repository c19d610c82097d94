"""What README.md and docs/ show is what happens: every block of Python and every `hourwheel` command is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from blocks import Block, blocks_of  # noqa: E402

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LEAST = 50
TIME_LIMIT_S = 110

BLOCKS = {page: blocks_of(page) for page in PAGES}
WITH_BLOCKS = [page for page in PAGES if any(block.runs for block in BLOCKS[page])]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def run_of(page: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    directory.mkdir()
    scripts = os.path.dirname(sys.executable)
    path = os.pathsep.join(entry for entry in sys.path if entry)
    env = os.environ | {
        "PYTHONPATH": path,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(directory),
    }
    for name in ("HOURWHEEL_STORE", "CI"):
        env.pop(name, None)
    command = [sys.executable, "-W", "error", str(HERE / "run_blocks.py"), str(page)]
    return subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, timeout=TIME_LIMIT_S)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def ran_on(page: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    return run_of(page, directory / name_of(page).replace("/", "-"))


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=name_of)
def test_every_block_of(page: Path, directory: Path) -> None:
    ended = ran_on(page, directory)
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    assert f"ran {sum(block.runs for block in BLOCKS[page])}\n" in ended.stdout


def test_at_least_so_many_blocks_are_run() -> None:
    assert sum(block.runs for page in WITH_BLOCKS for block in BLOCKS[page]) >= LEAST


@pytest.mark.parametrize("page", [page for page in PAGES if BLOCKS[page]], ids=name_of)
def test_a_block_that_is_not_run_says_why(page: Path) -> None:
    assert [fault for block in BLOCKS[page] if (fault := block.fault())] == []


# ---- the harness itself --------------------------------------------------------------------------------------


def page_of(tmp_path: Path, text: str) -> Path:
    page = tmp_path / "page.md"
    page.write_text(text.replace("~~~", "```"), encoding="utf-8")
    return page


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("~~~python\nx = 1\n~~~\n~~~python\nx + 1  # -> 3\n~~~\n", "line 5: shows 2, not 3"),
        ("~~~python\nraise ValueError('no')\n~~~\n", "ValueError: no"),
        ("~~~console\n$ python -c 'raise SystemExit(3)'\n~~~\n", "ended with 3"),
        ("~~~console exit=3\n$ python -c 'pass'\n~~~\n", "ended with 0"),
        ("~~~console serves\n$ python -c 'raise SystemExit(1)'\n~~~\n", "ended with 1"),
    ],
)
def test_a_block_that_does_not_do_what_it_says_is_noticed(tmp_path: Path, text: str, says: str) -> None:
    ended = run_of(page_of(tmp_path, text), tmp_path / "cwd")
    assert ended.returncode != 0
    assert says in ended.stderr


def test_blocks_share_names_files_and_the_working_directory(tmp_path: Path) -> None:
    text = "~~~python file=mine.py\nvalue = 7\n~~~\n~~~python\nimport mine\nmine.value  # -> 7\n~~~\n~~~console\n$ python mine.py\n~~~\n"
    ended = run_of(page_of(tmp_path, text), tmp_path / "cwd")
    assert (ended.returncode, ended.stdout) == (0, "\nran 3\n"), ended.stderr


def test_an_info_string_must_be_known_and_a_reason_must_be_given(tmp_path: Path) -> None:
    text = "~~~python no-run: needs a broker\n~~~\n~~~python no-run:\n~~~\n~~~python skip\n~~~\n"
    faults: list[Block] = [block for block in blocks_of(page_of(tmp_path, text)) if block.fault()]
    assert [block.line for block in faults] == [4, 6]
