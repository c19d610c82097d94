"""What the end of a journal can look like, case by case: kept, cut, or refused as damage to what was acknowledged."""

from __future__ import annotations

from zlib import crc32

import pytest
from hourwheel.errors import StoreError
from hourwheel.store.file.format import lines
from hourwheel.store.file.format.lines import (
    SECTOR,
    classify,
    frame,
    frame_add,
    frame_change,
    is_prefix,
    is_sound,
    split,
)

ONE = frame('{"seq":1,"op":"x"}')
OPEN = frame('{"seq":1,"op":"x"}', more=True)
BLANK = b"\n" * 700
WRONG = "the checksum of a record does not match"
NONE = "this is not a record"


def line_of(body: bytes) -> bytes:
    """A line whose checksum is right, whatever it says."""
    return b"%08x%b" % (crc32(body), body)


def flipped(line: bytes, at: int) -> bytes:
    return line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]


# ---- what is long ----------------------------------------------------------------------------------------


def test_a_record_may_be_exactly_as_long_as_its_length_can_say_and_not_a_byte_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert lines._LONGEST == 16**6 - 1
    monkeypatch.setattr(lines, "_LONGEST", 40)
    fits, job = "x" * 40, b"x" * (40 - len('{"seq":7,"op":"add","job":}'))
    assert is_sound(frame(fits)[:-1])
    assert is_sound(frame_add(7, job)[:-1])
    with pytest.raises(StoreError, match="at most 40 bytes, got 41 for x"):
        frame(fits + "x")
    with pytest.raises(StoreError, match="at most 40 bytes, got 41"):
        frame_add(7, job + b"x")


def test_the_error_for_a_long_record_shows_how_it_begins_and_not_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_LONGEST", 100)
    with pytest.raises(StoreError) as raised:
        frame("a" * 80 + "b" * 80)
    assert str(raised.value).endswith("for " + "a" * 80 + "...")


# ---- changes of many lines -------------------------------------------------------------------------------


@pytest.mark.parametrize("records", [0, 1, 2])
@pytest.mark.parametrize("jobs", [0, 1, 3])
def test_a_change_is_read_back_as_one_with_its_records_first_and_its_jobs_numbered_on(records: int, jobs: int) -> None:
    texts = [f'{{"seq":{5 + number}}}' for number in range(records)]
    job_texts = [f'{{"id":"{number}"}}' for number in range(jobs)]
    if not texts and not job_texts:
        return
    data = frame_change(texts, 5 + records, [text.encode() for text in job_texts])
    expected = [*texts, *(f'{{"seq":{5 + records + n},"op":"add","job":{text}}}' for n, text in enumerate(job_texts))]
    [batch], end = split(data + ONE[:9], 100)
    assert [text.decode() for text in batch.texts] == expected
    assert end == batch.end == 100 + len(data)


def test_reading_stops_at_the_first_line_that_is_empty_or_wrong_and_says_where() -> None:
    for behind in (b"", b"\n", b"\n" + ONE, flipped(ONE, 3), ONE[:-1], OPEN, OPEN + b"\n" + ONE):
        batches, end = split(frame_change(['{"seq":1}', '{"seq":2}']) + ONE + behind, 7)
        assert [len(batch.texts) for batch in batches] == [2, 1]
        assert end == batches[-1].end == 7 + len(frame_change(['{"seq":1}', '{"seq":2}']) + ONE)


def test_a_line_of_nothing_but_a_checksum_is_no_record_though_that_is_right() -> None:
    assert not is_sound(b"")
    assert not is_sound(line_of(b""))
    assert not is_sound(line_of(b" 000000 "))
    assert is_sound(line_of(b" 000001 1"))
    assert split(line_of(b" 000000 ") + b"\n", 0) == ([], 0)


# ---- the verdict -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 100, SECTOR - 1, SECTOR])
@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (b"", ("clean", "")),
        (BLANK, ("clean", "")),
        (b"\0" * 700, ("clean", "")),
        (b"\n\0" * 700, ("clean", "")),
        (ONE[:-1], ("unended", "")),
        (OPEN[:-1], ("torn", "an unfinished change")),
        (OPEN + ONE[:-1], ("unended", "")),
        (OPEN + OPEN[:-1], ("torn", "an unfinished change")),
        (OPEN + BLANK, ("torn", "unwritten sectors")),
        (OPEN, ("torn", "unwritten sectors")),
        (ONE[:3], ("torn", "an unfinished line")),
        (ONE[:16] + BLANK, ("torn", "an unfinished line")),
        (ONE[:25] + BLANK, ("torn", "an unfinished line")),
        (OPEN + ONE[:25] + BLANK, ("torn", "an unfinished line")),
        (flipped(ONE, 20) + BLANK, ("damaged", WRONG)),
        (flipped(ONE, 20)[:-1], ("damaged", WRONG)),
        (flipped(ONE, 2) + BLANK, ("damaged", WRONG)),
        (OPEN + flipped(ONE, 20) + BLANK, ("damaged", WRONG)),
        (ONE[:10] + b"\n" + ONE + BLANK, ("damaged", NONE)),
        (ONE[:25] + b"\n" + ONE + BLANK, ("damaged", WRONG)),
        (ONE[:16] + b"\n" + ONE + BLANK, ("damaged", NONE)),
        (OPEN + ONE[:10] + b"\n" + ONE + BLANK, ("damaged", NONE)),
        (ONE[:-1] + b"x", ("damaged", WRONG)),
        (ONE[:-1] + b"\0" * 700, ("unended", "")),
        (OPEN[:-1] + b"\0" * 700, ("torn", "unwritten sectors")),
        (ONE[:-1] + b"\0" + ONE[:20] + BLANK, ("torn", "an unfinished line")),
    ],
)
def test_the_end_of_a_journal_is_judged_alike_wherever_in_the_file_it_lies(
    data: bytes, verdict: tuple[str, str], offset: int
) -> None:
    found = classify(data, offset)
    if found[0] == "torn" and verdict[0] == "torn":
        assert found[1] in (verdict[1], "unwritten sectors")
    else:
        assert found == verdict


def test_a_hole_as_wide_as_its_sector_is_an_unwritten_one_and_a_narrower_one_is_damage() -> None:
    offset = 100
    to_the_next = SECTOR - offset
    for at, hole, verdict in [
        (0, to_the_next, "torn"),
        (0, to_the_next - 1, "damaged"),
        (0, to_the_next + SECTOR, "torn"),
        (0, to_the_next + 3, "torn"),
    ]:
        assert classify(b"\n" * (at + hole) + ONE + BLANK, offset)[0] == verdict, (at, hole)
    assert classify(b"\n" * SECTOR + ONE, 0)[0] == "torn"
    assert classify(b"\n" * (SECTOR - 1) + ONE, 0)[0] == "damaged"
    assert classify(b"\n" * (SECTOR - 1) + ONE, SECTOR)[0] == "damaged"
    assert classify(b"\n" * 1 + ONE, 2 * SECTOR - 1)[0] == "torn"


def test_a_line_whose_later_sectors_were_not_written_is_torn_only_if_it_breaks_off_at_a_sector() -> None:
    long = frame('{"seq":1,"text":"' + "x" * 2000 + '"}')
    offset = 100
    for sectors in (1, 2):
        seam = sectors * SECTOR - offset
        hole = b"\n" * SECTOR
        assert classify(long[:seam] + hole + long[seam + SECTOR :] + BLANK, offset) == ("torn", "unwritten sectors")
        early, late = long[: seam - 1] + b"\n" + hole, long[: seam + 1] + hole[1:]
        assert classify(early + long[seam + SECTOR :] + BLANK, offset)[0] == "damaged"
        assert classify(late + long[seam + SECTOR :] + BLANK, offset)[0] == "damaged"
        narrow = long[:seam] + hole[:-1] + long[seam + SECTOR - 1 :]
        assert classify(narrow + BLANK, offset)[0] == "damaged"


# ---- what was broken off ---------------------------------------------------------------------------------


def test_any_beginning_of_a_record_is_one_that_was_broken_off_and_the_whole_is_not() -> None:
    line = frame('{"seq":12,"op":"cancel","ids":["a","b"]}')[:-1]
    for length in range(len(line)):
        assert is_prefix(line[:length]), length
    assert not is_prefix(line)
    assert not is_prefix(line + b"x")
    assert not is_prefix(line[:-1] + b"]")
    assert is_prefix(b"x" * 16)


def test_the_beginning_of_a_record_of_megabytes_is_one_that_was_broken_off_too() -> None:
    line = frame('{"seq":1,"text":"' + "x" * 0x100000 + '"}')
    assert is_prefix(line[:-1000])


def test_a_record_shorter_than_it_says_is_not_called_unfinished_if_it_is_json_or_never_began_as_one() -> None:
    text = '{"seq":12,"op":"cancel","ids":["a","b"]}'
    line = frame(text)[:-1]
    assert is_prefix(line[:-1])
    assert not is_prefix(line[:14] + b"f" + line[15:]) or len(text) == 15
    longer = line[:9] + b"0000ff" + line[15:]
    assert not is_prefix(longer)
    assert not is_prefix(line[:9] + b"00zz28" + line[15:-1])
    assert not is_prefix(line[:15] + b"x" + line[16:-1])
    assert not is_prefix(line[:16] + b"x" + line[17:-1])
    shorter = line[:9] + b"000010" + line[15:-1]
    assert not is_prefix(shorter)
