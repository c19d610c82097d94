"""Defects in the reading of harmed files that tests/torture/rot and hostile_payloads found, named after their cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from noria.store import JsonStore
from noria.wheel.errors import StoreCorrupt

from tests.kit.jobs import a_job


def test_rot_over_length_and_beginning_of_the_last_record_does_not_drop_an_acknowledged_job(tmp_path: Path) -> None:
    path, journal = tmp_path / "tasks.json", tmp_path / "tasks.json.journal.1"
    store = JsonStore(path)
    store.add([a_job("first")], fresh=True)
    start = store._epoch.journal.end
    store.add([a_job("last")], fresh=True)
    store.close()
    data = bytearray(journal.read_bytes())
    data[start + 13 : start + 17] = b"ff  "  # a greater length, and no brace: 26 bits
    journal.write_bytes(data)
    with pytest.raises(StoreCorrupt) as caught:
        JsonStore(path)
    assert caught.value.offset == start
    assert journal.read_bytes() == bytes(data)
