"""Backup and move: nothing is lost, whoever writes meanwhile and wherever it is killed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hourwheel import InvalidValue, StoreBusy, StoreCorrupt, StoreError
from hourwheel.contract import Filter
from hourwheel.job import Failed, Failure, Job, Succeeded
from hourwheel.store import JsonStore, MemoryStore, ReadOnlyStore
from hourwheel.store.file.backup import backup, move
from hourwheel.testing import FakeClock
from hourwheel.turn import effects

from tests.kit.kernel import needs_proc
from tests.kit.systems import Watched

NOW_MS = 10_000
ALL = 1 << 62


def job(id: str, due_ms: int = 1000, **fields: Any) -> Job:
    return Job(id=id, task="app.remind", due_ms=due_ms, result_ttl_ms=86_400_000, **fields)


def fill(store: JsonStore | MemoryStore) -> None:
    """Jobs of every state, some in the snapshot and some in the journal."""
    store.add([job(f"j{n:02d}", due_ms=1000 + n * 700, key=f"k{n}" if n % 3 == 0 else None) for n in range(12)], 0)
    first, second, _ = store.claim("me", NOW_MS, 3)
    store.settle(
        effects([(first, Succeeded(returned='"e"')), (second, Failed(error=Failure("E", "no", "tb")))]), NOW_MS
    )
    store.cancel(["j05"], NOW_MS)
    store.pause(["queue:mail"])


def content(path: Path) -> dict[str, object]:
    with ReadOnlyStore(path) as store:
        assert store.check() == []
        jobs = {one.id: one for one in store.scan(Filter(), ALL)}
        return {"jobs": jobs, "paused": store.paused(), "stats": store.stats(NOW_MS)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.json"
    store = JsonStore(path, durability="os", clock=FakeClock(NOW_MS))
    fill(store)
    store.compact()
    store.add([job(f"late{n}", due_ms=20_000 + n) for n in range(5)], 0)
    store.close()
    return path


def test_a_backup_has_every_job_as_it_was_and_is_one_file(path: Path, tmp_path: Path) -> None:
    before = content(path)
    copied = backup(path, tmp_path / "copy.json", now_ms=NOW_MS)
    assert (copied.scheduled, copied.running, copied.finished) == (13, 1, 3)
    assert copied.bytes == (tmp_path / "copy.json").stat().st_size
    assert content(tmp_path / "copy.json") == before
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("copy")] == ["copy.json"]


def test_a_backup_is_a_store_that_can_be_worked_on(path: Path, tmp_path: Path) -> None:
    backup(path, tmp_path / "copy.json", now_ms=NOW_MS)
    store = JsonStore(tmp_path / "copy.json", durability="os", clock=FakeClock(NOW_MS))
    claims = store.claim("other", NOW_MS, 100)
    assert min(one.token for one in claims) > 3  # tokens go on growing
    assert store.check() == []
    store.close()


def test_nobody_waits_while_a_backup_is_made(path: Path, tmp_path: Path) -> None:
    """Each system call of the backup finds a store that takes calls at once."""
    writer = JsonStore(path, durability="os", lock_timeout_s=0)
    calls = iter(range(200))

    def write(*_: Any) -> None:
        n = next(calls, None)
        if n is not None:
            writer.add([job(f"meanwhile-{n}")], 0)

    before = writer.stats(NOW_MS).accepted
    backup(path, tmp_path / "copy.json", now_ms=NOW_MS, system=Watched(write))
    assert writer.stats(NOW_MS).accepted > before + 20
    writer.close()
    with ReadOnlyStore(tmp_path / "copy.json") as copy:
        assert copy.check() == []
        assert copy.stats(0).accepted >= before


def test_compactions_during_a_backup_do_not_spoil_it(path: Path, tmp_path: Path) -> None:
    writer = JsonStore(path, durability="os", clock=FakeClock(NOW_MS))
    ids = {one.id for one in writer.scan(Filter(), ALL)}
    seen = iter(range(70))

    def compact(name: str, _: Any) -> None:
        if next(seen, 1) % 7 == 0 and name != "close":
            writer.compact()

    backup(path, tmp_path / "copy.json", now_ms=NOW_MS, system=Watched(compact))
    writer.close()
    with ReadOnlyStore(tmp_path / "copy.json") as copy:
        assert {one.id for one in copy.scan(Filter(), ALL)} == ids


def test_a_damaged_store_is_not_backed_up_as_if_it_were_sound(path: Path, tmp_path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"j03"', b'"j0x"'))
    with pytest.raises(StoreCorrupt):
        backup(path, tmp_path / "copy.json", now_ms=NOW_MS)
    assert not list(tmp_path.glob("copy*"))


def test_the_backup_of_last_week_is_not_written_over_unasked(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    copy.write_text("last week")
    with pytest.raises(InvalidValue, match="the path of no file"):
        backup(path, copy, now_ms=NOW_MS)
    assert copy.read_text() == "last week"
    backup(path, copy, now_ms=NOW_MS, replace=True)
    assert content(copy) == content(path)


@pytest.mark.parametrize("replace", [False, True])
def test_a_backup_never_lands_on_a_store(path: Path, tmp_path: Path, replace: bool) -> None:
    other = JsonStore(tmp_path / "other.json", durability="os")
    os.link(path, tmp_path / "linked.json")
    for to in (path, tmp_path / "other.json", tmp_path / "linked.json", tmp_path, tmp_path / "none" / "copy.json"):
        with pytest.raises(InvalidValue):
            backup(path, to, now_ms=NOW_MS, replace=replace)
    other.close()


def test_a_disk_that_fails_at_any_call_leaves_the_last_backup(path: Path, tmp_path: Path) -> None:
    copy, before = tmp_path / "copy.json", content(path)
    copy.write_text("last week")
    n = 0
    while True:
        n += 1
        left = iter(range(n))

        def fail(name: str, _: Any, left: Any = left) -> None:
            if next(left, None) is None and name not in ("close", "unlink"):
                raise OSError(5, "Input/output error")

        try:
            backup(path, copy, now_ms=NOW_MS, replace=True, system=Watched(fail))
        except StoreError:
            assert copy.read_text() == "last week" or content(copy) == before
            continue
        break
    assert n > 20
    assert content(copy) == before


# ---- move ------------------------------------------------------------------------------------------------


def test_a_move_takes_everything_along_and_leaves_nothing(path: Path, tmp_path: Path) -> None:
    before, to = content(path), tmp_path / "new" / "jobs.json"
    to.parent.mkdir()
    (tmp_path / "tasks.json.dropped.1.700").write_text("somebody's work")
    (tmp_path / "tasks.json.before-edit").write_text("kept")
    move(path, to, now_ms=NOW_MS)
    assert content(to) == before
    assert sorted(one.name for one in to.parent.iterdir()) == [
        "jobs.json",
        "jobs.json.before-edit",
        "jobs.json.dropped.1.700",
    ]
    assert list(tmp_path.glob("tasks.json*")) == []


def test_a_move_to_another_file_system(path: Path) -> None:
    to = Path("/dev/shm") / f"hourwheel-move-{os.getpid()}.json"
    if not to.parent.is_dir() or os.stat(to.parent).st_dev == os.stat(path.parent).st_dev:
        pytest.skip("there is no other file system here")
    try:
        before = content(path)
        move(path, to, now_ms=NOW_MS)
        assert content(to) == before
    finally:
        for left in to.parent.glob(to.name + "*"):
            left.unlink()


def test_a_worker_that_lives_keeps_its_store_where_it_is(path: Path, tmp_path: Path) -> None:
    worker = JsonStore(path, durability="os")
    worker.claim("web-1", 0, 0)
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    with pytest.raises(StoreBusy, match="web-1"):
        move(path, tmp_path / "new.json", now_ms=NOW_MS)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before
    worker.close()


@needs_proc
def test_a_call_through_a_store_that_was_moved_is_refused_and_not_lost(path: Path, tmp_path: Path) -> None:
    """A program of another user, or in another container, cannot be seen to have it open."""
    producer = JsonStore(path, durability="os")
    assert producer.stats(0).scheduled == 13
    move(path, tmp_path / "new.json", now_ms=NOW_MS)
    for _ in range(3):
        with pytest.raises(StoreError):
            producer.add([job("lost?")], 0, fresh=True)
        with pytest.raises(StoreError):
            producer.cancel(["j11"], NOW_MS)
    with ReadOnlyStore(tmp_path / "new.json") as store:
        assert store.get(["lost?"])[0] is None
    assert not path.exists()


class Killed(BaseException):
    """The process is gone."""


def test_a_move_that_is_killed_at_any_call_loses_no_job(path: Path, tmp_path: Path) -> None:
    before, files = content(path), {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    n, second = 0, 0
    while True:
        n += 1
        for left in tmp_path.iterdir():
            left.unlink()
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        calls = iter(range(n))

        def kill(name: str, _: Any, calls: Any = calls) -> None:
            if next(calls, None) is None and name != "close":
                raise Killed

        try:
            move(path, tmp_path / "new.json", now_ms=NOW_MS, system=Watched(kill))
        except Killed:
            second += _again(path, tmp_path / "new.json")
            found = [one for one in (path, tmp_path / "new.json") if one.exists()]
            assert len(found) == 1, (n, sorted(one.name for one in tmp_path.iterdir()))
            assert content(found[0]) == before
            continue
        break
    assert n > 40
    assert second > 0


def _again(path: Path, to: Path) -> bool:
    """A second move, where the first one died between its two renames."""
    if path.exists() or to.exists():
        return False
    move(path, to, now_ms=NOW_MS)
    return True
