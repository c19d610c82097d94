"""Runs the programs in examples/ as a reader would, each in a process of its own, and tells what they said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(directory: Path, *command: str) -> str:
    """What a Python command wrote to its standard output; it must end well."""
    where = os.pathsep.join([str(EXAMPLES), *(entry for entry in sys.path if entry)])
    env = os.environ | {"PYTHONPATH": where, "TMPDIR": str(directory)}
    for name in ("HOURWHEEL_STORE", "HOURWHEEL_APP"):
        env.pop(name, None)
    ended = subprocess.run(
        [sys.executable, *command], cwd=directory, env=env, capture_output=True, text=True, timeout=100
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def example(directory: Path, name: str, *words: str) -> list[str]:
    """The lines that an example wrote; it must leave nothing behind."""
    said = run(directory, str(EXAMPLES / name), *words)
    assert os.listdir(directory) == []
    return said.splitlines()
