"""Real limits and signals in real pools: hundreds of jobs are struck in delay(), and nobody else notices (program.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from hourwheel.store import JsonStore

from tests.torture.processes import scratch
from tests.torture.report import Report

_PROGRAM: Final = Path(__file__).with_name("program.py")
_POOLS: Final = ("main", "threads", "processes", "solo", "asyncio", "gevent", "eventlet")
_DURABILITIES: Final = ("sync", "os", "interval")


def run(report: Report, rounds: int, strikes: int, seed: int) -> None:
    """So many rounds of each pool, each with so many strikes."""
    for pool in _POOLS:
        if pool in ("gevent", "eventlet") and find_spec(pool) is None:
            report.figures[f"struck in {pool}"] = "skipped: it is not installed"
            continue
        struck = 0
        for number in range(rounds):
            durability = _DURABILITIES[(seed + number) % len(_DURABILITIES)]
            struck += _storm(report, pool, durability, strikes, seed + number)
        report.cases += struck
        report.figures[f"struck in {pool}"] = f"{struck:,} times"


def _storm(report: Report, pool: str, durability: str, strikes: int, seed: int) -> int:
    case = f"{pool}, {durability}, seed {seed}"
    with scratch() as directory:
        where = os.pathsep.join(path for path in sys.path if path)
        ended = subprocess.run(
            [sys.executable, str(_PROGRAM), pool, durability, str(strikes), str(seed)],
            cwd=directory,
            env=os.environ | {"PYTHONPATH": where},
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            told = json.loads(ended.stdout.splitlines()[-1])
        except (IndexError, ValueError):
            report.wrong(f"{case}: ended with {ended.returncode}: {ended.stderr[-500:]}")
            return 0
        report.demand(not told["wrong"], f"{case}: {told['wrong']}")
        report.demand(told["strikes"] >= strikes, f"{case}: only {told['strikes']} strikes")
        acknowledged = set(Path(directory, "acknowledged").read_text(encoding="utf-8").split())
        store = JsonStore(f"{directory}/tasks.json", durability="os", allow_shared_directory=True)
        kept = {job.id for job in store.scan(limit=1 << 30)}
        report.demand(not acknowledged - kept, f"{case}: {len(acknowledged - kept)} acknowledged jobs are lost")
        report.demand(not (wrong := store.check()), f"{case}: {'; '.join(wrong)}")
        store.close()
        return int(told["strikes"])
