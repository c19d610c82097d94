"""``hourwheel backup`` and ``hourwheel move``; what they do to files is in tests/unit/store/file/test_backup.py."""

from __future__ import annotations

import json
from pathlib import Path

from hourwheel.store import JsonStore

from .conftest import Run


def test_a_backup_says_what_it_holds_and_is_a_store(run: Run, store: Path) -> None:
    status, out, err = run("backup", store, "copy.json")
    assert (status, err) == (0, "")
    assert "3 scheduled, 1 running, 2 finished" in out
    assert "read back and sound" in out
    assert run("check", "copy.json")[0] == 0
    assert run("jobs", "copy.json")[1] == run("jobs", store)[1]


def test_a_backup_is_told_to_programs(run: Run, store: Path, tmp_path: Path) -> None:
    told = json.loads(run("backup", store, "copy.json", "--json")[1])
    size = (tmp_path / "copy.json").stat().st_size
    path = str(tmp_path / "copy.json")
    assert told == {"path": path, "bytes": size, "scheduled": 3, "running": 1, "finished": 2}


def test_yesterdays_backup_is_kept_unless_it_is_given_up(run: Run, store: Path) -> None:
    run("backup", store, "copy.json")
    status, _, err = run("backup", store, "copy.json")
    assert (status, "--force" in err) == (2, True)
    assert run("backup", store, "copy.json", "--force")[0] == 0


def test_a_store_is_moved_and_the_old_path_is_free(run: Run, store: Path) -> None:
    before = run("jobs", store)[1]
    status, out, _ = run("move", store, "new.json")
    assert (status, "read back and sound" in out) == (0, True)
    assert run("jobs", "new.json")[1] == before
    assert "there is no store at" in run("stats", store)[2]


def test_a_store_in_use_is_not_moved(run: Run, store: Path) -> None:
    worker = JsonStore(store, durability="os")
    worker.claim("web-7", 0, 0)
    status, _, err = run("move", store, "new.json")
    assert (status, "web-7" in err, Path("new.json").exists()) == (2, True, False)
    worker.close()
