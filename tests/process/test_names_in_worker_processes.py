"""A worker process finds the function that was meant: of this program, and of this scheduler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TENANTS = Path(__file__).with_name("pools") / "tenants.py"
_SHOP = """
from hourwheel import Scheduler
app = Scheduler("tasks.json", pool="processes", workers=1)
@app.task
def remind(number): return number
if __name__ == "__main__":
    with app:
        print(remind.delay(5).get(timeout=20))
"""


def test_a_job_of_one_tenant_does_not_run_another_tenants_function(tmp_path: Path) -> None:
    said = subprocess.run([sys.executable, str(TENANTS), str(tmp_path)], capture_output=True, text=True)
    *results, last = said.stdout.splitlines()
    assert results == ["one-1", "two-1", "one-1"], said.stderr
    assert "several schedulers of '__main__' have a task" in last, said.stderr
    assert "assign each scheduler to a global name of its module" in last


@pytest.mark.parametrize("command", ["-m cProfile shop.py", "-m cProfile -m shop", "pkg", "-m pkg"])
def test_worker_processes_import_the_script_and_not_what_runs_it(tmp_path: Path, command: str) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/__init__.py").touch()
    for file in ("shop.py", "pkg/__main__.py"):
        (tmp_path / file).write_text(_SHOP)
    said = subprocess.run([sys.executable, *command.split()], cwd=tmp_path, capture_output=True, text=True)
    assert said.stdout.startswith("5\n"), said.stderr
