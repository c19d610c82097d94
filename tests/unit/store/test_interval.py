"""What the thread of durability "interval" does, run here by hand: nothing older than a second may be lost by a power loss."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from noria.store import JsonStore
from noria.store.aside import Aside

from tests.kit.jobs import a_job, content
from tests.kit.systems import Failing


@pytest.fixture(autouse=True)
def _no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Aside, "every", lambda self, seconds, work: setattr(self, "_regular", (seconds, work)))


def _half_a_second_later(store: JsonStore) -> None:
    regular: Any = store._aside._regular
    regular[1]()


def test_after_a_failed_sync_an_idle_program_does_not_leave_its_jobs_unsynced_until_its_next_call(
    tmp_path: Path,
) -> None:
    system = Failing("fdatasync", errno.EIO)
    store = JsonStore(tmp_path / "tasks.json", durability="interval", system=system)
    store.add([a_job("a")])
    failures = iter([OSError(errno.EIO, os.strerror(errno.EIO))])

    def fail_once(name: str, args: tuple[Any, ...]) -> None:
        if name == "fdatasync" and (failure := next(failures, None)):
            raise failure

    system.before = fail_once
    _half_a_second_later(store)
    assert store._trouble is None
    assert store._epoch.number == 2, "what was not synced must be written anew, into a new epoch"
    assert store._epoch.journal.synced == store._epoch.journal.end
    assert content(store).keys() == {"a"}
    store.close()


def test_jobs_of_a_killed_program_are_synced_by_another_that_lives(tmp_path: Path) -> None:
    system = Failing("fdatasync")
    living = JsonStore(tmp_path / "tasks.json", durability="interval", system=system)
    dead = JsonStore(tmp_path / "tasks.json", durability="os")
    dead.add([a_job("a")])
    before = system.calls["fdatasync"]
    _half_a_second_later(living)
    assert system.calls["fdatasync"] > before
    assert living._epoch.journal.synced == living._epoch.journal.end == dead._epoch.journal.end
    dead.close()
    living.close()
