"""A damaged journal: all that can be proved of it is read, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hourwheel.errors import StoreFormatError
from hourwheel.store.file.format.lines import frame, frame_change
from hourwheel.store.file.repair.bitrot import flip
from hourwheel.store.file.repair.loose_journal import LooseJournal, read_journal

HEADER = '{"journal":"hourwheel","version":1,"store_id":"abc","epoch":3,"after":6}'
TEXTS = [
    '{"seq":7,"op":"add","job":{"id":"a","due_ms":1000,"task":"app.remind","created_ms":1,"payload":[[1,"J*"],{}]}}',
    '{"seq":8,"op":"add","job":{"id":"b","due_ms":2000,"task":"app.remind","created_ms":1,"payload":[[2,"x"],{}]}}',
    '{"seq":9,"op":"claim","owner":"w","now_ms":1000,"token":1,"ids":["a"]}',
    '{"seq":10,"op":"cancel","now_ms":1001,"ids":["b"]}',
]
LINES = [frame(HEADER), frame(TEXTS[0]), frame_change(TEXTS[1:3]), frame(TEXTS[3])]
WHOLE = b"".join(LINES)
DATA = WHOLE + b"\n" * 2048


def seqs(found: LooseJournal) -> list[int]:
    return [record.seq for record in found.records]


def starts() -> list[int]:
    """Where each line begins."""
    return [0, *(n + 1 for n, byte in enumerate(WHOLE) if byte == 10)][:-1]


def kinds(found: LooseJournal) -> list[str]:
    return [damage.kind for damage in found.damages]


def test_a_sound_journal_is_read_without_a_word() -> None:
    found = read_journal(DATA, "j")
    assert (seqs(found), found.damages) == ([7, 8, 9, 10], [])
    assert found.header is not None
    assert found.header["epoch"] == 3
    assert [record.more for record in found.records] == [False, True, False, False]


@pytest.mark.parametrize("rest", range(8))
def test_any_flipped_bit_is_flipped_back(rest: int) -> None:
    whole = read_journal(DATA, "j")
    for bit in range(rest, len(WHOLE) * 8, 8):
        found = read_journal(flip(DATA, bit), "j")
        assert [record.fields for record in found.records] == [record.fields for record in whole.records], bit
        assert found.header == whole.header
        assert [(damage.kind, damage.offset) for damage in found.damages] == [("mended", bit // 8)]


@pytest.mark.parametrize("n", range(1, 5))
def test_a_destroyed_record_takes_no_other_with_it(n: int) -> None:
    at = starts()[n]
    found = read_journal(DATA[: at + 30] + b"XXXXXXXX" + DATA[at + 38 :], "j")
    assert seqs(found) == [seq for seq in (7, 8, 9, 10) if seq != 6 + n]
    [damage] = found.damages
    assert (damage.kind, damage.offset, damage.seq) == ("damaged", at, 6 + n)


def test_a_damaged_record_is_named_by_its_job() -> None:
    at = starts()[1]
    found = read_journal(DATA[: at + 20] + b"??" + DATA[at + 22 :], "j")
    assert [damage.job for damage in found.damages] == ["a"]


def test_a_destroyed_header_costs_no_record() -> None:
    found = read_journal(b"?" * 40 + DATA[40:], "j")
    assert (found.header, seqs(found), kinds(found)) == (None, [7, 8, 9, 10], ["damaged"])


def test_a_zeroed_sector_takes_only_the_records_it_touches() -> None:
    start = starts()[2]
    found = read_journal(DATA[:start] + bytes(20) + DATA[start + 20 :], "j")
    assert seqs(found) == [7, 9, 10]
    assert set(kinds(found)) == {"damaged"}


@pytest.mark.parametrize("blank", [b"\n", b"\0", b""])
def test_cut_at_any_byte_the_whole_changes_before_the_cut_are_read_and_nothing_is_called_damage(blank: bytes) -> None:
    ends = {len(LINES[0]): [], len(LINES[0] + LINES[1]): [7]}
    ends[len(LINES[0] + LINES[1] + LINES[2])] = [7, 8, 9]
    ends[len(WHOLE)] = [7, 8, 9, 10]
    for cut in range(len(LINES[0]), len(WHOLE)):
        found = read_journal(WHOLE[:cut] + blank * (len(DATA) - cut), "j")
        assert seqs(found) == max((seqs for end, seqs in ends.items() if end - 1 <= cut), key=len), cut
        assert set(kinds(found)) <= {"unfinished"}, cut


def test_damage_in_the_last_record_is_damage_and_not_an_unfinished_write() -> None:
    at = starts()[-1]
    found = read_journal(DATA[: at + 30] + b"##" + DATA[at + 32 :], "j")
    assert (seqs(found), kinds(found)) == ([7, 8, 9], ["damaged"])
    assert found.damages[0].seq == 10


def test_rubbish_behind_the_end_is_nobodys_record() -> None:
    found = read_journal(WHOLE + b"\n" * 50 + b"rubbish" + b"\n" * 100, "j")
    assert (seqs(found), set(kinds(found))) == ([7, 8, 9, 10], {"unfinished"})


@pytest.mark.parametrize("text", ['{"op":"add"}', '{"seq":"7","op":"add"}', '{"seq":7}', "[1]", '{"seq":7,"op":3}'])
def test_a_sound_line_that_is_no_record_is_damage(text: str) -> None:
    found = read_journal(frame(HEADER) + frame(text), "j")
    assert (seqs(found), kinds(found)) == ([], ["damaged"])


def test_a_journal_of_a_newer_hourwheel_is_not_judged() -> None:
    with pytest.raises(StoreFormatError, match="newer Hourwheel"):
        read_journal(frame(HEADER.replace('"version":1', '"version":2')), "j")


@pytest.mark.parametrize("data", [b"", b"\n" * 4096, bytes(4096), b"x", b"\xff" * 5000, b"hello\nworld\n"])
def test_what_is_no_journal_has_no_records(data: bytes) -> None:
    found: Any = read_journal(data, "j")
    assert (found.header, found.records) == (None, [])
