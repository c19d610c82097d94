"""The journal as a file: what is written, synced, cut and closed, and in which order; a wrong step loses acknowledged jobs."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hourwheel.errors import StoreCorrupt
from hourwheel.store.file.format import journal as module
from hourwheel.store.file.format.journal import CHUNK, RESERVE, Journal, NoRoom, is_unused
from hourwheel.store.file.format.lines import frame
from hourwheel.store.file.system import system as system_module
from hourwheel.store.file.system.system import SYSTEM

from tests.kit.memory_system import DIRECTORY, MemorySystem
from tests.kit.recording import Recording, failing

PATH = f"{DIRECTORY}/j"
RECORD = frame('{"seq":1}')


def begun(system: MemorySystem | None = None, tail: bytes = b"") -> Journal:
    journal = Journal.create(PATH, system or Recording(), store_id="s", epoch=1, seq=0)
    if tail:
        journal._system.pwrite(journal.fd, tail, journal.end)
    return journal


def opened(system: MemorySystem) -> Journal:
    return Journal.open(PATH, system, store_id="s", epoch=1, seq=0)


def bytes_of(journal: Journal) -> bytes:
    system = journal._system
    assert isinstance(system, MemorySystem)
    return system.files()["j"]


# ---- beginning and opening -------------------------------------------------------------------------------


def test_a_new_journal_is_a_header_and_blank_room_ahead() -> None:
    journal = begun()
    data = bytes_of(journal)
    assert data[: journal.end].count(b"\n") == 1
    assert data[journal.end :] == b"\n" * CHUNK
    assert (journal.size, journal.synced, journal.broken) == (len(data), 0, False)


def test_nobody_else_can_read_a_journal_and_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Journal.create(str(tmp_path / "j"), SYSTEM, store_id="s", epoch=1, seq=0).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o600
    (tmp_path / "theirs").write_bytes((tmp_path / "j").read_bytes())
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    link = str(tmp_path / "link")
    with pytest.raises(OSError, match="symbolic links"):
        Journal.create(link, SYSTEM, store_id="s", epoch=2, seq=0, over=True)
    with pytest.raises(FileExistsError):
        Journal.create(link, SYSTEM, store_id="s", epoch=2, seq=0)
    with pytest.raises(OSError, match="symbolic links"):
        Journal.open(link, SYSTEM, store_id="s", epoch=1, seq=0)
    with pytest.raises(OSError, match="symbolic links"):
        is_unused(link, SYSTEM)
    assert is_unused(str(tmp_path / "j"), SYSTEM)


def test_what_an_older_journal_of_the_same_name_held_is_gone_when_it_is_begun_anew() -> None:
    system = Recording({"j": b"x" * (2 * CHUNK)})
    with pytest.raises(FileExistsError):
        Journal.create(PATH, system, store_id="s", epoch=1, seq=0)
    assert system.files()["j"] == b"x" * (2 * CHUNK), "it may be another store's"
    journal = Journal.create(PATH, system, store_id="s", epoch=1, seq=0, over=True)
    assert bytes_of(journal)[journal.end :].strip(b"\n") == b""


def test_a_journal_that_cannot_be_begun_or_opened_leaves_no_descriptor_open() -> None:
    system = Recording()
    system.fails = failing("pwrite", errno.ENOSPC)
    with pytest.raises(OSError, match="No space"):
        begun(system)
    assert system.open_count() == 0
    system = Recording({"j": b"this is no journal of anybody\n"})
    with pytest.raises(StoreCorrupt, match="header's checksum"):
        opened(system)
    assert system.open_count() == 0
    system.fails = failing("pread", errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        is_unused(PATH, system)
    assert system.open_count() == 0


@pytest.mark.parametrize(
    "room", [b"", b"\n" * 100, b"\0" * 100, b"\0\n" * (CHUNK // 2 + 1)], ids=["none", "blank", "zeros", "both"]
)
def test_a_header_that_was_never_wholly_written_means_that_nothing_has_happened(room: bytes) -> None:
    header = bytes_of(begun())[: begun().end]
    for written in (0, 5, 20, len(header) - 2):
        system = Recording({"j": header[:written] + room})
        assert is_unused(PATH, system)
        with pytest.raises(FileNotFoundError):
            opened(system)
        assert system.open_count() == 0


@pytest.mark.parametrize(("header", "said"), [("[1]", "not a JSON object"), ("{", "not JSON")])
def test_a_header_with_a_good_checksum_that_is_no_header_is_refused(header: str, said: str) -> None:
    system = Recording({"j": frame(header)})
    with pytest.raises(StoreCorrupt, match=said):
        opened(system)
    assert system.open_count() == 0


@pytest.mark.parametrize(
    "remains",
    [b"x", b"\n\nx", b"\n" * CHUNK + b"x", b"\0" * CHUNK + b"x"],
    ids=["at once", "soon", "far behind", "behind zeros"],
)
def test_remains_behind_a_half_written_header_or_a_whole_one_are_not_called_nothing(remains: bytes) -> None:
    header = bytes_of(begun())[: begun().end]
    system = Recording({"j": header[:20] + b"\n" + remains})
    assert not is_unused(PATH, system)
    with pytest.raises(StoreCorrupt):
        opened(system)
    assert not is_unused(PATH, Recording({"j": header + remains}))
    assert not is_unused(PATH, Recording({"j": b"x" * 20 + b"\n" * 20}))


# ---- reading ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("behind", "more"), [(b"", False), (b"\n", False), (b"\0", False), (b"a", True)])
def test_more_is_there_only_if_something_was_written(behind: bytes, more: bool) -> None:
    journal = begun()
    journal._system.ftruncate(journal.fd, journal.end)
    journal._system.pwrite(journal.fd, behind, journal.end)
    assert journal.has_more() is more
    assert journal.is_blank() is (not more)


@pytest.mark.parametrize(
    ("behind", "much"), [(b"", False), (b"\n\n\n", False), (b"\0\0\0", False), (b"xyz", True), (b"\nyz", True)]
)
def test_much_was_written_if_something_stands_far_behind_the_end(
    monkeypatch: pytest.MonkeyPatch, behind: bytes, much: bool
) -> None:
    monkeypatch.setattr(module, "_MUCH", 10)
    system = MemorySystem()
    journal = begun(system)
    system._names[PATH].data[journal.end :] = b"0123456789" + behind
    assert journal.has_much_more() is much


@pytest.mark.parametrize("most", [1, 7, len(RECORD), 1000])
def test_a_change_is_read_whole_whatever_is_read_at_a_time_and_at_the_end_reading_ends(most: int) -> None:
    journal = begun(tail=frame("{}", more=True) + RECORD + frame('{"seq":2}'))
    seen = []
    while batches := journal.read(most):
        seen += [batch.texts for batch in batches]
        journal.end = batches[-1].end
    assert seen == [[b"{}", b'{"seq":1}'], [b'{"seq":2}']]


def test_reading_asks_for_no_more_than_it_needs() -> None:
    system = Recording()
    journal = begun(system, tail=RECORD * 10)
    system.calls.clear()
    assert len(journal.read(len(RECORD) * 2)) == 2
    assert system.names() == ["pread"]
    journal.end += len(RECORD) * 10
    assert journal.read(64) == []
    assert system.names() == ["pread"]


def test_the_rest_and_what_lies_between_are_given_whole_beyond_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(1, 251))
    journal = begun(tail=content)
    monkeypatch.setattr(system_module, "_PIECE", 64)
    assert journal.rest().rstrip(b"\n") == content
    assert journal.between(journal.end, journal.end + 250) == content
    assert journal.between(journal.end + 10, journal.end + 10) == b""
    assert journal.between(journal.end + 10, journal.end + 74) == content[10:74]
    assert journal.between(journal.end + 10, journal.end + 17) == content[10:17]
    assert journal.between(journal.end, journal.size + 1000).rstrip(b"\n") == content


# ---- writing ---------------------------------------------------------------------------------------------


def test_records_go_one_behind_the_other_in_one_call_each() -> None:
    system = Recording()
    journal = begun(system)
    start = journal.end
    system.calls.clear()
    journal.append(RECORD, 1, reserve=True)
    journal.append(RECORD * 3, 3, reserve=True)
    assert system.names() == ["pwrite", "pwrite"]
    assert (journal.end, journal.seq) == (start + 4 * len(RECORD), 4)
    assert bytes_of(journal)[start:].rstrip(b"\n") + b"\n" == RECORD * 4


def test_a_write_cut_short_by_the_system_is_done_again_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = begun()
    real, lengths = journal._pwrite, [3]
    journal._pwrite = lambda fd, data, at: real(fd, data[: lengths.pop()], at) if lengths else real(fd, data, at)  # type: ignore[method-assign,assignment]
    start = journal.end
    journal.append(RECORD, 1, reserve=True)
    assert bytes_of(journal)[start : journal.end] == RECORD
    assert journal.end == start + len(RECORD)


def test_room_is_made_ahead_before_the_reserve_is_touched_and_not_sooner() -> None:
    journal = begun()
    fits = journal.size - RESERVE - journal.end
    size = journal.size
    journal.append(b"x" * fits, 1, reserve=True)
    assert journal.size == size
    journal.append(b"x", 1, reserve=True)
    assert journal.size == size + CHUNK == len(bytes_of(journal))
    assert RESERVE == 256 * 1024


def test_no_more_room_is_made_than_is_asked_for() -> None:
    journal = begun()
    journal.append(b"x" * (journal.size - RESERVE - journal.end), 1, reserve=True)
    size = journal.size
    journal.append(b"x" * CHUNK, 1, reserve=True)
    assert journal.size == size + CHUNK == journal.end + RESERVE


def full(journal: Journal) -> Journal:
    """The disk is full, and the journal as long as it may get without its reserve."""
    system = journal._system
    assert isinstance(system, Recording)
    journal.append(b"x" * (journal.size - RESERVE - journal.end), 1, reserve=True)
    blank = module._BLANK

    def fail(name: str, args: tuple[Any, ...]) -> None:
        if name == "pwrite" and args[1] is blank:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    system.fails = fail
    return journal


def test_on_a_full_disk_nothing_is_added_but_what_runs_can_be_settled_to_the_last_byte() -> None:
    journal = full(begun())
    end = journal.end
    with pytest.raises(NoRoom, match="No space"):
        journal.append(b"y", 1, reserve=True)
    assert (journal.end, journal.seq, journal.broken) == (end, 1, False)
    journal.append(b"y" * RESERVE, 1, reserve=False)
    assert journal.end == journal.size
    with pytest.raises(NoRoom):
        journal.append(b"y", 1, reserve=False)


def test_room_that_another_process_has_made_is_used_and_not_made_again() -> None:
    journal = full(begun())
    system = journal._system
    assert isinstance(system, MemorySystem)
    system._do_pwrite(journal.fd, b"\n" * CHUNK, journal.size)
    journal.append(RECORD, 1, reserve=True)
    assert journal.size == len(bytes_of(journal))
    assert bytes_of(journal)[: journal.end].endswith(RECORD)


def test_room_that_was_made_in_part_before_the_disk_was_full_counts() -> None:
    journal = full(begun())
    system = journal._system
    assert isinstance(system, Recording)
    fd = journal.fd

    def half(name: str, args: tuple[Any, ...]) -> None:
        if name == "pwrite" and args[1] is module._BLANK:
            system._do_pwrite(fd, b"\n" * 10, args[2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    system.fails = half
    journal.append(b"z" * 10, 1, reserve=True)
    assert journal.size == len(bytes_of(journal))


def test_a_line_feed_that_was_lost_is_put_back_durably() -> None:
    system = Recording()
    journal = begun(system, tail=RECORD[:-1])
    system.calls.clear()
    journal.end_line(len(RECORD) - 1)
    assert bytes_of(journal)[journal.end :].startswith(RECORD)
    assert system.names() == ["pwrite", "fdatasync"]


def test_an_unfinished_write_is_cut_off_durably_and_there_is_room_ahead_again() -> None:
    system = Recording()
    journal = begun(system, tail=RECORD[:7])
    system.calls.clear()
    journal.cut()
    assert system.names() == ["ftruncate", "fdatasync", "fstat", "pwrite"]
    assert bytes_of(journal) == bytes_of(begun())
    assert journal.size == len(bytes_of(journal))
    system.fails = failing("pwrite", errno.ENOSPC)
    journal.cut()
    assert journal.size == journal.end == len(bytes_of(journal))


# ---- syncing ---------------------------------------------------------------------------------------------


def test_what_is_on_the_disk_already_is_not_synced_again() -> None:
    system = Recording()
    journal = begun(system)
    journal.append(RECORD, 1, reserve=True)
    system.calls.clear()
    journal.sync(journal.end)
    assert (journal.synced, system.names()) == (journal.end, ["fdatasync"])
    journal.sync(journal.end)
    assert system.names() == []
    journal.sync(journal.end + 1)
    journal.sync()
    assert system.names() == ["fdatasync", "fdatasync"]


def test_after_a_failed_sync_nothing_is_called_durable_any_more_though_a_second_would_succeed() -> None:
    system = Recording()
    journal = begun(system)
    journal.append(RECORD, 1, reserve=True)
    system.fails = failing("fdatasync", errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        journal.sync()
    system.fails = lambda name, args: None
    system.calls.clear()
    with pytest.raises(OSError, match="an earlier write or sync failed") as raised:
        journal.sync(journal.end)
    assert (raised.value.errno, system.names()) == (errno.EIO, [])
    assert (journal.broken, journal.synced) == (True, 0)


def test_what_was_appended_while_a_sync_was_under_way_is_not_called_durable_by_it() -> None:
    journal = begun()
    real, end = journal._fdatasync, journal.end

    def sync(fd: int) -> None:
        real(fd)
        journal.append(RECORD, 1, reserve=True)

    journal._fdatasync = sync  # type: ignore[method-assign,assignment]
    journal.sync()
    assert (journal.synced, journal.end) == (end, end + len(RECORD))


# ---- closing ---------------------------------------------------------------------------------------------


def test_a_journal_is_closed_once_and_a_sync_afterwards_does_nothing() -> None:
    system = Recording()
    journal = begun(system)
    journal.close()
    assert system.open_count() == 0
    system.calls.clear()
    journal.close()
    journal.sync()
    assert system.names() == []
    assert journal._turn.is_free()


def test_a_journal_closed_during_a_sync_waits_for_nobody_and_is_closed_when_that_is_over() -> None:
    system = Recording()
    journal = begun(system)
    real, seen = journal._fdatasync, []

    def sync(fd: int) -> None:
        closer = threading.Thread(target=journal.close)
        closer.start()
        closer.join(10)
        seen.append((closer.is_alive(), system.open_count()))
        real(fd)

    journal._fdatasync = sync  # type: ignore[method-assign,assignment]
    journal.sync()
    assert seen == [(False, 1)]
    assert system.open_count() == 0


def test_a_journal_whose_descriptor_is_0_is_synced_and_closed_like_any_other() -> None:
    system = Recording()
    journal = begun(system)
    held = system._held
    held[0] = held.pop(journal.fd)
    journal.fd = 0
    system.calls.clear()
    journal.sync()
    journal.close()
    journal.close()
    assert system.calls == [("fdatasync", "j"), ("close", "j")]
