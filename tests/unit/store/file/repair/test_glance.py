"""A glance names the same places as a survey, and keeps nothing."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hourwheel.store import JsonStore
from hourwheel.store.file.repair import glance, survey

from tests.unit.store.file.repair.conftest import NOW_MS, Made, job


@pytest.mark.parametrize("what", [b'"id":"s4"', b'"task":"app.remind"', b'"due_ms":'])
def test_a_glance_names_the_places_that_a_survey_names(made: Made, what: bytes) -> None:
    made.damage(made.path, made.path.read_bytes().index(what) + 2, b"\x07\x07\x07")
    seen, found = glance(str(made.path)), survey(made.path)
    assert [(one.offset, one.length, one.job) for one in seen.damages] == [
        (one.offset, one.length, one.job) for one in found.damages
    ]


def test_a_glance_names_a_destroyed_record_and_no_unfinished_write(made: Made) -> None:
    data = made.journal.read_bytes()
    at = data.index(b'"op":"settle"')
    end = len(data.rstrip(b"\n")) + 1
    made.damage(made.journal, end, b"deadbeef 000123 {")
    assert glance(str(made.path)).damages == []
    made.damage(made.journal, at, b"#######")
    (damage,) = glance(str(made.path)).damages
    assert damage.offset < at < damage.offset + damage.length


def test_a_glance_at_a_large_store_does_not_hold_it_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    store = JsonStore(path, durability="os")
    store.add([job(f"job-{n}", NOW_MS + n, payload='[["%s"],{}]' % ("x" * 900)) for n in range(12_000)], 0, fresh=True)
    store.compact()
    store.close()
    size = path.stat().st_size
    assert size > 10 << 20
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b'"##"')
    tracemalloc.start()
    (damage,) = [one for one in glance(str(path)).damages if one.offset]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert damage.offset <= size // 2 < damage.offset + damage.length
    assert peak < size / 2, f"{peak:,} of {size:,} bytes"
