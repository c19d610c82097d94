"""The snapshot as a file: what is in it is found again, by name, by key, in due order and through any index."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hourwheel.errors import StoreCorrupt
from hourwheel.store import JsonStore
from hourwheel.store.file.format import snapshot, snapshot_writer
from hourwheel.store.file.format.index import NEVER
from hourwheel.store.file.format.snapshot import SnapshotFile, scan_index
from hourwheel.store.file.format.snapshot_writer import Content, write_snapshot
from hourwheel.store.state.frozen import Hidden

from tests.kit.forms import new_store, read_again
from tests.kit.jobs import NOW, a_job, claim_all, content, some_jobs
from tests.kit.memory_system import MemorySystem
from tests.kit.recording import Recording
from tests.kit.snapshots import (
    ALL,
    FINISHED,
    ODD,
    PATH,
    RUNNING,
    SCHEDULED,
    TURN_MS,
    data_of,
    header,
    opened,
    slots_of,
    text_of,
    written,
)


def nothing_hidden(id: str) -> bool:
    return False


class ShortReads(MemorySystem):
    """Gives no more than half of what is asked for, as a system may."""

    def _do_pread(self, fd: int, size: int, offset: int) -> bytes:
        return super()._do_pread(fd, size if size < 4097 else size // 2, offset)


@pytest.fixture(params=["as written", "read line by line", "in small pieces", "in larger pieces", "in short reads"])
def file(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SnapshotFile]:
    """The snapshot, with the index that was made in writing it or by reading it."""
    system = ShortReads() if request.param == "in short reads" else MemorySystem()
    index = written(system)
    found = opened(system)
    if request.param == "as written":
        found = SnapshotFile(found.fd, PATH, system, found.header, index)
    if "pieces" in request.param:
        monkeypatch.setattr(snapshot, "_READ", 7 if "small" in request.param else 150)
        found = opened(system)
    yield found
    found.close()
    found.close()


# ---- what is in it is found ------------------------------------------------------------------------------


def test_each_job_is_found_by_its_id_and_nothing_by_another(file: SnapshotFile) -> None:
    assert {id: file.get(id) for id in ALL} == ALL
    assert file.get("e") is None
    assert file.get("k") is None


def test_each_key_names_its_jobs_and_no_id_is_taken_for_a_key(file: SnapshotFile) -> None:
    assert file.find_key("k") == ["b"]
    assert file.find_key('odd "key"') == ["c"]
    assert sorted(file.find_key("f")) == ["done-0", "done-1"]
    assert file.find_key("a") == file.find_key("none") == []


def test_two_ids_that_look_alike_to_the_index_are_told_apart() -> None:
    for first, second in (("plumless", "buckeroo"), ("buckeroo", "plumless")):  # their checksums are the same
        system = MemorySystem()
        written(system, slots=slots_of(a_job("plumless", NOW), a_job("buckeroo", NOW + 1)))
        file = opened(system)
        assert len(file.index.candidates(b"plumless")) == 2
        assert [found.id for id in (first, second) if (found := file.get(id))] == [first, second]


def test_all_jobs_each_once_and_by_what_became_of_them(file: SnapshotFile) -> None:
    assert {job.id: job for job in file.jobs()} == ALL
    assert file.get("done-1") == FINISHED[1]
    assert len(list(file.jobs())) == len(ALL)
    assert file.running() == [RUNNING]
    assert list(file.finished_lines()) == text_of(*FINISHED)


def test_jobs_are_taken_in_due_order_each_once_at_its_millisecond_and_not_before(file: SnapshotFile) -> None:
    order = sorted(SCHEDULED, key=lambda job: job.due_ms)
    assert [(due_ms, id) for due_ms, id, _ in file.scheduled()] == [(job.due_ms, job.id) for job in order]
    for job in order:
        assert file.next_due(nothing_hidden) == job.due_ms
        assert file.take_due(job.due_ms - 1, nothing_hidden) == []
        assert file.next_due(nothing_hidden) == job.due_ms
        assert file.take_due(job.due_ms, nothing_hidden) == [job]
        rest = [other.id for other in order[order.index(job) + 1 :]]
        assert [id for _, id, _ in file.scheduled()] == rest
    assert file.next_due(nothing_hidden) is None
    assert file.take_due(NEVER - 1, nothing_hidden) == []


@pytest.mark.parametrize("hidden", [{"zero"}, {"zero", "a"}, {"zero", "a", "b"}, {ODD}, {"d", "c"}, set(ALL)])
def test_what_is_out_of_date_is_neither_taken_nor_named_as_next(file: SnapshotFile, hidden: set[str]) -> None:
    is_hidden: Hidden = hidden.__contains__
    left = sorted(job.due_ms for job in SCHEDULED if job.id not in hidden)
    assert file.next_due(is_hidden) == (left[0] if left else None)
    assert file.next_due(is_hidden) == (left[0] if left else None)
    assert sorted(job.due_ms for job in file.take_due(NOW + 10 * TURN_MS, is_hidden)) == left
    assert file.next_due(is_hidden) is None


def test_what_is_hidden_later_is_passed_over_in_a_slot_that_was_begun() -> None:
    system = MemorySystem()
    written(system, slots=slots_of(*some_jobs(4, step_ms=1), a_job("next", NOW + 1000)))
    file = opened(system)
    assert [job.id for job in file.take_due(NOW, nothing_hidden)] == ["job-00000"]
    assert file.next_due(nothing_hidden) == NOW + 1
    hidden = {"job-00001", "job-00002"}
    assert file.next_due(hidden.__contains__) == NOW + 3
    assert [job.id for job in file.take_due(NOW + 5, hidden.__contains__)] == ["job-00003"]
    assert file.next_due(nothing_hidden) == NOW + 1000


def test_a_slot_as_text_can_be_copied_only_if_no_job_in_it_is_out_of_date_has_a_key_or_an_odd_id() -> None:
    plain, keyed, odd = a_job("p", NOW), a_job("k", NOW + 1000, key="k"), a_job(ODD, NOW + 2000)
    system = MemorySystem()
    written(system, slots=slots_of(plain, keyed, odd, a_job("q", NOW + TURN_MS)))
    file = opened(system)
    text = file.slot_text(plain.slot, set())
    assert text is not None
    assert text.count(b'{"id":') == 2
    assert file.slot_text(plain.slot, {b"other"}) == text
    assert file.slot_text(plain.slot, {b"q"}) is None
    assert file.slot_text(keyed.slot, set()) is file.slot_text(odd.slot, set()) is None
    assert file.slot_text(plain.slot - 1, set()) == b""
    assert set(file.held()) == {job.slot for job in (plain, keyed, odd)}
    assert list(file.slot_lines(plain.slot)) == text_of(plain, a_job("q", NOW + TURN_MS))
    again = MemorySystem()
    assert written(again, slots=[(plain.slot, text)]).heads[plain.slot] == NOW
    assert opened(again).get("q") == a_job("q", NOW + TURN_MS)
    assert [job.id for job in opened(again).take_due(NOW, nothing_hidden)] == ["p"]


def test_slots_copied_as_text_are_written_in_pieces_too(monkeypatch: pytest.MonkeyPatch) -> None:
    system = MemorySystem()
    written(system, slots=slots_of(*some_jobs(6, step_ms=1000)), running=[], finished=[])
    file = opened(system)
    monkeypatch.setattr(snapshot_writer, "_WRITE", 1)
    fd = Recording().open(PATH, os.O_CREAT | os.O_RDWR)
    slots = [(slot, text) for slot in file.held() if (text := file.slot_text(slot, set())) is not None]
    again = Recording()
    fd = again.open(PATH, os.O_CREAT | os.O_RDWR)
    pauses = [found for found in write_snapshot(fd, again, header(), Content(slots, [], [])) if found is None]
    assert len(slots) == 6
    assert len(pauses) == 6 + 256
    assert bytes(data_of(again)) == bytes(data_of(system))


def test_a_job_in_a_last_line_that_lost_its_end_is_read_by_who_opens_it_unchecked() -> None:
    system = MemorySystem()
    written(system)
    end = text_of(FINISHED[1])[0]
    del data_of(system)[bytes(data_of(system)).index(end) + len(end) :]
    file = opened(system, check=False)
    assert {job.id: job for job in file.jobs()} == ALL
    assert file.get(FINISHED[1].id) == FINISHED[1]


def test_what_is_written_can_be_read_whatever_is_empty() -> None:
    for slots, running, finished in [
        ([], [], []),
        (None, [], []),
        ([], None, []),
        ([], [], None),
        ([(5, b"")], [], []),
    ]:
        system = MemorySystem()
        index = written(system, slots, running, finished)
        file = opened(system)
        assert (list(file.index.starts), list(file.index.ends)) == (list(index.starts), list(index.ends))
        assert list(file.index.heads) == list(index.heads)
        assert [list(row) for row in file.index.rows] == [list(row) for row in index.rows]
        assert (file.index.running_at, file.index.finished_at) == (index.running_at, index.finished_at)


EARLIER = (
    b'{"format":"hourwheel","version":1,"min_reader":1,"store_id":"s","epoch":1,"seq":7,"token":3,"hand":9,"counts":'
    b'{"accepted":5,"scheduled":4,"running":1,"succeeded":0,"failed":0,"cancelled":0,"expired":0},'
    b'"length":            289,"crc":"2064bb13",\n"ring":{\n\n},\n"running":[\n],\n"finished":[\n]}\n'
)
"""Without ``over_ms``, as it was written once."""
NOW_WRITTEN = EARLIER.replace(
    b'"length":            289,"crc":"2064bb13"', b'"over_ms":              0,"length":            315,"crc":"929a7127"'
)


def test_a_file_that_an_earlier_version_has_written_is_read_and_an_earlier_version_reads_ours() -> None:
    system = MemorySystem({"tasks.json": EARLIER})
    assert opened(system).header == header(length=289, crc="2064bb13")
    written(system, [], [], [])
    assert bytes(data_of(system)) == NOW_WRITTEN


# ---- how it is written -----------------------------------------------------------------------------------


def test_a_big_snapshot_is_written_in_pieces_between_which_a_caller_may_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_writer, "_WRITE", 300)
    system = Recording()
    fd = system.open(PATH, os.O_CREAT | os.O_RDWR)
    many = [a_job(f"job-{number}", NOW + 1000 * number) for number in range(20)]
    system.calls.clear()
    work = write_snapshot(fd, system, header(), Content(slots_of(*many), text_of(RUNNING), text_of(*FINISHED)))
    pauses = [len(system.calls) for found in work if found is None]
    assert pauses[: len(set(pauses))] == sorted(set(pauses))
    assert len(set(pauses)) >= 8
    assert {job.id for job in opened(system).jobs()} == {job.id for job in (*many, RUNNING, *FINISHED)}


def test_a_piece_is_written_once_it_is_long_enough_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_writer, "_WRITE", 100)
    system = Recording()
    out = snapshot_writer._Writer(system.open(PATH, os.O_CREAT | os.O_RDWR), system, 10)
    system.calls.clear()
    out.put(b"x" * 99)
    assert (out.flush_when_full(), out.at, system.names()) == (False, 109, [])
    out.put(b"y")
    assert (out.flush_when_full(), out.at, system.names()) == (True, 110, ["pwrite"])
    assert (out.flush_when_full(), system.names()) == (False, [])
    out.put(b"z")
    out.flush()
    assert bytes(data_of(system)) == bytes(10) + b"x" * 99 + b"yz"


def test_a_person_can_read_it_a_job_a_line() -> None:
    system = MemorySystem()
    jobs = [a_job("a", NOW), a_job("b", NOW), a_job("c", NOW + TURN_MS), a_job("d", NOW + 1000)]
    written(system, slots=slots_of(*jobs))
    slot, cycle = jobs[0].slot, jobs[0].cycle
    a, b, c, d, run, one, two = (text.decode() for text in text_of(*jobs, RUNNING, *FINISHED))
    assert bytes(data_of(system)).partition(b"\n")[2].decode().splitlines() == [
        '"ring":{',
        f'"{slot}":{{', f'"{cycle}":[', a + ",", b, "],", f'"{cycle + 1}":[', c, "]", "},",
        f'"{slot + 1}":{{', f'"{cycle}":[', d, "]", "}",
        "},", '"running":[', run, "],", '"finished":[', one + ",", two, "]}",
    ]  # fmt: skip


def test_an_index_that_names_jobs_where_there_are_none_is_refused_and_no_job_is_passed_over_for_it() -> None:
    system = MemorySystem()
    index = written(system)
    index.heads[5] = 1
    file = opened(system)
    wrong = SnapshotFile(file.fd, PATH, system, file.header, index)
    with pytest.raises(StoreCorrupt, match="a slot does not have the jobs that its index says"):
        wrong.next_due(nothing_hidden)


# ---- edited by hand --------------------------------------------------------------------------------------


def test_the_index_of_a_snapshot_that_a_person_has_mended_finds_every_job() -> None:
    system = MemorySystem()
    written(system)
    body = bytes(data_of(system)).partition(b"\n")[2]
    data_of(system)[:] = b"{,\n" + body.replace(b"\n]", b"\n\n]").replace(b'":{\n', b'":{\n\n')
    fd = system.open(PATH, os.O_RDONLY)
    index = scan_index(fd, system)
    file = SnapshotFile(fd, PATH, system, header(), index)
    assert {id: file.get(id) for id in ALL} == ALL
    assert [id for _, id, _ in file.scheduled()] == [job.id for job in sorted(SCHEDULED, key=lambda job: job.due_ms)]


# ---- a store over it -------------------------------------------------------------------------------------


def test_a_store_compacted_again_and_again_while_jobs_come_and_go_forgets_none() -> None:
    system = MemorySystem()
    store: JsonStore = new_store(system)
    for turn in range(4):
        store.add(
            [a_job(f"{turn}-{n}", NOW + 900 * n, key=f"{turn}-{n}" if n % 7 == 0 else None) for n in range(40)], NOW
        )
        store.add([a_job(f'{turn}-"{n}"', NOW + 900 * n) for n in range(5)], NOW)
        store.cancel([f"{turn}-{n}" for n in range(0, 40, 5)], NOW)
        store.reschedule([f"{turn}-1"], NOW + TURN_MS, NOW)[0]
        claim_all(store, owner=f"owner-{turn}", now_ms=NOW + turn)
        before = content(store)
        store.compact()
        assert content(store) == before
        store = read_again(store)
        assert content(store) == before
        assert store.check() == []
