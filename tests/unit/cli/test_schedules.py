"""``hourwheel schedules``."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from .conftest import NOW_MS, Run

APP = """
from hourwheel import Scheduler, crontab, every
from hourwheel.testing import FakeClock
app = Scheduler("s.json", clock=FakeClock({now}))
app.periodic(every(minutes=5), name="five")(lambda: None)
app.periodic(crontab("0 7 * * *"), name="seven")(lambda: None)
"""


def test_schedules_are_listed_with_their_next_fire(run: Run, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP.format(now=NOW_MS))
    sys.path.insert(0, str(tmp_path))
    app = importlib.import_module("shop").app
    app.run_due()
    app.pause_schedule("five")
    app.close()
    status, out, _ = run("schedules", "s.json")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == ["five", "seven"]
    assert out.splitlines()[0].endswith("paused")
    rows = json.loads(run("schedules", "-A", "shop", "--json")[1])
    assert [(row["name"], row["task"], row["unknown"]) for row in rows] == [
        ("five", "five", False),
        ("seven", "seven", False),
    ]
    assert rows[0]["next_ms"] % 300_000 == 0


def test_what_the_app_does_not_know_is_said_to_be_so_and_what_is_not_planted_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP.format(now=NOW_MS))
    (tmp_path / "newer.py").write_text(APP.format(now=NOW_MS).replace('"seven"', '"eight"'))
    sys.path.insert(0, str(tmp_path))
    app = importlib.import_module("shop").app
    app.run_due()
    app.close()
    lines = run("schedules", "-A", "newer")[1].splitlines()
    assert "no fire is pending" in lines[0]
    assert lines[2].endswith("unknown to the app")


def test_a_store_without_schedules_says_so(run: Run, store: Path) -> None:
    assert run("schedules", store)[1] == "no schedules\n"
    assert json.loads(run("schedules", store, "--json")[1]) == []
