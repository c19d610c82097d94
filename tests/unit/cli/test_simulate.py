"""``hourwheel simulate``: a forecast for a store, which is not touched, or for described calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hourwheel.store import JsonStore

from .conftest import MINUTE_MS, NOW_MS, Run, job


@pytest.fixture
def busy(tmp_path: Path) -> Path:
    """Two hundred jobs within ten minutes, of two tasks."""
    path = tmp_path / "busy.json"
    opened = JsonStore(path, durability="os")
    opened.add([job(f"job-{n}", NOW_MS + n * 3000, task="mail" if n % 4 else "bill") for n in range(200)], 0)
    opened.close()
    return path


def files_of(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir()}


def test_a_store_is_simulated_and_none_of_its_files_is_touched(run: Run, busy: Path) -> None:
    before = files_of(busy.parent)
    status, out, err = run("simulate", busy, "--workers", 2, "--duration", "1s")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"store      {busy}"
    assert lines[1] == "load       200 jobs due within 1d"
    assert lines[2] == "world      1 node of 2 workers, seed 0"
    assert lines[3] == "runs       200 started"
    assert lines[4].startswith("lateness   half ")
    assert lines[-1].startswith("sound: nothing lost")
    assert files_of(busy.parent) == before


def test_a_store_that_another_process_has_open_is_simulated_all_the_same(run: Run, busy: Path) -> None:
    with_lock = JsonStore(busy)
    with_lock._keeper.newest.lock.acquire()
    try:
        assert json.loads(run("simulate", busy, "--json")[1])["jobs"] == 200
    finally:
        with_lock._keeper.newest.lock.release()
        with_lock.close()


def test_the_same_seed_says_the_same_and_another_one_says_something_else(run: Run, busy: Path) -> None:
    first, again, other = (run("simulate", busy, "--seed", seed)[1] for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_a_downtime_shows_as_lateness(run: Run, busy: Path) -> None:
    told = json.loads(run("simulate", busy, "--down", "5m", "--duration", "100ms", "--json")[1])
    assert told["sound"] is True
    assert told["store"] == str(busy)
    assert 5 * MINUTE_MS <= told["max_ms"] < 6 * MINUTE_MS
    assert told["backlog"] == 101
    assert sum(minute["begun"] for minute in told["minutes"]) == 200


def test_crashes_make_runs_begin_again_and_lose_nothing(run: Run, busy: Path) -> None:
    words = ("--nodes", 2, "--duration", "20s", "--crash-every", "1m", "--seeds", 3, "--json")
    told = json.loads(run("simulate", busy, *words)[1])
    assert told["violations"] == []
    assert told["deaths"] > 5
    assert told["again"] > 5
    assert told["begun"] == 600 + told["again"]


def test_a_task_may_have_a_duration_of_its_own(run: Run, busy: Path) -> None:
    quick, slow = (
        json.loads(run("simulate", busy, "-c", 1, "-d", "1ms", "-d", f"bill={length}", "--json")[1])
        for length in ("1ms", "40s")
    )
    assert quick["p99_ms"] < 100
    assert slow["p99_ms"] > MINUTE_MS


def test_described_calls_need_no_store(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("simulate", "--add", "mail=60/1m+2m", "--within", "5m")
    assert status == 0
    assert out.startswith("load       1")
    assert "from" in out
    assert list(tmp_path.iterdir()) == []


def test_an_empty_store_has_an_empty_forecast(run: Run, tmp_path: Path) -> None:
    JsonStore(tmp_path / "new.json").close()
    status, out, _ = run("simulate", "new.json")
    assert status == 0
    assert "backlog    0 jobs at most\n" in out


@pytest.mark.parametrize(
    "load", ["mail", "mail=", "mail=x/1m", "mail=0/1m", "mail=3", "mail=3/x", "mail=3/1m+x", "=3/1m"]
)
def test_a_wrong_load_is_explained(run: Run, load: str) -> None:
    status, _, err = run("simulate", "--add", load)
    assert status == 2
    assert "must be" in err


def test_a_load_of_no_time_is_refused(run: Run) -> None:
    status, _, err = run("simulate", "--add", "mail=3/0s")
    assert status == 2
    assert "per must be" in err


def test_there_must_be_a_store(run: Run) -> None:
    assert run("simulate", "none.json")[0] == 2


def test_a_narrow_terminal_goes_without_the_table(run: Run, busy: Path, terminal) -> None:
    terminal(40)
    out = run("simulate", busy)[1]
    assert "too narrow" in out
    assert max(map(len, out.splitlines())) <= 40
