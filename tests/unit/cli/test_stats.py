"""``hourwheel stats`` and ``hourwheel ring``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hourwheel.store import JsonStore

from .conftest import DAY_MS, NOW_MS, Run


def test_stats_count_and_balance(run: Run, store: Path) -> None:
    told = json.loads(run("stats", store, "--json")[1])
    assert told["store"] == str(store)
    counts = {name: told[name] for name in ("accepted", "scheduled", "overdue", "running", "succeeded", "failed")}
    assert counts == {"accepted": 6, "scheduled": 3, "overdue": 1, "running": 1, "succeeded": 1, "failed": 1}
    assert told["next_due"] == "2030-03-17T17:43:38.250Z"


def test_stats_for_people_say_when_the_next_job_comes(run: Run, store: Path) -> None:
    status, out, _ = run("stats", store)
    told = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert status == 0
    assert told["store"] == str(store)
    assert told["scheduled"] == "3  the first 3m 2s late, 2030-03-17 17:43:38 UTC"
    assert told["overdue"] == "1  of the scheduled ones"
    assert told["hand"].endswith("of 3,600 slots, swept up to 2030-03-17 17:46:35 UTC (5s ago)")


def test_stats_of_a_store_that_nobody_has_swept(run: Run, tmp_path: Path) -> None:
    JsonStore(tmp_path / "new.json").close()
    out = run("stats", "new.json")[1]
    assert "never swept" in out
    assert "the first" not in out


def test_ring_draws_the_jobs_of_the_coming_hour(run: Run, store: Path) -> None:
    status, out, _ = run("ring", store)
    rows = out.splitlines()
    assert status == 0
    assert rows[0].startswith("jobs due within 1h")
    assert len(rows) == 12
    assert rows[-1].endswith("2 jobs")


def test_ring_can_look_further(run: Run, store: Path) -> None:
    assert run("ring", store, "--within", "2d")[1].splitlines()[-1].endswith("3 jobs")


def test_ring_json_has_every_slot(run: Run, store: Path) -> None:
    told = json.loads(run("ring", store, "--within", "2d", "--json")[1])
    assert (len(told["density"]), sum(told["density"]), told["within_ms"]) == (3600, 3, 2 * DAY_MS)
    assert told["density"][(NOW_MS + 872_000) // 1000 % 3600] == 1


def test_ring_svg_goes_to_a_file(run: Run, store: Path, tmp_path: Path) -> None:
    status, out, _ = run("ring", store, "--svg", "ring.svg")
    assert (status, out) == (0, "ring.svg: 2 jobs due within 1h\n")
    assert (tmp_path / "ring.svg").read_text().startswith("<svg")


def test_a_picture_that_cannot_be_written_is_an_error(run: Run, store: Path) -> None:
    status, _, err = run("ring", store, "--svg", "no/such/ring.svg")
    assert status == 2
    assert "no/such/ring.svg cannot be written: No such file" in err


@pytest.mark.parametrize("within", ["", "-1", "x"])
def test_a_wrong_span_is_explained(run: Run, store: Path, within: str) -> None:
    status, _, err = run("ring", store, f"--within={within}")
    assert status == 2
    assert "a duration must be" in err
