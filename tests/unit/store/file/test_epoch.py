"""An epoch: opening it, following what others append, what becomes of an unfinished write, and how its end is announced."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from hourwheel.errors import StoreCorrupt, StoreIncomplete
from hourwheel.job import Succeeded
from hourwheel.store import JsonStore
from hourwheel.store.codec import encode_job
from hourwheel.store.file.epoch import Epoch
from hourwheel.store.file.format.lines import frame
from hourwheel.store.file.system.place import Place
from hourwheel.turn import effects

from tests.kit.forms import new_store
from tests.kit.jobs import NOW, a_job, content, epoch_of, some_jobs
from tests.kit.memory_system import DIRECTORY, MemorySystem
from tests.kit.recording import Recording, failing
from tests.kit.snapshots import written

pytestmark = pytest.mark.usefixtures("not_folded")

PLACE = Place(f"{DIRECTORY}/tasks.json")
JOURNAL = "tasks.json.journal.1"
SECTOR = 512


def a_store(system: MemorySystem, jobs: int = 3) -> JsonStore:
    store = new_store(system)
    store.add(some_jobs(jobs), NOW)
    return store


def end_of(system: MemorySystem) -> int:
    """Where the records of the journal end."""
    return len(system.files()[JOURNAL].rstrip(b"\n")) + 1


def behind(system: MemorySystem, data: bytes) -> int:
    """Put something behind the last record; where that is."""
    file, end = system._names[f"{DIRECTORY}/{JOURNAL}"], end_of(system)
    file.data[end : end + len(data)] = data
    return end


# ---- opening ---------------------------------------------------------------------------------------------


def test_the_journal_of_a_whole_snapshot_is_made_and_the_next_epoch_begun_before_anything_is_appended() -> None:
    system = Recording()
    written(system, running=[], whole=True)
    epoch = Epoch.open(PLACE, system)
    assert (epoch.dropped, epoch.sealed, epoch.doubtful, epoch.number) == (0, None, True, 1)
    assert not epoch.journal.has_more()
    epoch.close()
    assert system.open_count() == 0
    store = new_store(system)
    assert (epoch_of(store).number, epoch_of(store).doubtful) == (2, False)
    assert epoch_of(store).snapshot.header.whole is False


def test_closing_an_epoch_leaves_no_descriptor_open() -> None:
    system = Recording()
    a_store(system).close()
    before = system.open_count()
    epoch = Epoch.open(PLACE, system)
    assert system.open_count() == before + 2
    epoch.close()
    assert system.open_count() == before


def test_a_journal_that_is_missing_was_taken_for_an_empty_one() -> None:
    system = Recording()
    a_store(system).close()
    system.unlink(f"{DIRECTORY}/{JOURNAL}")
    before = system.open_count()
    for open_it in (Epoch.open, Epoch.read):
        with pytest.raises(StoreIncomplete, match=r"tasks\.json\.journal\.1 is missing: .*`hourwheel repair`"):
            open_it(PLACE, system)
    assert system.open_count() == before
    assert JOURNAL not in system.files()


@pytest.mark.parametrize("left", [b"", b"\0" * 4096, b"\n" * 4096, b'0a1b2c3d 000051 {"journal":"hour'])
def test_a_journal_that_was_emptied_was_taken_for_one_in_which_nothing_had_happened(left: bytes) -> None:
    system = MemorySystem()
    a_store(system).close()
    system._names[f"{DIRECTORY}/{JOURNAL}"].data[:] = left
    with pytest.raises(StoreIncomplete, match="is empty"):
        Epoch.open(PLACE, system)
    assert system.files()[JOURNAL] == left


def test_a_whole_snapshot_without_a_journal_can_be_read_by_who_may_write_nothing() -> None:
    system = MemorySystem()
    written(system, running=[], whole=True)
    before = system.files()
    epoch = Epoch.read(PLACE, system)
    assert len(list(epoch.state.frozen.jobs())) == 8
    epoch.close()
    assert system.files() == before


@pytest.mark.parametrize("name", ["pread", "fstat", "fsync"])
def test_an_epoch_that_cannot_be_opened_leaves_no_descriptor_open(name: str) -> None:
    system = Recording()
    a_store(system).close()
    before = system.open_count()
    system.fails = failing(name, errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        Epoch.open(PLACE, system)
    assert system.open_count() == before


def test_a_damaged_journal_is_refused_and_leaves_no_descriptor_open() -> None:
    system = Recording()
    a_store(system).close()
    before = system.open_count()
    behind(system, b"x" * 40 + b"\n")
    with pytest.raises(StoreCorrupt):
        Epoch.open(PLACE, system)
    assert system.open_count() == before


def test_a_snapshot_that_was_changed_is_refused_unless_somebody_who_knows_opens_it() -> None:
    system = MemorySystem()
    store = a_store(system)
    store.compact()
    store.close()
    data = system._names[PLACE.path].data
    at = data.index(b"app.remind")
    data[at : at + 3] = b"APP"
    with pytest.raises(StoreCorrupt, match="checksum"):
        Epoch.open(PLACE, system)
    epoch = Epoch.open(PLACE, system, check=False)
    assert [job.task for job in epoch.state.frozen.jobs()].count("APP.remind") == 1
    epoch.close()


def test_a_running_job_that_cannot_be_read_though_its_snapshot_was_accepted_is_refused_by_the_name_of_the_file() -> (
    None
):
    system = MemorySystem()
    written(system, running=[b'{"id":"x","due_ms":1,"a":1}'], whole=True)
    with pytest.raises(StoreCorrupt, match=r"tasks\.json: .*a job cannot be read"):
        Epoch.open(PLACE, system)
    assert system.open_count() == 0


@pytest.mark.parametrize(
    ("number", "said"),
    [("0", "journal.0 is of another"), ("1", "empty"), ("2", "older"), ("7", "older"), ("x", "missing")],
)
def test_an_older_snapshot_or_journal_is_told_from_one_that_is_missing(number: str, said: str) -> None:
    system = MemorySystem()
    a_store(system, 0).close()
    system.unlink(f"{DIRECTORY}/{JOURNAL}")
    system._make(f"{DIRECTORY}/tasks.json.journal.{number}")
    with pytest.raises(StoreIncomplete, match=said):
        Epoch.open(PLACE, system)


@pytest.mark.parametrize(("number", "refused"), [("0", False), ("2", False), ("3", True), ("12", True), ("x", False)])
def test_an_older_copy_put_back_beside_later_journals_was_worked_on(number: str, refused: bool) -> None:
    """A crash leaves the journal of the next epoch behind, but none of a later one."""
    system = MemorySystem()
    a_store(system).close()
    system._make(f"{DIRECTORY}/tasks.json.journal.{number}")
    if refused:
        with pytest.raises(StoreIncomplete, match=rf"but there is tasks\.json\.journal\.{number}: .*older one"):
            Epoch.open(PLACE, system)
    else:
        Epoch.open(PLACE, system).close()


# ---- following -------------------------------------------------------------------------------------------


def test_following_tells_how_many_records_there_were_and_none_is_applied_twice() -> None:
    system = MemorySystem()
    store = a_store(system)
    epoch = Epoch.open(PLACE, system)
    store.add(some_jobs(4, prefix="more"), NOW)
    assert (epoch.follow(), epoch.follow()) == (4, 0)
    assert epoch.state.counts.accepted == 7


@pytest.mark.parametrize("id", ["plain", 'with "quotes"', "wïth ümlauts", "back\\slash"])
@pytest.mark.parametrize("key", [None, "k"])
def test_a_job_of_any_name_is_followed_with_its_key(id: str, key: str | None) -> None:
    system = MemorySystem()
    store = a_store(system)
    other = new_store(system)
    job = a_job(id, NOW + 5, key=key, payload='[[{"a":1}],{}]')
    store.add([job], NOW)
    assert other.get([id])[0] == job
    assert other.add([a_job("second", key=key)], NOW) == [id if key else "second"]
    assert other.check() == store.check() == []
    assert other.next_due() == NOW


def test_a_number_out_of_turn_is_refused_whatever_the_record() -> None:
    for text in (
        '{"seq":9,"op":"unseal"}',
        '{"seq":9,"op":"add","job":{"id":"a","due_ms":1,"task":"t","payload":[[],{}]}}',
    ):
        system = MemorySystem()
        a_store(system).close()
        behind(system, frame(text))
        with pytest.raises(StoreCorrupt, match="its number is 9"):
            Epoch.open(PLACE, system)


def test_jobs_of_several_threads_written_at_once_do_not_stand_or_fall_together() -> None:
    system = MemorySystem()
    epoch, jobs = epoch_of(a_store(system)), [a_job("ä"), a_job("b", NOW + 5, key="k"), a_job("c")]
    epoch.add([(job, encode_job(job).encode()) for job in jobs])
    assert new_store(system).add([a_job("d", key="k")], NOW) == ["b"]
    assert content(again := new_store(system)).keys() == {"ä", "b", "c"} | {job.id for job in some_jobs(3)}
    assert epoch_of(again).state.counts == epoch.state.counts
    del system._names[f"{DIRECTORY}/{JOURNAL}"].data[epoch.journal.end - 9 :]  # as a crash leaves the last of them
    assert [job for job in content(new_store(system)).values() if job.id in "äbc"] == jobs[:2]


# ---- an unfinished write ---------------------------------------------------------------------------------


def test_an_unfinished_write_is_cut_off_and_counted_and_what_came_before_is_whole() -> None:
    system = MemorySystem()
    a_store(system).close()
    end = behind(system, frame('{"seq":4,"op":"cancel","ids":["a"]}')[:30] + b"\0" * 9)
    epoch = Epoch.open(PLACE, system)
    assert (epoch.dropped, len(epoch.state.rows), epoch.journal.end) == (30, 3, end)
    assert system.files()[JOURNAL][end:].strip(b"\n") == b""
    behind(system, frame('{"seq":4,"op":"cancel","ids":["a"]}')[:20])
    epoch.mend_tail()
    assert epoch.dropped == 50
    assert not [name for name in system.files() if "dropped" in name]


def test_who_writes_next_looks_at_the_next_byte_only_and_who_opens_looks_to_the_end_of_the_file() -> None:
    system = MemorySystem()
    store = a_store(system)
    epoch = epoch_of(store)
    end = end_of(system)
    file = system._names[f"{DIRECTORY}/{JOURNAL}"]
    file.data[end + 2 * SECTOR] = ord("x")
    epoch.mend_tail()
    assert file.data[end + 2 * SECTOR] == ord("x")
    epoch.mend_tail(after_power_loss=True)
    assert file.data[end:].strip(b"\n") == b""
    file.data[end] = ord("1")
    epoch.mend_tail()
    assert file.data[end:].strip(b"\n") == b""


def test_a_record_that_lost_its_line_feed_is_kept_and_applied() -> None:
    system = MemorySystem()
    a_store(system).close()
    end = behind(system, frame('{"seq":4,"op":"cancel","now_ms":5,"ids":["job-00000"]}')[:-1])
    file = system._names[f"{DIRECTORY}/{JOURNAL}"]
    del file.data[len(bytes(file.data).rstrip(b"\n")) :]
    epoch = Epoch.open(PLACE, system)
    assert epoch.state.counts.cancelled == 1
    assert (epoch.dropped, epoch.journal.seq) == (0, 4)
    assert epoch.journal.end > end
    epoch.mend_tail()
    assert epoch.state.counts.cancelled == 1


@pytest.mark.parametrize(("lines", "kept"), [(1, False), (2, True), (3, True)])
def test_whole_records_behind_a_hole_are_kept_in_a_file_but_a_scrap_is_not(lines: int, kept: bool) -> None:
    system = Recording()
    a_store(system).close()
    records = [frame(f'{{"seq":{4 + n},"op":"cancel","now_ms":5,"ids":["job-0000{n}"]}}') for n in range(lines)]
    end = end_of(system)
    hole = SECTOR - end % SECTOR
    behind(system, b"\n" * hole + b"".join(records) + b"\0\0\n")
    system.calls.clear()
    epoch = Epoch.open(PLACE, system)
    name = f"tasks.json.dropped.1.{end}"
    assert (name in system.files()) is kept
    assert len(epoch.state.rows) == 3
    if kept:
        assert system.files()[name] == b"\n" * hole + b"".join(records)[:-1]
        of_file = [call for call, file in system.calls if file == name]
        assert of_file == ["open", "pwrite", "fsync", "close"]
        cut = [call for call, file in system.calls if file == JOURNAL].index("ftruncate")
        assert system.calls.index(("fsync", name)) < system.calls.index(("ftruncate", JOURNAL))
        assert cut > 0
    epoch.close()


def test_what_cannot_be_kept_is_not_cut_off_either() -> None:
    system = Recording()
    a_store(system).close()
    end = end_of(system)
    record = frame('{"seq":4,"op":"cancel","now_ms":5,"ids":["job-00000"]}')
    behind(system, b"\n" * (SECTOR - end % SECTOR) + record * 2)
    files = system.files()

    def fail(name: str, args: tuple[Any, ...]) -> None:
        if name == "pwrite":
            raise OSError(errno.ENOSPC, "No space left on device")

    system.fails = fail
    before = system.open_count()
    with pytest.raises(OSError, match="No space"):
        Epoch.open(PLACE, system)
    assert system.files()[JOURNAL] == files[JOURNAL]
    assert system.open_count() == before


def test_zeros_are_no_record_worth_keeping() -> None:
    system = MemorySystem()
    a_store(system).close()
    end = end_of(system)
    hole = b"\n" * (SECTOR - end % SECTOR)
    behind(system, hole + b"\0" * 40 + b"\n" + frame('{"seq":4,"op":"cancel","now_ms":5,"ids":["job-00000"]}'))
    Epoch.open(PLACE, system).close()
    assert not [name for name in system.files() if "dropped" in name]


# ---- the announcement of the next ------------------------------------------------------------------------


@pytest.mark.parametrize("doubtful", [False, True])
def test_a_seal_is_read_by_whoever_follows_with_its_doubt_and_is_lifted_for_all(doubtful: bool) -> None:
    system = MemorySystem()
    store = a_store(system)
    here, there = Epoch.open(PLACE, system), Epoch.open(PLACE, system)
    here.seal(2, doubtful=doubtful)
    assert (here.sealed, here.doubtful) == (2, doubtful)
    assert there.follow() == 1
    assert (there.sealed, there.doubtful) == (2, doubtful)
    there.unseal()
    assert here.follow() == 1
    assert (here.sealed, there.sealed) == (None, None)
    assert here.journal.seq == there.journal.seq == 5
    assert here.journal.end == there.journal.end
    store.add([a_job("after")], NOW)
    assert here.follow() == 1


def test_a_seal_says_nothing_of_doubt_unless_a_sync_has_failed() -> None:
    system = MemorySystem()
    epoch = epoch_of(a_store(system))
    epoch.seal(2)
    assert b"doubtful" not in system.files()[JOURNAL]
    assert epoch.doubtful is False


def test_a_doubt_is_not_forgotten_because_somebody_sealed_again_without_one() -> None:
    system = MemorySystem()
    a_store(system)
    here, there = Epoch.open(PLACE, system), Epoch.open(PLACE, system)
    here.seal(2, doubtful=True)
    here.unseal()
    here.seal(2)
    there.follow()
    assert there.doubtful


def test_on_a_full_disk_an_epoch_can_still_be_sealed_and_unsealed() -> None:
    system = Recording()
    epoch = epoch_of(a_store(system))
    journal = epoch.journal
    journal.append(frame('{"seq":4,"op":"unseal"}'), 1, reserve=True)
    system.ftruncate(journal.fd, journal.end + 200)
    journal.size = journal.end + 200
    system.fails = lambda name, args: _no_room(name, args)
    epoch.seal(2)
    epoch.unseal()
    assert Epoch.open(PLACE, system).sealed is None


def _no_room(name: str, args: tuple[Any, ...]) -> None:
    if name == "pwrite" and len(args[1]) > 1000:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_store_that_died_between_its_seal_and_its_new_epoch_goes_on_in_the_old_one() -> None:
    system = MemorySystem()
    store = a_store(system)
    epoch_of(store).seal(2)
    again = new_store(system)
    [claim] = again.claim("me", NOW, 1)
    again.settle(effects([(claim, Succeeded())]), NOW)
    assert len(content(again)) == 3
    assert epoch_of(again).sealed is None
    assert again.check() == []
