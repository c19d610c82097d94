"""A snapshot that is not as it was written is refused, with the place and the reason, and nothing is left open."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hourwheel.errors import StoreCorrupt, StoreFormatError
from hourwheel.store.file.format.header import read_header
from hourwheel.store.file.format.snapshot import open_snapshot, verify
from hourwheel.store.file.system.system import SYSTEM

from tests.kit.jobs import NOW, a_job
from tests.kit.memory_system import MemorySystem
from tests.kit.recording import Recording, failing
from tests.kit.snapshots import PATH, data_of, opened, slots_of, written


def refused(system: MemorySystem, error: type[Exception], words: str) -> None:
    before = system.open_count()
    with pytest.raises(error, match=words):
        opened(system)
    assert system.open_count() == before


def with_header(change: tuple[bytes, bytes]) -> MemorySystem:
    """A snapshot in whose first line something stands instead of something else."""
    system = MemorySystem()
    written(system)
    line, _, rest = bytes(data_of(system)).partition(b"\n")
    assert change[0] in line
    data_of(system)[:] = line.replace(*change, 1) + b"\n" + rest
    return system


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ((b'{"format"', b'{"former"'), StoreFormatError, "is not an Hourwheel store"),
        ((b'"seq":7', b'"seq":'), StoreCorrupt, "the header is not JSON"),
        ((b'"min_reader":1', b'"min_reader":2'), StoreFormatError, "asks for format 2 or later, this is 1"),
        ((b'"min_reader":1', b'"min_reader":"1"'), StoreFormatError, "asks for format '1' or later"),
        ((b'"min_reader":1,', b""), StoreFormatError, "asks for format None"),
        ((b'"token":3,', b""), StoreCorrupt, "token in the header must be a whole number, 0 or more, got None;"),
        (
            (b'"accepted":5', b'"excepted":5'),
            StoreCorrupt,
            "counts in the header must be an object of whole numbers named",
        ),
        ((b'"token":3', b'"token":-1'), StoreCorrupt, "token in the header must be a whole number"),
        ((b'"token":3', b'"token":3.0'), StoreCorrupt, "token in the header must be a whole number"),
        ((b'"token":3', b'"token":true'), StoreCorrupt, "token in the header must be a whole number"),
        ((b'"accepted":5', b'"accepted":-1'), StoreCorrupt, "counts in the header must be"),
        ((b'"accepted":5', b'"accepted":"5"'), StoreCorrupt, "counts in the header must be"),
        ((b'"store_id":"s"', b'"store_id":7'), StoreCorrupt, "store_id in the header must be a string of plain ASCII"),
        (
            (b'"store_id":"s"', b'"store_id":"\\u00e9"'),
            StoreCorrupt,
            "store_id in the header must be a string of plain ASCII",
        ),
        (
            (b'"store_id":"s"', b'"store_id":"a\\"b"'),
            StoreCorrupt,
            "store_id in the header must be a string of plain ASCII",
        ),
        (
            (b'"store_id":"s"', b'"store_id":"a\\nb"'),
            StoreCorrupt,
            "store_id in the header must be a string of plain ASCII",
        ),
        ((b'"length"', b'"paused":"queue:a","length"'), StoreCorrupt, "paused in the header must be a list of strings"),
        ((b'"length"', b'"paused":[7],"length"'), StoreCorrupt, "paused in the header must be a list of strings"),
        (
            (b'"length"', b'"next_us":[],"length"'),
            StoreCorrupt,
            "next_us in the header must be an object of whole numbers",
        ),
        (
            (b'"length"', b'"next_us":{"a":-1},"length"'),
            StoreCorrupt,
            "next_us in the header must be an object of whole numbers",
        ),
        ((b'"token":3,"hand":9', b'"token":-3,"hand":-9'), StoreCorrupt, "token in the header must be"),
        ((b'"version":1', b'"version":2'), StoreCorrupt, "the checksum does not match"),
        ((b'"seq":7', b'"seq":8'), StoreCorrupt, "the checksum does not match"),
        ((b'"seq":7,', b'"seq": 7,'), StoreCorrupt, "the file has"),
    ],
)
def test_a_header_that_says_something_else_is_refused_and_why(
    change: tuple[bytes, bytes], error: type[Exception], words: str
) -> None:
    refused(with_header(change), error, words)


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b" ", b"  "])
def test_what_an_editor_puts_before_or_behind_the_first_line_is_an_edit_and_no_other_format(start: bytes) -> None:
    system = MemorySystem()
    written(system)
    data_of(system)[:0] = start
    refused(system, StoreCorrupt, "the file has")
    crlf = MemorySystem()
    written(crlf)
    line, _, rest = bytes(data_of(crlf)).partition(b"\n")
    data_of(crlf)[:] = line + b"\r\n" + rest
    refused(crlf, StoreCorrupt, "the file has")


def test_a_checksum_that_is_no_number_is_a_wrong_one() -> None:
    system = MemorySystem()
    written(system)
    line = bytes(data_of(system)).partition(b"\n")[0]
    crc = line[-10:-2]
    refused(with_header((crc, b"zzzzzzzz")), StoreCorrupt, "the checksum does not match")


def test_a_file_that_ends_within_its_first_line_is_refused() -> None:
    system = MemorySystem()
    for length, error in ((10, StoreFormatError), (105, StoreCorrupt), (200, StoreCorrupt)):
        written(system)
        del data_of(system)[length:]
        refused(system, error, "is not an Hourwheel store" if length == 10 else "the header is not JSON")
    written(system)
    line = bytes(data_of(system)).partition(b"\n")[0]
    data_of(system)[:] = line
    with pytest.raises(StoreCorrupt, match="ends within its first line") as raised:
        opened(system)
    assert raised.value.offset == len(line)


@pytest.mark.parametrize("cut", [1, 5, 700])
def test_a_file_that_was_cut_or_has_grown_is_refused_with_the_place(cut: int) -> None:
    system = MemorySystem()
    written(system)
    size = len(data_of(system))
    del data_of(system)[size - cut :]
    with pytest.raises(StoreCorrupt, match=f"the file has {size - cut} bytes, its header says {size}") as raised:
        opened(system)
    assert raised.value.offset == size - cut
    written(system)
    data_of(system).extend(b"\n" * cut)
    with pytest.raises(StoreCorrupt, match=f"the file has {size + cut} bytes, its header says {size}") as raised:
        opened(system)
    assert raised.value.offset == size


def test_a_flipped_bit_anywhere_is_refused_however_long_the_file() -> None:
    system = MemorySystem()
    written(system, slots=slots_of(a_job("big", NOW, payload='[["' + "x" * (1 << 21) + '"],{}]'), a_job("z", NOW + 1)))
    size = len(data_of(system))
    fd = system.open(PATH, os.O_RDONLY)
    found = read_header(fd, PATH, system)
    verify(fd, PATH, system, found)
    for at in (300, 1 << 20, (1 << 20) + 400, size // 2, size - 2):
        data_of(system)[at] ^= 1
        with pytest.raises(StoreCorrupt):
            verify(fd, PATH, system, found)
        data_of(system)[at] ^= 1


def test_a_snapshot_that_cannot_be_read_leaves_no_descriptor_open_and_a_link_is_not_followed(tmp_path: Path) -> None:
    system = Recording()
    written(system)
    system.fails = failing("pread", errno.EIO)
    refused(system, OSError, "Input/output")
    (tmp_path / "theirs").touch()
    (tmp_path / "tasks.json").symlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match="symbolic links"):
        open_snapshot(str(tmp_path / "tasks.json"), str, SYSTEM)


def test_a_snapshot_whose_descriptor_is_0_is_closed_like_any_other() -> None:
    system = Recording()
    written(system)
    file = opened(system)
    system._held[0] = system._held.pop(file.fd)
    file.fd = 0
    file.close()
    file.close()
    assert system.open_count() == 0
