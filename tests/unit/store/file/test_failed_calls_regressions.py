"""Defects that failing calls brought to light, each test named after what the defect would have cost a user.

The thread of durability "interval" is run by hand here.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hourwheel.errors import StoreClosed, StoreError, StoreUncertain
from hourwheel.job import State
from hourwheel.store import JsonStore
from hourwheel.store.file.background import Background
from hourwheel.store.file.format.journal import Journal

from tests.kit.jobs import NOW, StoppedClock, a_job, content, epoch_of
from tests.kit.systems import Failing


@pytest.fixture(autouse=True)
def _no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Background, "every", lambda self, seconds, work: setattr(self, "_regular", (seconds, work)))
    monkeypatch.setattr(Background, "overdue", lambda self: None)


def _half_a_second_later(store: JsonStore) -> None:
    regular: Any = store._keeper._background._regular
    regular[1]()


def test_after_a_failed_sync_an_idle_program_does_not_leave_its_jobs_unsynced_until_its_next_call(
    tmp_path: Path,
) -> None:
    system = Failing("fdatasync", errno.EIO)
    store = JsonStore(tmp_path / "tasks.json", durability="interval", system=system)
    store.add([a_job("a")], NOW)
    failures = iter([OSError(errno.EIO, os.strerror(errno.EIO))])

    def fail_once(name: str, args: tuple[Any, ...]) -> None:
        if name == "fdatasync" and (failure := next(failures, None)):
            raise failure

    system.before = fail_once
    _half_a_second_later(store)
    assert store._keeper._trouble is None
    assert epoch_of(store).number == 2, "what was not synced must be written anew, into a new epoch"
    assert epoch_of(store).journal.synced == epoch_of(store).journal.end
    assert content(store).keys() == {"a"}
    store.close()


def test_jobs_of_a_killed_program_are_synced_by_another_that_lives(tmp_path: Path) -> None:
    system = Failing("fdatasync")
    living = JsonStore(tmp_path / "tasks.json", durability="interval", system=system)
    dead = JsonStore(tmp_path / "tasks.json", durability="os")
    dead.add([a_job("a")], NOW)
    before = system.calls["fdatasync"]
    _half_a_second_later(living)
    assert system.calls["fdatasync"] > before
    assert epoch_of(living).journal.synced == epoch_of(living).journal.end == epoch_of(dead).journal.end
    dead.close()
    living.close()


def test_closing_after_a_failed_sync_does_not_leave_what_was_acknowledged_to_the_next_power_loss(
    tmp_path: Path,
) -> None:
    system = Failing("fdatasync", errno.EIO)
    store = JsonStore(tmp_path / "tasks.json", durability="interval", system=system)
    store.add([a_job("a")], NOW)
    store._keeper._trouble = store._keeper._renew  # as a failed write leaves it
    store.close()
    assert (tmp_path / "tasks.json.journal.2").exists(), "what was not synced must be written anew, into a new epoch"
    with pytest.raises(StoreClosed):
        store.add([a_job("b")], NOW)


@pytest.mark.usefixtures("not_folded")
def test_closing_after_a_failed_read_still_syncs_what_was_acknowledged(tmp_path: Path) -> None:
    system = Failing("fstat", errno.EIO)
    store = JsonStore(tmp_path / "tasks.json", durability="interval", system=system)
    store.add([a_job("a")], NOW)
    system.failing = True
    with pytest.raises(StoreError):
        store.cancel(["a"], 0)
    system.failing = False
    before = system.calls["fdatasync"]
    store.close()
    assert system.calls["fdatasync"] == before + 1


def test_a_change_that_is_written_is_not_called_refused_because_a_read_failed_after_it(tmp_path: Path) -> None:
    JsonStore(tmp_path / "tasks.json").close()
    store = JsonStore(tmp_path / "tasks.json", system=(system := Failing("pread", errno.EIO)), clock=StoppedClock())
    store.add([a_job("a")], NOW)
    store.compact()
    real = Journal.append

    def append(self: Journal, *args: Any, **options: Any) -> None:
        real(self, *args, **options)
        system.failing = True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "append", append)
        with pytest.raises(StoreError, match="not known"):
            store.cancel(["a"], NOW)
    system.failing = False
    assert content(store)["a"].state is State.CANCELLED
    store.close()


def test_closing_says_so_if_what_was_acknowledged_cannot_be_put_on_the_disk(tmp_path: Path) -> None:
    system = Failing("fdatasync", errno.EIO)
    store = JsonStore(tmp_path / "tasks.json", durability="interval", system=system)
    store.add([a_job("a")], NOW)
    store._keeper._trouble = store._keeper._renew  # as a failed write leaves it
    system.failing = True
    with pytest.raises(StoreError):
        store.close()
    store.close()
    with pytest.raises(StoreClosed):
        store.stats(NOW)


def test_a_call_of_which_nobody_knows_whether_it_was_made_can_be_made_again(tmp_path: Path) -> None:
    """It said "nothing was added" once, of a job that was there when the disk worked again."""
    system = Failing("fdatasync", errno.EIO)
    store = JsonStore(tmp_path / "tasks.json", system=system, clock=StoppedClock())
    system.failing = True
    with pytest.raises(StoreUncertain, match="whether this change is on the disk is not known"):
        store.add([a_job("a")], NOW)
    system.failing = False
    assert store.add([a_job("a")], NOW) == ["a"]
    assert store.stats(NOW).accepted == 1
    store.close()
