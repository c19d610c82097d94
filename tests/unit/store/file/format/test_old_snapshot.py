"""A snapshot that was put back from a copy, beside the journal of a later epoch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hourwheel.errors import StoreCorrupt
from hourwheel.job import Job
from hourwheel.store import JsonStore

pytestmark = pytest.mark.usefixtures("not_folded")


def test_an_old_snapshot_beside_a_newer_journal_is_refused_and_what_the_journal_has_is_not_forgotten(
    tmp_path: Path,
) -> None:
    path, copy = tmp_path / "tasks.json", tmp_path / "copy"
    store = JsonStore(path, durability="os")
    store.add([Job(id="a", task="t", due_ms=1)], 0)
    shutil.copy(path, copy)
    store.compact()
    store.add([Job(id="b", task="t", due_ms=2)], 0)
    store.close()
    newest = path.read_bytes()
    shutil.copy(copy, path)
    with pytest.raises(StoreCorrupt, match="the snapshot is an older one"):
        JsonStore(path)
    path.write_bytes(newest)
    store = JsonStore(path)
    assert {job.id for job in store.scan()} == {"a", "b"}
    store.close()
