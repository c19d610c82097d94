"""Who runs a script, a profiler or a debugger, has nothing to do with the names of its tasks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_SHOP = """
from hourwheel import Scheduler
from hourwheel.store import MemoryStore
app = Scheduler(MemoryStore())
@app.task
def remind(n): return n
if __name__ == "__main__":
    print("stored as", remind.name)
"""


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("shop.py", "shop.remind"),
        ("-m shop", "shop.remind"),
        ("-m cProfile shop.py", "shop.remind"),
        ("-m cProfile -m shop", "shop.remind"),
        (
            "-c exec(open('shop.py').read(),{'__name__':'__main__','__file__':'shop.py'})",
            "shop.remind",
        ),  # as trace does
        ("-m pdb -c continue -c quit shop.py", "shop.remind"),
        ("-m runpy shop", "shop.remind"),
        ("-c import\\ runpy;runpy.run_path('shop.py',run_name='__main__')", "shop.remind"),
        ("pkg", "pkg.__main__.remind"),
        ("-m pkg", "pkg.__main__.remind"),
        ("-m cProfile -m pkg", "pkg.__main__.remind"),
        ("-m pkg.tasks", "pkg.tasks.remind"),
    ],
)
def test_a_job_that_is_stored_under_a_profiler_is_found_by_the_worker(tmp_path: Path, command: str, name: str) -> None:
    (tmp_path / "pkg").mkdir()
    for file in ("shop.py", "pkg/__main__.py", "pkg/tasks.py"):
        (tmp_path / file).write_text(_SHOP)
    (tmp_path / "pkg/__init__.py").touch()
    words = [word.replace("\\", " ") for word in command.replace("\\ ", "\\").split(" ")]
    said = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True)
    assert f"stored as {name}\n" in said.stdout, said.stderr
