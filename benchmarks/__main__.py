"""``python -m benchmarks [--smoke] [--only NAME ...] [--json PATH]``: measure, and print a page of Markdown.

Progress goes to stderr. The exit status is 1 if a benchmark could not be run; bounds that are not met are in the table.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
import time
import traceback
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from . import machine
from .harness import Row, Sample, Scale, table

NAMES = {
    "os": "adding_os",
    "flat": "adding_flat",
    "sync": "adding_sync",
    "bulk": "bulk",
    "burst": "burst",
    "lateness": "lateness",
    "immediate": "immediate",
    "memory": "memory",
    "idle": "idle",
    "open": "opening",
    "compaction": "compaction",
    "retries": "retries",
    "schedules": "schedules",
    "asyncio": "pool_asyncio",
    "greenlets": "pool_greenlets",
    "processes": "pool_processes",
    "travel": "travel",
}

_PAGE = """# How fast

Made by `python -m benchmarks{options}` on {date}.{smoke} Each figure stands beside its floor (the least
that it can cost, done by hand) or a peer, measured in the same run, batch by batch in turn. Figures are medians of
several batches, [smallest-largest]; a ratio is the median of the ratios of each round. "os" and "sync" are the store's
durability: what survives kill -9, and what survives a power loss. The floor of an add is: encode 150 bytes, lock,
write, unlock; for sync the write goes into space allocated before, and an fdatasync follows.

{machine}

{table}

Measure it on your machine: `make bench` (some minutes), `make bench-smoke` (a minute, to see that it runs).
"""


def main() -> int:
    options = _options()
    scale_dir = options.dir or os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".cache")
    os.makedirs(scale_dir, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=scale_dir) as directory:
        scale = Scale(smoke=options.smoke, directory=directory)
        about = machine.describe(scale)
        rows, quiet, failed = _measure(scale, options.only or list(NAMES))
    about.append(_noise(quiet))
    print(_page(scale, about, rows))
    if options.json:
        _save(options.json, about, rows, quiet)
    if failed:
        print(f"could not be run: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _page(scale: Scale, about: list[str], rows: list[Row]) -> str:
    return _PAGE.format(
        date=datetime.now(UTC).date(),
        options=" --smoke" if scale.smoke else "",
        smoke=" The sizes are small, and nothing is judged." if scale.smoke else "",
        machine="\n".join(f"- {line}" for line in about),
        table=table(rows, judged=not scale.smoke),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure Hourwheel beside floors and peers."
    )
    parser.add_argument("--smoke", action="store_true", help="small sizes, in a minute; nothing is judged")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"some of {', '.join(NAMES)}")
    parser.add_argument("--json", metavar="PATH", help="also write the rows there as JSON")
    parser.add_argument("--dir", metavar="DIR", help="keep the stores there meanwhile; by default in .cache/")
    return parser.parse_args()


def _measure(scale: Scale, names: list[str]) -> tuple[list[Row], list[dict[str, Any]], list[str]]:
    """(rows, how quiet the machine was before and after each benchmark, names of those that failed)."""
    rows: list[Row] = []
    quiet: list[dict[str, Any]] = []
    failed: list[str] = []
    for name in names:
        before, begun = (machine.load(), machine.calibrate()), time.monotonic()
        try:
            found: list[Row] = importlib.import_module(f"benchmarks.{NAMES[name]}").rows(scale)
        except Exception:
            traceback.print_exc()
            failed.append(name)
            continue
        took = time.monotonic() - begun
        rows += found
        after = (machine.load(), machine.calibrate())
        quiet.append({"name": name, "seconds": took, "load": [before[0], after[0]], "loop_ms": [before[1], after[1]]})
        print(f"{name}: {took:.0f} s, load {before[0]:.1f} -> {after[0]:.1f}", file=sys.stderr)
        for row in found:
            print(f"  {row.what}: {row.figure} | {row.beside} | {row.measure}", file=sys.stderr, flush=True)
    return rows, quiet, failed


def _noise(quiet: list[dict[str, Any]]) -> str:
    if not quiet:
        return "nothing was measured"
    loads = [load for one in quiet for load in one["load"]]
    loop = Sample(tuple(ms for one in quiet for ms in one["loop_ms"]))
    return f"noise: load {min(loads):.1f} to {max(loads):.1f} meanwhile; a fixed loop took {loop.show(' ms', 1)}"


def _save(path: str, about: list[str], rows: list[Row], quiet: list[dict[str, Any]]) -> None:
    document = {"machine": about, "rows": [asdict(row) | {"met": row.met} for row in rows], "runs": quiet}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    sys.exit(main())
