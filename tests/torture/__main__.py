"""`python -m tests.torture`: run the campaigns and print one table; exit 1 if anything was wrong."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from . import table
from .campaigns import CAMPAIGNS, forecast_s
from .pace import slowness
from .run import LANES, Ended, Run, run_as_child

PAGE = Path("docs/reliability.md")
_BEGIN, _END = "<!-- the table that `make torture` writes -->", "<!-- end of the table -->"


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for."""
    options = _parser().parse_args(arguments)
    by_name = {campaign.name: campaign for campaign in CAMPAIGNS}
    if options.child:
        run_as_child(by_name[options.child], options.size, options.seed)
        return 0
    chosen = [by_name[name] for name in options.only] if options.only else list(CAMPAIGNS)
    began = time.monotonic()
    print(f"{len(chosen)} campaigns, size {options.size}, seed {options.seed}, {LANES} at a time", flush=True)
    slow, minutes = slowness(), forecast_s(chosen, options.size, LANES) / 60
    print(
        f"this machine takes {slow:.1f} times as long as that of {PAGE}: about {slow * minutes:.0f} minutes", flush=True
    )
    ended = Run(chosen, options.size, options.seed, _told).all()
    seconds = time.monotonic() - began
    _show(ended, seconds)
    failed = list(table.wrong(ended))
    if options.page and not failed:
        _write_page(ended, seconds, f"Size {options.size}, seed {options.seed}, {datetime.now(UTC):%Y-%m-%d}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    names = [campaign.name for campaign in CAMPAIGNS]
    parser.add_argument("--size", choices=["smoke", "ci", "full"], default="ci")
    parser.add_argument("--seed", type=int, default=1, help="of all random choices (default: 1)")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"some of: {', '.join(names)}")
    parser.add_argument("--page", action="store_true", help=f"write the table into {PAGE}")
    parser.add_argument("--child", choices=names, help=argparse.SUPPRESS)
    return parser


def _told(one: Ended) -> None:
    mark = "ok" if one.report.passed else "WRONG"
    print(f"{mark:5} {one.campaign.name}: {one.report.cases:,} cases, {one.seconds:.1f} s", flush=True)


def _show(ended: list[Ended], seconds: float) -> None:
    for title, shown in [
        ("Figures", table.figures(ended)),
        ("Seeded bugs", table.bugs(ended)),
        ("Campaigns", table.lines(ended, seconds)),
        ("Wrong", table.wrong(ended)),
    ]:
        found = list(shown)
        if found:
            print(f"\n{title}\n" + "\n".join(found), flush=True)


def _write_page(ended: list[Ended], seconds: float, what: str) -> None:
    text = PAGE.read_text()
    before, rest = text.split(_BEGIN)
    after = rest.split(_END)[1]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    shown = "\n".join(table.markdown(ended, seconds))
    caption = f"{what}, commit {commit.stdout.strip() or 'unknown'}, Python {sys.version.split()[0]}."
    PAGE.write_text(f"{before}{_BEGIN}\n\n{shown}\n\n{caption}\n\n{_END}{after}")


if __name__ == "__main__":
    sys.exit(main())
