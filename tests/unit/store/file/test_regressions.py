"""Defects that were found and mended, each test named after what the defect would have cost a user."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hourwheel.clock import MAX_MS
from hourwheel.contract import Found
from hourwheel.errors import InvalidValue, PayloadError, StoreBusy, StoreCorrupt, StoreError, StoreUncertain
from hourwheel.job import After, Job, Released, State, Succeeded
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.store.codec import UnreadableJob, decode_job, encode_job, peek
from hourwheel.store.file import compactor, epoch
from hourwheel.store.file.background import Background
from hourwheel.store.file.system.kernel import path_of
from hourwheel.store.file.system.lock import LifeSigns
from hourwheel.store.file.system.system import SYSTEM
from hourwheel.turn import effects

from tests.kit.jobs import NOW, StoppedClock, a_job, claim_all, content, epoch_of, some_jobs
from tests.kit.systems import Failing, Watched

pytestmark = pytest.mark.usefixtures("not_folded")

PATIENCE_S = 10.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "tasks.json")


# ---- claims ----------------------------------------------------------------------------------------------


def test_a_job_that_came_back_to_its_due_instant_is_claimed_once_and_the_journal_stays_readable(path: str) -> None:
    here, there = JsonStore(path), JsonStore(path)
    here.add([a_job("a")], NOW)
    here.claim("here", NOW, 0)  # takes it off the ring here, claims nothing
    [claim] = there.claim("there", NOW, 1)
    there.settle(effects([(claim, Released())]), NOW)
    assert [claim.job.id for claim in here.claim("here", NOW, 5)] == ["a"]
    assert there.check() == here.check() == []
    here.close()
    there.close()
    with JsonStoreAgain(path) as again:
        assert again.check() == []


def test_a_job_that_was_moved_away_and_back_is_claimed_once() -> None:
    store = MemoryStore()
    store.add([a_job("a")], NOW)
    store.claim("owner", NOW, 0)
    store.reschedule(["a"], NOW + 5000, NOW)[0]
    store.reschedule(["a"], NOW, NOW)[0]
    assert len(store.claim("owner", NOW, 5)) == 1
    assert store.check() == []


def test_the_first_claim_in_a_forked_child_shows_its_life_sign_so_its_jobs_are_not_given_to_others(path: str) -> None:
    store = JsonStore(path)
    store.add([a_job("a")], NOW)
    store._keeper.forget_parent()  # what a fork does in the child
    assert claim_all(store, "child")
    assert LifeSigns(SYSTEM).lives(f"{path}.owner.child")
    with JsonStoreAgain(path) as other:
        assert other.claim("other", NOW, 5) == []
    store.close()


def test_a_life_sign_that_cannot_be_read_kills_nobody_and_stops_nobody_else(path: str) -> None:
    here = JsonStore(path)
    here.add([a_job("a"), a_job("b")], NOW)
    here.claim("here", NOW, 1)
    system = Watched(lambda name, args: _refuse_if(name == "open" and ".owner.here" in args[0]))
    there = JsonStore(path, system=system)
    assert [claim.job.id for claim in there.claim("there", NOW, 5)] == ["b"]
    assert content(here)["a"].owner == "here"
    there.close()
    here.close()


def test_a_key_that_was_taken_over_from_a_running_job_stays_taken_over_after_reopening(path: str) -> None:
    store = JsonStore(path)
    store.add([a_job("runs", key="k")], NOW)
    claim_all(store)
    store.add([a_job("waits", NOW + 5000, key="k")], NOW, on_conflict="replace")
    store.compact()
    with JsonStoreAgain(path) as again:
        assert again.add([a_job("third", key="k")], NOW) == ["waits"]
        again.add([a_job("fourth", NOW + 5000, key="k")], NOW, on_conflict="replace")
        assert again.check() == []
    store.close()


# ---- what is written can be read -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"due_ms": NOW + 0.5},
        {"due_ms": float(NOW)},
        {"due_ms": True},
        {"due_ms": -1},
        {"created_ms": 0.5},
        {"id": ""},
        {"id": 7},
        {"key": 7},
        {"queue": None},
        {"priority": float("nan")},
        {"max_crashes": 0},
        {"state": "running"},
        {"payload": "oops"},
        {"payload": "[[1]]"},
        {"payload": "[[1],\n{}]"},
        {"payload": '[["ü"],{}]'},
    ],
)
@pytest.mark.parametrize("kind", ["json", "memory"])
def test_a_job_that_could_not_be_read_back_is_refused_and_the_store_can_still_be_opened(
    kind: str, fields: dict[str, Any], path: str
) -> None:
    store = JsonStore(path) if kind == "json" else MemoryStore()
    good = a_job("good")
    with pytest.raises((InvalidValue, PayloadError)):
        store.add([good, good._replace(**{"id": "bad", **fields})], NOW)
    assert content(store) == {}
    assert store.add([good], NOW) == ["good"]
    store.close()
    if kind == "json":
        with JsonStoreAgain(path) as again:
            assert set(content(again)) == {"good"}


def test_a_float_for_an_instant_does_not_destroy_the_store_on_the_short_way_either(path: str) -> None:
    store = JsonStore(path)
    with pytest.raises(InvalidValue):
        store.add([a_job("a", due_ms=NOW + 0.5)], NOW, fresh=True)  # type: ignore[arg-type]
    store.close()
    with JsonStoreAgain(path) as again:
        assert again.check() == []


def test_a_field_of_a_newer_version_that_has_a_payload_within_it_is_kept() -> None:
    job = a_job("a", extra='{"trace":{"id":1,"payload":2}}', returned='{"payload":1}')
    assert decode_job(encode_job(job).encode()) == job


def test_no_extra_fields_are_no_broken_json() -> None:
    assert decode_job(encode_job(a_job("a", extra="{}")).encode()) == a_job("a")


# ---- damage is told from an unfinished write -------------------------------------------------------------


def _journal(path: str, epoch: int = 1) -> Path:
    return Path(f"{path}.journal.{epoch}")


def test_damage_to_a_last_record_that_ends_where_a_sector_does_is_not_taken_for_a_torn_write(path: str) -> None:
    store = JsonStore(path, durability="os")
    store.add([a_job("a")], NOW)
    filled = a_job("a", payload=f'[["{"x" * (512 - (epoch_of(store).journal.end - 1) % 512 - 2)}"],{{}}]')
    store.close()
    path2 = path + "2"
    store = JsonStore(path2, durability="os")
    store.add([filled], NOW)
    end = epoch_of(store).journal.end
    store.close()
    assert (end - 1) % 512 == 0, "the record's line feed is to be the first byte of a sector"
    data = bytearray(_journal(path2).read_bytes())
    data[end - 20] ^= 1
    _journal(path2).write_bytes(data)
    with pytest.raises(StoreCorrupt):
        JsonStore(path2)


def test_a_journal_whose_first_sector_was_lost_is_refused_and_not_begun_anew(path: str) -> None:
    store = JsonStore(path)
    store.add(some_jobs(100), NOW)
    store.close()
    journal = _journal(path)
    data = bytearray(journal.read_bytes())
    for blank in (b"\0" * 512, b"\n" * 512, b"\0" * 8192):
        journal.write_bytes(blank + data[len(blank) :])
        with pytest.raises(StoreCorrupt):
            JsonStore(path)
        assert journal.read_bytes() == blank + data[len(blank) :], "nothing was changed"
    journal.write_bytes(data)
    with JsonStoreAgain(path) as again:
        assert len(content(again)) == 100


def test_the_remains_of_an_unfinished_write_behind_a_hole_do_not_come_back_to_life(path: str) -> None:
    store = JsonStore(path, durability="os")
    store.add([a_job("acknowledged")], NOW)
    end = epoch_of(store).journal.end
    big = '[["' + "x" * 600 + '"],{}]'
    store.add([a_job("lost", payload=big)], NOW)
    store.add([a_job("remains", payload=big)], NOW)
    store.close()
    journal = _journal(path)
    data = bytearray(journal.read_bytes())
    hole = (end // 512 + 1) * 512
    data[end:hole] = b"\n" * (hole - end)
    journal.write_bytes(data)
    store = JsonStore(path)
    assert set(content(store)) == {"acknowledged"}
    for number in range(50):
        store.add([a_job(f"new-{number}", payload='[["' + "y" * number + '"],{}]')], NOW)
        store.get(["acknowledged"])[0]
    assert len(content(store)) == 51
    store.close()
    with JsonStoreAgain(path) as again:
        assert len(content(again)) == 51


def test_whole_records_behind_a_hole_are_kept_in_a_file_that_nobody_else_can_read(path: str) -> None:
    store = JsonStore(path, durability="os")
    for number in range(8):
        store.add([a_job(f"job-{number}", payload='[["' + "x" * 600 + '"],{}]')], NOW)
    store.close()
    data = bytearray(_journal(path).read_bytes())
    data[1024:1536] = b"\n" * 512
    _journal(path).write_bytes(data)
    with JsonStoreAgain(path) as again:
        kept = set(content(again))
    [dropped] = Path(path).parent.glob("*.dropped.*")
    assert len(kept) < 8
    assert dropped.read_bytes().count(b'"op":"add"') + len(kept) >= 7
    assert stat.S_IMODE(dropped.stat().st_mode) == 0o600


@pytest.mark.parametrize("field", ["running_at", "finished_at", "sizes"])
def test_damage_to_the_head_of_the_index_hides_no_job(path: str, field: str) -> None:
    store = JsonStore(path)
    store.add(some_jobs(20), NOW)
    claims = store.claim("gone", NOW, 5)
    store.settle(effects([(claims[0], Succeeded()), (claims[1], Succeeded())]), NOW)
    store.compact()
    before = content(store)
    store.close()
    index = Path(f"{path}.index.2")
    data = bytearray(index.read_bytes())
    last_digit = data.index(b",", data.index(f'"{field}":'.encode())) - 1
    data[last_digit] ^= 1
    index.write_bytes(data)
    with JsonStoreAgain(path) as again:
        assert content(again) == before
        assert again.check() == []


# ---- dying at the wrong moment ---------------------------------------------------------------------------


def test_a_store_whose_maker_died_before_it_was_made_can_be_made_again(path: str) -> None:
    class Died(BaseException):
        pass

    def die(name: str, args: tuple[Any, ...]) -> None:
        if name == "replace":
            raise Died

    with pytest.raises(Died):
        JsonStore(path, system=Watched(die))
    assert _journal(path).exists()
    with JsonStoreAgain(path) as again:
        again.add([a_job("a")], NOW)


def test_a_lost_snapshot_is_still_noticed_by_the_journal_that_was_left(path: str) -> None:
    store = JsonStore(path)
    store.add([a_job("a")], NOW)
    store.close()
    os.unlink(path)
    with pytest.raises(StoreCorrupt, match="missing"):
        JsonStore(path)


def test_a_lost_snapshot_of_a_later_epoch_is_noticed_even_if_the_journal_is_empty(path: str) -> None:
    store = JsonStore(path)
    store.add([a_job("a")], NOW)
    store.compact()
    store.close()
    os.unlink(path)
    with pytest.raises(StoreCorrupt, match="missing"):
        JsonStore(path)


def test_who_opens_a_store_makes_its_names_durable_because_its_maker_may_have_died_before_he_did(path: str) -> None:
    JsonStore(path).close()
    synced: list[str] = []

    def watch(name: str, args: tuple[Any, ...]) -> None:
        if name == "fsync":
            synced.append(path_of(args[0]))

    JsonStore(path, system=Watched(watch)).close()
    assert os.path.dirname(os.path.realpath(path)) in synced


def test_an_epoch_that_another_began_meanwhile_is_not_begun_again_over_its_journal(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = JsonStore(path), JsonStore(path)
    real = compactor.claim_work

    def late(*args: Any) -> int | None:
        monkeypatch.setattr(compactor, "claim_work", real)
        there.add([a_job("before")], NOW)
        there.compact()
        there.add([a_job("after")], NOW)
        return real(*args)

    monkeypatch.setattr(compactor, "claim_work", late)
    here.compact()
    assert set(content(here)) == set(content(there)) == {"before", "after"}
    here.close()
    there.close()
    with JsonStoreAgain(path) as again:
        assert set(content(again)) == {"before", "after"}


# ---- errors of the disk ----------------------------------------------------------------------------------


def test_nothing_is_added_to_a_journal_that_was_left_when_the_directory_could_not_be_synced(path: str) -> None:
    renamed: list[bool] = []

    def before(name: str, args: tuple[Any, ...]) -> None:
        if name == "replace":
            renamed.append(True)
        elif name == "fsync" and renamed == [True]:
            renamed.append(False)
            raise OSError(errno.EIO, "injected")

    JsonStore(path).close()
    store = JsonStore(path, system=Watched(before))
    store.add([a_job("a")], NOW, fresh=True)
    with pytest.raises(StoreError):
        store.compact()
    store.add([a_job("b")], NOW, fresh=True)
    with JsonStoreAgain(path) as again:
        assert set(content(again)) == {"a", "b"}
    store.close()


def test_a_new_epoch_that_could_not_be_renamed_leaves_the_old_one_in_use(path: str) -> None:
    system = Failing("replace", errno.EACCES)
    store = JsonStore(path, system=system)
    system.failing = True
    with pytest.raises(StoreError):
        store.compact()
    store.add([a_job("a")], NOW, fresh=True)
    with JsonStoreAgain(path) as again:
        assert set(content(again)) == {"a"}
        again.add([a_job("b")], NOW, fresh=True)
        assert set(content(store)) == {"a", "b"}
    store.close()


def test_after_a_failed_sync_nothing_is_acknowledged_while_somebody_else_keeps_the_new_epoch_from_being_written(
    path: str,
) -> None:
    system = Failing("fdatasync")
    store = JsonStore(path, system=system)
    with open(path + ".next", "wb") as at_work:
        fcntl.flock(at_work, fcntl.LOCK_EX)
        system.failing = True
        with pytest.raises(StoreUncertain):
            store.add([a_job("a")], NOW)
        system.failing = False
        with pytest.raises(StoreBusy):
            store.add([a_job("b")], NOW)
    store.add([a_job("c")], NOW)
    assert os.path.exists(path + ".journal.2")
    assert {"c"} <= set(content(store)) <= {"a", "c"}
    store.close()


def test_of_two_syncs_at_once_none_is_told_that_all_is_well_when_the_first_fails(path: str) -> None:
    """The kernel tells of a failed write-back once for each open file."""
    inside, go_on = threading.Event(), threading.Event()
    syncs: list[int] = []

    def before(name: str, args: tuple[Any, ...]) -> None:
        if name == "fdatasync" and armed:
            syncs.append(args[0])
            if len(syncs) == 1:
                inside.set()
                go_on.wait(PATIENCE_S)
                raise OSError(errno.EIO, "told once")

    armed = False
    store = JsonStore(path, system=Watched(before))
    store.add([a_job("x")], NOW)
    armed = True
    answers: dict[str, object] = {}

    def add(name: str, fresh: bool) -> None:
        try:
            store.add([a_job(name)], NOW, fresh=fresh)
            answers[name] = "acknowledged"
        except StoreError as error:
            answers[name] = error

    first = threading.Thread(target=add, args=("first", True))
    first.start()
    assert inside.wait(PATIENCE_S)
    second = threading.Thread(target=add, args=("second", False))
    second.start()
    deadline = threading.Event()
    while "second" not in epoch_of(store).state.rows and not deadline.wait(0.001):
        pass
    go_on.set()
    first.join(PATIENCE_S)
    second.join(PATIENCE_S)
    assert isinstance(answers["first"], StoreUncertain)
    assert isinstance(answers["second"], StoreUncertain)
    store.close()


def test_an_add_that_finds_its_job_already_there_returns_only_once_that_is_on_the_disk(path: str) -> None:
    writer = JsonStore(path, durability="os")
    system = Failing("fdatasync")
    store = JsonStore(path, system=system)
    writer.add([a_job("a")], NOW)
    before = system.calls["fdatasync"]
    assert store.add([a_job("a")], NOW) == ["a"]
    assert system.calls["fdatasync"] == before + 1
    writer.close()
    store.close()


def test_who_opens_a_store_after_a_sync_failed_in_a_process_that_died_writes_it_anew(path: str) -> None:
    """What he reads looks right, but is in the memory of the machine only; and no sync of his would bring it to the disk."""
    system = Failing("fdatasync")
    failed = JsonStore(path, system=system)
    failed.add([a_job("a")], NOW)
    system.failing = True
    with pytest.raises(StoreUncertain):
        failed.add([a_job("b")], NOW)
    failed._keeper.newest.lock.close()  # it dies: nothing is closed in order
    with JsonStoreAgain(path) as other:
        assert epoch_of(other).number == 2
        assert set(content(other)) == {"a", "b"}


def test_who_has_a_store_open_when_a_sync_fails_elsewhere_writes_it_anew_before_he_goes_on(path: str) -> None:
    system = Failing("fdatasync")
    failed, other = JsonStore(path, system=system), JsonStore(path)
    system.failing = True
    with pytest.raises(StoreUncertain):
        failed.add([a_job("a")], NOW)
    assert other.get(["a"])[0] is not None
    assert epoch_of(other).number == 2
    system.failing = False
    failed.add([a_job("b")], NOW)
    assert set(content(other)) == {"a", "b"}
    failed.close()
    other.close()


def test_compacting_mends_what_a_failed_write_has_left_before_it_begins(path: str) -> None:
    system = Failing("fdatasync")
    store = JsonStore(path, system=system)
    system.failing = True
    with pytest.raises(StoreUncertain):
        store.add([a_job("a")], NOW)
    system.failing = False
    store.compact()
    assert set(content(store)) == {"a"}
    store.close()


def test_a_process_killed_while_it_cuts_off_an_unfinished_write_leaves_no_damage(path: str) -> None:
    store = JsonStore(path)
    store.add([a_job("a")], NOW)
    end = epoch_of(store).journal.end
    store.close()
    data = bytearray(_journal(path).read_bytes())
    data[end : end + 400] = b'0123abcd 000400 {"seq":2,' + b"x" * 375
    _journal(path).write_bytes(data)
    written: list[int] = []

    class Killed(BaseException):
        pass

    def before(name: str, args: tuple[Any, ...]) -> None:
        if name == "pwrite":
            half = len(args[1]) // 2
            os.pwrite(args[0], args[1][:half], args[2])
            written.append(half)
            raise Killed

    try:
        JsonStore(path, system=Watched(before)).close()
    except Killed:
        pass
    with JsonStoreAgain(path) as again:
        assert set(content(again)) == {"a"}


def test_a_change_that_closing_made_durable_is_not_called_doubtful(path: str) -> None:
    store = JsonStore(path)
    store._changing(lambda _: store._commit([a_job("a")], ()))
    written = epoch_of(store), epoch_of(store).journal.end
    store.close()
    store._keeper._sync(written)


# ---- being interrupted -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fresh", [True, False])
def test_ctrl_c_between_writing_a_change_and_applying_it_leaves_the_store_usable(
    path: str, fresh: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = JsonStore(path)
    store.add([a_job("before")], NOW)
    state = type(epoch_of(store).state)
    real = state.insert

    def interrupted(*args: Any, **options: Any) -> None:
        monkeypatch.setattr(state, "insert", real)
        raise KeyboardInterrupt

    monkeypatch.setattr(state, "insert", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.add([a_job("a")], NOW, fresh=fresh)
    claims = claim_all(store)
    assert {claim.job.id for claim in claims} == {"before", "a"}
    assert store.settle(effects([(claim, Succeeded()) for claim in claims]), NOW) == []
    assert store.check() == []
    store.close()
    with JsonStoreAgain(path) as again:
        assert again.check() == []


def test_a_failed_read_in_the_middle_of_taking_due_jobs_hides_none_of_them(path: str) -> None:
    system = Failing("pread")
    store = JsonStore(path, system=system)
    store.add(some_jobs(50, due_ms=NOW - 100_000, step_ms=1000), NOW)
    store.compact()
    for nth in range(1, 60, 7):
        left = nth

        def before(name: str, args: tuple[Any, ...]) -> None:
            nonlocal left
            left -= name == "pread"
            if left == 0 and name == "pread":
                raise OSError(errno.EIO, "injected")

        system.before = before
        try:
            store.claim("owner", NOW, 0)
        except StoreError:
            pass
    system.before = lambda name, args: None
    assert len(claim_all(store)) == 50
    store.close()


def test_the_thread_aside_outlives_work_that_fails() -> None:
    aside = Background()
    done = threading.Event()

    def fail() -> None:
        raise ValueError("on purpose")

    aside.do(fail)
    aside.do(done.set)
    assert done.wait(PATIENCE_S)
    aside.stop()


def test_what_is_done_regularly_is_done_in_the_pauses_of_long_work_too() -> None:
    aside = Background()
    often = threading.Semaphore(0)
    finished = threading.Event()

    def long_work() -> None:
        while not finished.is_set():
            aside.pause()

    aside.every(0.001, often.release)
    aside.do(long_work)
    for _ in range(5):
        assert often.acquire(timeout=PATIENCE_S)
    finished.set()
    aside.stop()


# ---- threads and children --------------------------------------------------------------------------------


def test_threads_of_a_child_that_open_the_store_at_the_same_time_do_not_write_over_each_other(path: str) -> None:
    store = JsonStore(path)
    store._keeper.forget_parent()
    gate = store._keeper._gate
    store.add([a_job("a")], NOW)
    assert store._keeper._gate is gate
    store.close()


def test_a_child_forgets_the_locks_that_threads_of_its_parent_held(path: str) -> None:
    store = JsonStore(path)
    for gate in (store._keeper._gate, store._keeper._group_commit.gate, epoch_of(store).journal._turn):
        gate._held[0] = [-1]
    store._keeper.forget_parent()
    finished = threading.Event()

    def use() -> None:
        store.notify()
        store.add([a_job("a")], NOW, fresh=True)
        store.close()
        finished.set()

    threading.Thread(target=use, daemon=True).start()
    assert finished.wait(PATIENCE_S)


def test_a_child_in_which_the_store_could_not_be_opened_opens_it_at_the_next_try(path: str) -> None:
    system = Failing("open", errno.EMFILE)
    store = JsonStore(path, system=system)
    store._keeper.forget_parent()
    system.failing = True
    for _ in range(3):
        with pytest.raises(StoreError):
            store.add([a_job("a")], NOW)
    system.failing = False
    assert store.add([a_job("a")], NOW) == ["a"]
    store.close()


def test_waiting_bears_the_change_of_an_epoch(path: str) -> None:
    store = JsonStore(path)
    epoch_of(store).journal.close()
    assert store.wait(0.05)


# ---- compaction ------------------------------------------------------------------------------------------


def test_a_journal_that_producers_who_came_and_went_made_long_is_compacted_by_who_stays(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epoch, "LEAST_JOURNAL", 4096)
    for number in range(10):
        with JsonStoreAgain(path) as producer:
            producer.add(some_jobs(10, prefix=f"from-{number}"), NOW, fresh=True)
    store = JsonStore(path, durability="os")
    store.add([a_job("last")], NOW, fresh=True)
    pause, pauses = threading.Event(), 0
    while epoch_of(store).number == 1 and pauses < 1000:
        pause.wait(0.01)
        pauses += 1
    assert epoch_of(store).number > 1
    assert len(content(store)) == 101
    store.close()


class JsonStoreAgain:
    """A store opened for the length of a block."""

    def __init__(self, path: str) -> None:
        self._store = JsonStore(path, durability="os")

    def __enter__(self) -> JsonStore:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


def _refuse_if(condition: bool) -> None:
    if condition:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_a_job_run_once_more_while_the_compaction_leaves_it_out_does_not_make_that_fail_as_damage(path: str) -> None:
    """`hourwheel compact` said that the new journal was damaged; the one aside was given up, with the same words in the log."""
    store = JsonStore(path, durability="os", clock=StoppedClock())
    store.add([a_job("a", NOW - 10, result_ttl_ms=0)], NOW)
    store.settle(effects([(claim, Succeeded()) for claim in claim_all(store)]), NOW)
    found = []

    def meanwhile() -> None:
        if not found:
            found.append(store.revive(["a"], NOW + 5, NOW)[0])

    assert not store._keeper._compactor.run(meanwhile)
    store.compact()
    assert found == [Found.FINISHED]
    assert [job.id for job in store.scan()] == ["a"]
    assert store.check() == []
    store.close()


def test_a_job_that_a_new_one_waits_for_while_the_compaction_leaves_it_out_is_kept(path: str) -> None:
    """The new job would have failed: what it waits for would not have been in the new epoch."""
    store = JsonStore(path, durability="os", clock=StoppedClock())
    store.add([a_job("a", NOW - 10, result_ttl_ms=0)], NOW)
    store.settle(effects([(claim, Succeeded()) for claim in claim_all(store)]), NOW)
    assert not store._keeper._compactor.run(
        lambda: _add_once(store, a_job("b", MAX_MS, after=After(("a",), 1, "succeeded", "nothing")))
    )
    store.compact()
    a, b = store.get(["a", "b"])
    assert a is not None and b is not None and b.after is not None
    assert (a.state, a.wakes, b.after.left, b.due_ms) == (State.SUCCEEDED, ("b",), 0, NOW)
    assert store.check() == []
    store.close()


def test_arguments_that_look_like_a_record_do_not_stop_a_compaction(path: str) -> None:
    store = JsonStore(path, durability="os", clock=StoppedClock())
    store.add([a_job("a")], NOW)
    assert store._keeper._compactor.run(lambda: _add_once(store, a_job("b", payload='[[{"op":"revive"}],{}]')))
    assert [job.id for job in store.scan()] == ["a", "b"]
    store.close()


def _add_once(store: JsonStore, job: Job) -> None:
    if store.get([job.id])[0] is None:
        store.add([job], NOW)


def test_of_two_running_jobs_with_a_key_the_newer_holds_it_before_and_after_reopening(path: str) -> None:
    """Whoever called again was given the id of the one that had been replaced first."""
    store = JsonStore(path, durability="os", clock=StoppedClock())
    for id in ("first", "second", "third"):
        store.add([a_job(id, key="k")], NOW, on_conflict="replace")
        if id != "third":
            claim_all(store)
    store.cancel(["third"], NOW)
    other = JsonStore(path, durability="os", clock=StoppedClock())
    for opened in (store, other):
        assert opened.add([a_job("fourth", key="k")], NOW) == ["second"]
        opened.close()


def test_an_id_written_by_hand_in_letters_that_are_not_ascii_is_read_and_a_broken_line_is_an_error_of_ours() -> None:
    """It was a UnicodeDecodeError, out of any verb that came to that line."""
    line = encode_job(a_job("ID", due_ms=5)).replace("ID", "caf\u00e9").encode()
    assert peek(line) == ("caf\u00e9", 5)
    with pytest.raises(UnreadableJob):
        peek(line[:-1])


def test_a_reason_that_cannot_be_compared_is_refused_like_any_that_is_no_string(path: str) -> None:
    class Evil:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("compared")

        __hash__ = None  # type: ignore[assignment]

    store = JsonStore(path, durability="os", clock=StoppedClock())
    with pytest.raises(InvalidValue, match="reason must be a string or None"):
        store.add([a_job("a")._replace(reason=Evil())], NOW)  # type: ignore[arg-type]
    store.add([a_job("b")._replace(reason="")], NOW)
    assert [job.id for job in store.scan()] == ["b"]
    store.close()
