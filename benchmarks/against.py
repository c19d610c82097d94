"""``python -m benchmarks.against COMMIT [--rounds N]``: is this version slower than that one was?

Tables of two days cannot be compared: the machine was another. Here both versions run in turn, each time in a process
and a store of its own, and what is compared is the ratio of each round.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from .harness import Sample, interleave, ratio
from .in_common import PROGRAMS

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main() -> int:
    """Print the table; exit status 1 if something is slower by more than a tenth."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description="Measure beside another version.")
    parser.add_argument("commit", metavar="COMMIT", help="the other version, as git names it")
    parser.add_argument("--rounds", type=int, default=11, metavar="N", help="how often each is run; default: 11")
    options = parser.parse_args()
    print(f"| what | this version | {options.commit} | ratio of each round, median |\n| --- | --- | --- | --- |")
    slower = []
    with tempfile.TemporaryDirectory(dir=_cache()) as directory, _checked_out(options.commit, directory) as other:
        versions = {"this": _laid_out(_ROOT, f"{directory}/this"), "other": _laid_out(other, f"{directory}/other")}
        for name in PROGRAMS:
            found = interleave(
                {who: lambda version=version, name=name: _rate(name, version) for who, version in versions.items()},
                options.rounds,
            )
            ratios: Sample = ratio(found["this"], found["other"])
            print(f"| {name} | {found['this'].show('/s')} | {found['other'].show('/s')} | {ratios.show('', 2)} |")
            slower += [name] if ratios.median < 0.9 else []
    if slower:
        print(f"slower by more than a tenth: {', '.join(slower)}", file=sys.stderr)
    return 1 if slower else 0


def _cache() -> str:
    path = os.path.join(_ROOT, ".cache")
    os.makedirs(path, exist_ok=True)
    return path


@contextmanager
def _checked_out(commit: str, directory: str) -> Iterator[str]:
    tree = f"{directory}/tree"
    subprocess.run(["git", "worktree", "add", "--quiet", "--detach", tree, commit], cwd=_ROOT, check=True)
    try:
        yield tree
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=_ROOT, check=True)


class _LaidOut(NamedTuple):
    """A directory in which the packages of a tree are found under the names by which they are imported."""

    path: str
    wheel: str
    store: str


def _laid_out(tree: str, path: str) -> _LaidOut:
    """Lay a version out; the names are those of its own pyproject.toml, for they have changed."""
    with open(os.path.join(tree, "pyproject.toml"), "rb") as file:
        folders = tomllib.load(file)["tool"]["setuptools"]["package-dir"]
    names = {folder: name for name, folder in folders.items()}
    for folder, name in names.items():
        _link(os.path.join(tree, folder), os.path.join(path, *name.split(".")))
    return _LaidOut(path, names["wheel"], names["store"])


def _link(folder: str, to: str) -> None:
    os.makedirs(to, exist_ok=True)
    for entry in os.listdir(folder):
        os.symlink(os.path.join(folder, entry), os.path.join(to, entry))


def _rate(name: str, version: _LaidOut) -> float:
    with tempfile.TemporaryDirectory(dir=os.path.dirname(version.path)) as directory:
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "in_common.py")
        told = subprocess.run(
            [sys.executable, script, name, directory, version.wheel, version.store],
            env={**os.environ, "PYTHONPATH": version.path},
            cwd=directory,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    where, rate = json.loads(told.stdout)
    if not where.startswith(f"{version.path}/"):
        raise RuntimeError(f"{where} was measured instead of {version.path}")
    return float(rate)


if __name__ == "__main__":
    sys.exit(main())
