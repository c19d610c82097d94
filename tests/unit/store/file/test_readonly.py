"""ReadOnlyStore: follows what others write, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hourwheel import StoreClosed, StoreCorrupt, StoreError, StoreReadOnly
from hourwheel.contract import Filter
from hourwheel.job import Job, Succeeded
from hourwheel.store import JsonStore, ReadOnlyStore, open_store
from hourwheel.store.file.system.system import System
from hourwheel.testing import FakeClock
from hourwheel.turn import effects

pytestmark = pytest.mark.usefixtures("not_folded")


def job(id: str, due_ms: int = 1000) -> Job:
    return Job(id=id, task="app.remind", due_ms=due_ms)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tasks.json"


def test_each_look_tells_what_others_have_written_by_then(path: Path) -> None:
    with ReadOnlyStore(_with(path, job("a"))) as looking:
        writer = JsonStore(path, durability="os", clock=FakeClock(0))
        assert [one.id for one in looking.scan()] == ["a"]
        writer.add([job("b")], 0)
        assert looking.stats(0).scheduled == 2
        (claim,) = writer.claim("me", 1000, 1)
        writer.settle(effects([(claim, Succeeded(returned="7"))]), 2000)
        found = looking.get(["a"])[0]
        assert found is not None
        assert found.returned == "7"
        writer.close()


def test_a_compaction_is_followed_into_the_new_epoch(path: Path) -> None:
    writer = JsonStore(path, durability="os")
    with ReadOnlyStore(path) as looking:
        for n in range(3):
            writer.add([job(f"before-{n}")], 0)
            writer.compact()
            writer.add([job(f"behind-{n}")], 0)
            assert looking.stats(0).scheduled == 2 * (n + 1)
        assert looking.check() == []
    writer.close()


def test_a_compaction_between_the_opening_of_both_files_does_not_hide_jobs(path: Path) -> None:
    """Else the snapshot of an epoch whose journal has gone would be shown, without what was in that journal."""
    writer = JsonStore(path, durability="os")
    writer.add([job("a")], 0)
    compactions = iter([True, True])

    class Late(System):
        @staticmethod
        def open(name: str, *args: int) -> int:  # type: ignore[override]
            if ".journal." in name and next(compactions, False):
                writer.compact()
            return System.open(name, *args)

    with ReadOnlyStore(path, system=Late()) as looking:
        assert next(compactions, False) is False
        assert [one.id for one in looking.scan()] == ["a"]
    writer.close()


def test_a_change_that_is_being_written_is_not_seen_before_it_is_whole(path: Path) -> None:
    _with(path, job("a"))
    (journal,) = path.parent.glob("tasks.json.journal.*")
    whole = journal.read_bytes()
    end = len(whole.rstrip(b"\n")) + 1
    writer = JsonStore(path, durability="os")
    writer.add([job("b")], 0)
    written = journal.read_bytes().rstrip(b"\n")[end:]
    with ReadOnlyStore(path) as looking:
        assert looking.stats(0).scheduled == 2
    for length in range(len(written)):
        journal.write_bytes(whole[:end] + written[:length] + b"\n" * 100)
        with ReadOnlyStore(path) as looking:
            assert looking.stats(0).scheduled == 1
            journal.write_bytes(whole[:end] + written + b"\n" * 100)
            assert looking.stats(0).scheduled == 2
    writer.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.add([job("x")], 0),
        lambda store: store.add([job("x")], 0, fresh=True),
        lambda store: store.claim("me", 5000, 1),
        lambda store: store.settle(effects([]), 0),
        lambda store: store.cancel(["a"], 0),
        lambda store: store.reschedule(["a"], 1, 0),
        lambda store: store.revive(["a"], 1, 0),
        lambda store: store.forget(["a"]),
        lambda store: store.pause(["queue:mail"]),
        lambda store: store.resume(["queue:mail"]),
    ],
)
def test_every_verb_that_changes_says_why_it_does_not(path: Path, change) -> None:  # type: ignore[no-untyped-def]
    before = {one.name: one.read_bytes() for one in _with(path, job("a")).parent.iterdir()}
    with open_store(f"json:{path}?read_only=true&durability=os") as store:  # type: ignore[attr-defined]
        with pytest.raises(StoreReadOnly, match="was opened for reading"):
            change(store)
        assert store.scan(Filter(task="app.remind"))[0].id == "a"
    assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == before


def test_what_is_no_store_is_not_made_one(path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        ReadOnlyStore(path)
    assert list(path.parent.iterdir()) == []


def test_a_damaged_journal_is_told_at_the_look_that_meets_it(path: Path) -> None:
    _with(path, job("a"), job("b"))
    (journal,) = path.parent.glob("tasks.json.journal.*")
    journal.write_bytes(journal.read_bytes().replace(b'"id":"a"', b'"id":"A"'))
    with pytest.raises(StoreCorrupt):
        ReadOnlyStore(path)


def test_a_store_that_was_removed_is_told(path: Path) -> None:
    looking = ReadOnlyStore(_with(path, job("a")))
    path.unlink()
    with pytest.raises(StoreError, match="cannot be read any more"):
        looking.stats(0)
    looking.close()
    with pytest.raises(StoreClosed):
        looking.stats(0)


def test_ctrl_c_in_the_midst_of_a_look_leaves_no_half_change(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = JsonStore(path, durability="os")
    looking = ReadOnlyStore(path)
    writer.add([job("a")], 0)
    epoch = type(looking._epoch)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(epoch, "apply", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        looking.stats(0)
    assert looking.stats(0).scheduled == 1
    looking.close()
    writer.close()


def _with(path: Path, *jobs: Job) -> Path:
    store = JsonStore(path, durability="os")
    store.add(jobs, 0)
    store.close()
    return path
