"""Defects in the reading of harmed files that tests/torture/rot and hostile_payloads found, named after their cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hourwheel.cli import main
from hourwheel.errors import InvalidValue, StoreCorrupt, StoreError
from hourwheel.store import JsonStore
from hourwheel.store.file.format.lines import frame
from hourwheel.store.state.records import decode_record

from tests.kit.jobs import a_job, content, epoch_of
from tests.torture.hostile_payloads.stores import resealed

pytestmark = pytest.mark.usefixtures("not_folded")


def test_rot_over_length_and_beginning_of_the_last_record_does_not_drop_an_acknowledged_job(tmp_path: Path) -> None:
    path, journal = tmp_path / "tasks.json", tmp_path / "tasks.json.journal.1"
    store = JsonStore(path)
    store.add([a_job("first")], 0, fresh=True)
    start = epoch_of(store).journal.end
    store.add([a_job("last")], 0, fresh=True)
    store.close()
    data = bytearray(journal.read_bytes())
    data[start + 13 : start + 17] = b"ff  "  # a greater length, and no brace: 26 bits
    journal.write_bytes(data)
    with pytest.raises(StoreCorrupt) as caught:
        JsonStore(path)
    assert caught.value.offset == start
    assert journal.read_bytes() == bytes(data)


def test_a_record_whose_line_feed_and_all_behind_it_came_back_as_zeros_is_not_dropped(tmp_path: Path) -> None:
    path, journal = tmp_path / "tasks.json", tmp_path / "tasks.json.journal.1"
    store = JsonStore(path)
    store.add([a_job("first"), a_job("last")], 0)
    end = epoch_of(store).journal.end
    store.close()
    data = journal.read_bytes()
    journal.write_bytes(data[: end - 1] + bytes(len(data) - end + 1))
    store = JsonStore(path)
    store.add([a_job("next")], 0)
    store.close()
    store = JsonStore(path)
    assert sorted(content(store)) == ["first", "last", "next"]
    store.close()


@pytest.mark.parametrize(
    "field",
    [
        {"priority": 10**4400},
        {"due_ms": 1 << 64},
        {"expires_ms": 10**400},
        {"token": 7},
        {"owner": "me"},
        {"returned": "{"},
        {"extra": "["},
        {"finished_ms": "now"},
        {"error": [[]]},
    ],
    ids=lambda field: next(iter(field)),
)
def test_a_job_made_by_hand_with_an_odd_field_is_refused_before_it_makes_the_store_unreadable(
    tmp_path: Path, field: dict[str, Any]
) -> None:
    store = JsonStore(tmp_path / "tasks.json")
    with pytest.raises(InvalidValue):
        store.add([a_job("odd")._replace(**field)], 0)
    assert content(store) == {}
    store.close()


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("value", [10**5000, Unshowable(), [Unshowable()]], ids=["huge", "odd", "odd within"])
def test_an_option_that_cannot_be_shown_is_refused_as_any_other(value: object) -> None:
    with pytest.raises(InvalidValue, match="that cannot be shown"):
        raise InvalidValue.of("priority", "a whole number", value)


def a_store_with(path: Path, change: Callable[[bytes], bytes]) -> None:
    """A store with one job in its snapshot, the text of which was changed behind a checksum that is right."""
    store = JsonStore(path)
    store.add([a_job("a", payload='[["x"],{}]')], 0)
    store.compact()
    store.close()
    path.write_bytes(resealed(change(path.read_bytes())))
    for index in path.parent.glob("*.index.*"):
        index.unlink()


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b'"payload":', b'"priority":"high","payload":'),
        lambda data: data.replace(b'"task":', b'"task"'),
        lambda data: data.replace(b'"due_ms":1', b'"due_ms":' + b"1" * 40),
        lambda data: data.replace(b'"payload":', b'"error":5,"payload":'),
        lambda data: data.replace(b'"payload":', b'"created_ms":1e400,"payload":'),
    ],
)
def test_a_job_that_is_none_behind_a_right_checksum_is_an_error_of_ours_and_does_not_crash_the_program(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "tasks.json"
    a_store_with(path, change)
    with pytest.raises(StoreError):
        JsonStore(path).scan()
    assert main(["jobs", str(path)]) == 2


def test_a_journal_header_that_is_no_json_behind_a_right_checksum_is_damage(tmp_path: Path) -> None:
    path, journal = tmp_path / "tasks.json", tmp_path / "tasks.json.journal.1"
    JsonStore(path).close()
    journal.write_bytes(frame('{"journal":hourwheel}') + b"\n" * 512)
    with pytest.raises(StoreCorrupt, match="header is not JSON"):
        JsonStore(path)


@pytest.mark.parametrize("fields", [{"op": [[]]}, {"op": "settle"}, {"op": "settle", "now_ms": 1, "items": 7}, {}])
def test_a_record_that_is_none_is_refused_in_one_way_whatever_is_wrong_with_it(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unknown operation|not a settle record"):
        decode_record(fields)
