"""A damaged snapshot: every job that can be read is read, and each damage has its place."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hourwheel.errors import StoreFormatError
from hourwheel.job import Job, State
from hourwheel.store import JsonStore
from hourwheel.store.file.repair.bitrot import flip
from hourwheel.store.file.repair.loose_snapshot import LooseSnapshot, read_snapshot
from hourwheel.testing import FakeClock

from .conftest import NOW_MS, Made, job


@pytest.fixture
def data(made: Made) -> bytes:
    return made.path.read_bytes()


def read(data: bytes) -> LooseSnapshot:
    return read_snapshot(data, "tasks.json")


def kinds(found: LooseSnapshot) -> list[str]:
    return [damage.kind for damage in found.damages]


def job_lines(data: bytes) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(rb'^\{"id":.*\n', data, re.MULTILINE)]


def test_a_sound_snapshot_is_read_without_a_word(data: bytes) -> None:
    found = read(data)
    assert found.damages == []
    assert sorted(found.jobs) == [f"s{i}" for i in range(10)]
    assert found.header is not None
    assert found.header.counts.accepted == 10


@pytest.mark.parametrize("rest", range(4))
def test_a_flipped_bit_anywhere_is_flipped_back(data: bytes, rest: int) -> None:
    whole = read(data)
    header = data.find(b"\n") * 8
    bits = [*range(rest * 9, header, 83), *range(header + rest * 3, len(data) * 8, 37)]
    for bit in bits:
        found = read(flip(data, bit))
        assert (found.jobs, found.header) == (whole.jobs, whole.header), bit
        assert [(damage.kind, damage.offset) for damage in found.damages] == [("mended", bit // 8)]


def test_a_flipped_bit_names_the_job_it_was_in(data: bytes) -> None:
    at = data.index(b'"task"', data.index(b'{"id":"s5"'))
    assert [damage.job for damage in read(flip(data, at * 8)).damages] == ["s5"]


@pytest.mark.parametrize("n", range(10))
def test_a_destroyed_line_takes_no_other_job_with_it(data: bytes, n: int) -> None:
    start, end = job_lines(data)[n]
    found = read(data[: start + 20] + b"\0" * (end - start - 25) + data[end - 5 :])
    assert len(found.jobs) == 9
    assert [(damage.kind, damage.offset) for damage in found.damages] == [("damaged", start)]


def test_two_jobs_run_together_when_the_line_feed_between_them_is_gone(data: bytes) -> None:
    start, end = next(span for span in job_lines(data) if data[span[1] - 2 : span[1]] == b",\n")
    for between in (b",#", b"##", b""):
        found = read(data[: end - 2] + between + data[end:-1] + b"  ")
        assert len(found.jobs) == 10, between
        assert set(kinds(found)) <= {"damaged"}


def test_what_is_nested_in_a_broken_job_is_no_job(tmp_path: object) -> None:
    evil = job("evil", NOW_MS, payload='[[{"id":"inner","due_ms":1,"task":"app.evil"}],{}]')
    store = JsonStore(f"{tmp_path}/evil.json", clock=FakeClock(NOW_MS))
    store.add([evil], 0)
    store.compact()
    store.close()
    with open(f"{tmp_path}/evil.json", "rb") as file:
        data = file.read()
    assert read(data.replace(b'"task":"app.remind"', b'"task":!!!.remind"')).jobs == {}


@pytest.mark.parametrize("cut", range(5, 100, 5))
def test_a_snapshot_that_was_cut_gives_the_lines_before_the_cut(data: bytes, cut: int) -> None:
    short = data[: len(data) * cut // 100]
    whole = [end for _, end in job_lines(data) if end <= len(short)]
    found = read(short)
    assert len(whole) <= len(found.jobs) <= len(whole) + 1  # a job may end where the file does
    assert kinds(found)
    assert set(kinds(found)) == {"damaged"}


def test_a_destroyed_header_costs_no_job(data: bytes) -> None:
    end = data.index(b"\n")
    found = read(b"#" * end + data[end:])
    assert (found.header, len(found.jobs)) == (None, 10)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b'[[1,"x"],{}]', b'[[2,"x"],{}]', 1).replace(b'[[1,"x"],{}]', b'[[3,"x"],{}]', 1),
        lambda data: data.replace(b'","', b'" , "').replace(b'":{', b'" : {'),
    ],
)
def test_an_edited_snapshot_is_read_and_called_edited(data: bytes, change: Callable[[bytes], bytes]) -> None:
    found = read(change(data))
    assert len(found.jobs) == 10
    [damage] = found.damages
    assert "edited" in damage.reason


def test_a_job_in_the_wrong_place_is_kept_and_reported(data: bytes) -> None:
    start, _ = next(span for span in job_lines(data) if b'"id":"s7"' in data[slice(*span)])
    changed = data[:start] + data[start:].replace(b'"due_ms":19', b'"due_ms":20', 1)
    found = read(changed.replace(b'"ring":{', b'"rong":{'))
    moved = found.jobs["s7"]
    assert b'"due_ms":20' in (moved if isinstance(moved, bytes) else b"")
    assert any("but is due at 20" in damage.reason and damage.job == "s7" for damage in found.damages)


def test_a_job_that_stands_twice_is_kept_once(data: bytes) -> None:
    start, end = job_lines(data)[0]
    found = read(data[:end] + data[start:end] + data[end:])
    assert len(found.jobs) == 10
    assert any("before" in damage.reason for damage in found.damages)


def test_only_scheduled_jobs_as_the_store_writes_them_stay_text(data: bytes) -> None:
    found = read(data)
    texts = {id for id, row in found.jobs.items() if isinstance(row, bytes)}
    rest = {id: row.state for id, row in found.jobs.items() if isinstance(row, Job)}
    assert texts == {f"s{i}" for i in range(3, 10)}
    assert rest == {"s0": State.SUCCEEDED, "s1": State.RUNNING, "s2": State.FAILED}


@pytest.mark.parametrize("data", [b"", b"\n", b"hello", b"[]", b"{}", bytes(5000), b"\xff" * 5000, b'{"id":"a"}\n'])
def test_what_is_no_snapshot_has_no_jobs(data: bytes) -> None:
    found = read(data)
    assert (found.header, found.jobs) == (None, {})
    assert found.damages


def test_a_snapshot_of_a_newer_hourwheel_is_not_judged(data: bytes) -> None:
    with pytest.raises(StoreFormatError, match="newer Hourwheel"):
        read(data.replace(b'"min_reader":1', b'"min_reader":7'))


# ---- large files: other damage could look like one flipped bit -----------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("large") / "tasks.json"
    store = JsonStore(path, durability="os", clock=FakeClock(NOW_MS))
    store.add([job(f"j{i}", NOW_MS + i) for i in range(6000)], 0, fresh=True)
    store.compact()
    store.close()
    return path.read_bytes()


@pytest.mark.parametrize("words", [b'"task"', b"[[1,", b"\n{"])
def test_in_a_large_file_a_flip_that_broke_a_line_is_flipped_back(large: bytes, words: bytes) -> None:
    at = large.index(words, len(large) // 2)
    found = read(flip(large, at * 8))
    assert (len(found.jobs), kinds(found), found.proved) == (6000, ["mended"], True)


def test_in_a_large_file_a_flip_that_cannot_be_told_from_an_edit_is_left_alone(large: bytes) -> None:
    at = large.index(b"remind", len(large) // 2)
    found = read(flip(large, at * 8))
    assert (len(found.jobs), kinds(found), found.proved) == (6000, ["damaged"], False)


def test_in_a_large_file_a_flip_of_the_header_is_flipped_back(large: bytes) -> None:
    for words in (b'"seq":', b'"length":', b'"crc":"', b'"counts"'):
        at = large.index(words) + len(words)
        found = read(flip(large, at * 8 + 1))
        assert (kinds(found), found.proved, found.damages[0].offset) == (["mended"], True, at)
