"""``python -m tests.celery``: twelve programs written for Celery, under Celery and under Hourwheel: the same outcome?

Each program runs in a process of its own, under Celery with its broker in memory, and again with one line changed: the
import. What main() returns must be equal.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = sorted((HERE / "programs").glob("*.py"))
_PATIENCE_S = 300


def outcome(program: Path, under: str) -> str:
    """What a program comes to, as JSON text; the end of what it printed, if it fails."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, str(HERE / "play.py"), str(program), under, directory]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("OUTCOME "):
            return line.removeprefix("OUTCOME ")
    return f"failed: {(done.stdout + done.stderr)[-600:]}"


def main() -> int:
    """Print a line for each; exit status 1 if one differs or fails."""
    wrong = 0
    for program in PROGRAMS:
        began = time.perf_counter()
        with ThreadPoolExecutor(2) as both:  # each mostly waits
            theirs, ours = both.map(outcome, (program, program), ("celery", "hourwheel"))
        if theirs.startswith("failed"):  # its broker in memory loses a race now and then on a loaded machine
            theirs = outcome(program, "celery")
        same = theirs == ours and not ours.startswith("failed")
        wrong += not same
        print(f"{'same' if same else 'DIFFERENT':9} {program.stem:18} {time.perf_counter() - began:5.1f} s", flush=True)
        if not same:
            print(f"  Celery:    {theirs}\n  Hourwheel: {ours}")
    print(f"{len(PROGRAMS)} programs, {wrong} different")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
