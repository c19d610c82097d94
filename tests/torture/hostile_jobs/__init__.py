"""Hostile jobs: arguments, results, errors, notes and reasons that do harm, through claim, run and settle in every pool.

A case is one job. Beside each that does harm there is one that does not, and every hook and log handler raises. Nothing
but the harmful job may fail, its neighbours run exactly once, and the ticker goes on. (What a job does to its own process
is another matter: those that kill it are in docs/guarantees.md.)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from ..processes import scratch
from ..report import Report, Size, pick

_PROGRAM: Final = Path(__file__).with_name("program.py")
_ROOT: Final = Path(__file__).parents[3]
_KINDS: Final = ("processes", "threads", "asyncio", "solo", "gevent", "eventlet")
_LIMIT_S: Final = 900.0
_AT_ONCE: Final = 3
_BUGS: Final = (
    "SystemExit in a hook ends the thread",
    "what a log handler raises ends the thread",
    "the ticker decodes what it hands over",
    "an exception is asked what it is",
    "work whose result cannot be stored is done again",
    "only Exceptions are caught",
    "a reason is stored whole",
    "a result is asked for its items",
    "SystemExit in a log handler ends a worker process",
)


def run(size: Size, seed: int) -> Report:
    """Each poison once in every pool in CI, ten times at full size."""
    report = Report()
    rounds = pick(size, smoke=1, ci=1, full=10)
    kinds = [kind for kind in pick(size, smoke=("threads",), ci=_KINDS, full=_KINDS) if _is_there(kind)]
    bugs = _BUGS[: pick(size, smoke=2, ci=None, full=None)]
    with ThreadPoolExecutor(_AT_ONCE) as several:
        played = [several.submit(_play, kind, rounds, seed) for kind in kinds]
        sown = [
            several.submit(_play, "processes" if "worker process" in bug else "threads", 1, seed, bug) for bug in bugs
        ]
        for kind, one in zip(kinds, played, strict=True):
            found = one.result()
            report.cases += found["cases"]
            report.figures[f"jobs in {kind}"] = f"{found['cases']:,}"
            for wrong in found["wrong"]:
                report.wrong(f"{kind}, seed {seed}: {wrong}")
        for bug, other in zip(bugs, sown, strict=True):
            report.seeded(bug, caught=bool(other.result()["wrong"]))
    return report


def _is_there(kind: str) -> bool:
    return kind not in ("gevent", "eventlet") or find_spec(kind) is not None


def _play(kind: str, rounds: int, seed: int, *bug: str) -> dict[str, Any]:
    with scratch() as directory:
        there = {"POOL_KIND": kind, "STORE": os.path.join(directory, "t.json"), "RUNS": os.path.join(directory, "runs")}
        ended = subprocess.run(
            [sys.executable, str(_PROGRAM), str(rounds), str(seed), *bug],
            cwd=_ROOT,
            env=os.environ | there | {"PYTHONWARNINGS": "ignore"} | ({"STILL_S": "5"} if bug else {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_S,
        )
    try:
        found: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return {"cases": 0, "wrong": [f"it ended with status {ended.returncode}: {ended.stderr[-1_500:]}"]}
    return found
