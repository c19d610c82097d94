"""What takes long is read without the writers' lock; and what happens meanwhile is not missed."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from typing import Any

import pytest
from hourwheel.errors import StoreBusy, StoreCorrupt, StoreError
from hourwheel.job import State, Succeeded
from hourwheel.store import JsonStore
from hourwheel.store.file import ahead
from hourwheel.store.file.epoch import Epoch
from hourwheel.store.file.format import journal
from hourwheel.turn import effects

from tests.kit.forms import new_store
from tests.kit.jobs import NOW, a_job, content, epoch_of, some_jobs
from tests.kit.memory_system import DIRECTORY, MemorySystem

MANY = 2_000
LITTLE = 1 << 17
LOCK, STORE = f"{DIRECTORY}/tasks.json.lock", f"{DIRECTORY}/tasks.json"


class Shared(MemorySystem):
    """Notes what is read under the lock, and lets others act just before somebody takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.under_lock = 0
        """Bytes that were read and are not blank."""
        self.read = 0
        """The same, with and without the lock."""
        self.meanwhile: list[Callable[[], None]] = []
        """Done one at a time, each before an attempt to take the lock."""

    def _do_pread(self, fd: int, size: int, offset: int) -> bytes:
        data = super()._do_pread(fd, size, offset)
        count = len(data.replace(b"\n", b""))
        self.read += count
        if self._names[LOCK].holder is not None:
            self.under_lock += count
        return data

    def _do_flock(self, fd: int, operation: int) -> None:
        if operation & fcntl.LOCK_EX and self.meanwhile and self._at(fd) is self._names.get(LOCK):
            self.meanwhile.pop(0)()
        super()._do_flock(fd, operation)


@pytest.fixture(autouse=True)
def _little_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read without the lock begins at 64 KiB, so that a test need not write megabytes."""
    monkeypatch.setattr(journal, "_MUCH", 1 << 16)
    monkeypatch.setattr(ahead, "_LONG", 1 << 16)


def many(first: int, count: int = MANY) -> list[Any]:
    return [a_job(f"many-{n}", NOW + n) for n in range(first, first + count)]


def raised(error: Exception) -> Any:
    raise error


def adds(store: JsonStore, id: str) -> None:
    store.add([a_job(id, NOW)], NOW)


def test_whoever_opens_a_store_with_a_long_journal_reads_hardly_any_of_it_under_the_lock() -> None:
    system = Shared()
    first = new_store(system)
    first.add(many(0), NOW)
    system.under_lock = 0
    second = new_store(system)
    assert system.under_lock < LITTLE < len(system.files()["tasks.json.journal.1"].rstrip(b"\n"))
    assert content(second) == content(first)


def test_whoever_was_idle_for_long_reads_hardly_anything_of_what_others_wrote_under_the_lock() -> None:
    system = Shared()
    idle, busy = new_store(system), new_store(system)
    busy.add(many(0), NOW)
    system.under_lock = 0
    idle.add([a_job("one", NOW)], NOW, fresh=True)
    assert system.under_lock < LITTLE
    assert content(idle) == content(busy)


def test_whoever_goes_over_to_a_newer_epoch_reads_hardly_any_of_it_under_the_lock() -> None:
    system = Shared()
    idle, busy = new_store(system), new_store(system)
    busy.compact()
    busy.add(many(0), NOW)
    system.under_lock = 0
    idle.add([a_job("one", NOW)], NOW, fresh=True)
    assert system.under_lock < LITTLE
    assert content(idle) == content(busy)


@pytest.mark.parametrize("changes", [1, 20])
def test_whoever_goes_over_to_a_newer_epoch_does_not_read_all_of_its_snapshot(
    monkeypatch: pytest.MonkeyPatch, changes: int
) -> None:
    """Another of this kind has just written it; checksums are compared when a store is opened."""
    if changes == 1:
        monkeypatch.setattr(ahead, "_LONG", 1 << 30)  # and under the lock nobody reads all of it either
    system = Shared()
    idle, busy = new_store(system), new_store(system)
    busy.add([a_job(f"far-{n}", NOW + 10**8 + n) for n in range(MANY)], NOW)
    idle.add([a_job("one", NOW)], NOW, fresh=True)
    busy.compact()
    for number in range(changes):
        busy.add(many(100 * number, 100), NOW)
    long = len(system.files()["tasks.json.journal.2"].rstrip(b"\n"))
    system.read = 0
    idle.add([a_job("two", NOW)], NOW, fresh=True)
    assert system.read < long + LITTLE < long + len(system.files()["tasks.json"])


@pytest.mark.parametrize("opens", [True, False])
def test_a_lock_file_that_was_removed_while_it_was_given_back_is_locked_under_its_name(opens: bool) -> None:
    system = Shared()
    store, busy = new_store(system), new_store(system)
    busy.add(many(0), NOW)
    system.meanwhile.append(lambda: system.unlink(LOCK))
    if opens:
        new_store(system)
    else:
        system.meanwhile.insert(0, lambda: None)  # the first attempt to take the lock is that of the verb itself
        store.add([a_job("one", NOW)], NOW, fresh=True)
    assert system.meanwhile == []
    assert LOCK in system._names


def test_a_job_added_while_somebody_opens_the_store_is_there_for_him() -> None:
    system = Shared()
    first = new_store(system)
    first.add(some_jobs(3), NOW)
    system.meanwhile.append(lambda: adds(first, "meanwhile"))
    second = new_store(system)
    assert second.get(["meanwhile"])[0] is not None
    assert content(second) == content(first)


def test_an_epoch_begun_while_somebody_opens_the_store_is_the_one_he_opens() -> None:
    system = Shared()
    first = new_store(system)
    first.add(some_jobs(3), NOW)

    def compact() -> None:
        first.compact()
        first.add([a_job("afterwards", NOW)], NOW)

    system.meanwhile.append(compact)
    before = system.open_count()
    second = new_store(system)
    assert epoch_of(second).number == 2
    assert content(second) == content(first)
    second.close()
    assert system.open_count() == before  # nothing of the epoch that was thrown away is left open


def test_a_program_that_started_just_as_the_last_other_one_ended_was_told_that_its_store_was_moved() -> None:
    """Who closes as the last writes one whole file and removes its journal: the newcomer had read that one ahead."""
    system = Shared()
    last = new_store(system)
    last.add(some_jobs(3), NOW)
    before, journal = content(last), f"{DIRECTORY}/tasks.json.journal.2"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system, "unlink", lambda path: None)
        last.close()  # all but that it still has to remove what is over
    system.meanwhile.append(lambda: system.unlink(journal))
    opened = system.open_count()
    newcomer = new_store(system)
    assert content(newcomer) == before
    newcomer.close()
    assert system.open_count() == opened


def test_two_epochs_begun_while_somebody_goes_over_to_a_newer_one_are_followed() -> None:
    system = Shared()
    idle, busy = new_store(system), new_store(system)
    busy.add(some_jobs(3), NOW)
    busy.compact()
    system.meanwhile += [lambda: None, busy.compact]  # the first attempt to take the lock is that of the verb itself
    idle.add([a_job("one", NOW)], NOW, fresh=True)
    assert epoch_of(idle).number == 3
    assert content(idle) == content(busy)


def test_a_store_made_anew_while_somebody_opens_it_is_not_taken_for_the_old_one() -> None:
    system = Shared()
    first = new_store(system)
    first.add(some_jobs(3), NOW)

    def make_anew() -> None:
        for name in list(system.files()):
            if name != "tasks.json.lock":
                system.unlink(f"{DIRECTORY}/{name}")
        new_store(system).add([a_job("of-the-new", NOW)], NOW)

    system.meanwhile.append(make_anew)
    second = new_store(system)
    assert list(content(second)) == ["of-the-new"]


def test_a_seal_lifted_by_another_while_it_was_looked_for_its_epoch_is_not_lifted_twice() -> None:
    system = Shared()
    here, there = new_store(system), new_store(system)
    here.add(some_jobs(3), NOW)
    there.get(["none"])[0]
    epoch_of(there).seal(2)  # and it dies before that epoch is there
    system.meanwhile += [lambda: None, lambda: adds(there, "lifts-it")]
    here.add([a_job("one", NOW)], NOW, fresh=True)
    text = system.files()["tasks.json.journal.1"]
    assert text.count(b'"op":"seal"') == text.count(b'"op":"unseal"') == 1
    assert content(here) == content(there) == content(new_store(system))


def test_a_short_journal_is_read_under_the_lock_which_is_not_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    system = Shared()
    idle, busy = new_store(system), new_store(system)
    busy.compact()
    for first in (0, MANY):  # in a newer epoch, and then in the one that it has open
        busy.add(many(first), NOW)
        system.meanwhile += [lambda: None, lambda: pytest.fail("the lock was given back")]
        idle.add([a_job(f"one-{first}", NOW)], NOW, fresh=True)
        system.meanwhile.clear()
    assert content(idle) == content(busy)


def test_a_lock_that_cannot_be_had_again_after_reading_is_a_busy_store_and_nothing_is_lost() -> None:
    system = Shared()
    idle, busy = new_store(system, lock_timeout_s=0.0), new_store(system)
    busy.add(many(0), NOW)
    holder = system.open(LOCK, os.O_RDWR, 0o600)
    system.meanwhile += [lambda: None, lambda: system.flock(holder, fcntl.LOCK_EX)]
    with pytest.raises(StoreBusy):
        idle.add([a_job("one", NOW)], NOW, fresh=True)
    system.close(holder)
    idle.add([a_job("one", NOW)], NOW, fresh=True)
    assert content(idle) == content(busy)


@pytest.mark.parametrize("in_vain", [False, True])
def test_a_newer_epoch_read_ahead_is_closed_if_the_lock_cannot_be_had_again(
    monkeypatch: pytest.MonkeyPatch, in_vain: bool
) -> None:
    system = Shared()
    idle, busy = new_store(system, lock_timeout_s=0.0), new_store(system)
    busy.compact()
    holder = system.open(LOCK, os.O_RDWR, 0o600)
    before = system.open_count()
    system.meanwhile += [lambda: None, lambda: system.flock(holder, fcntl.LOCK_EX)]
    with monkeypatch.context() as patch, pytest.raises(StoreBusy):
        if in_vain:
            patch.setattr(Epoch, "read", lambda *_, **__: raised(StoreError("begun just now")))
        idle.add([a_job("one", NOW)], NOW, fresh=True)
    assert system.open_count() == before
    system.close(holder)
    idle.add([a_job("one", NOW)], NOW, fresh=True)
    assert list(content(busy)) == ["one"]
    assert content(idle) == content(busy)


def test_a_call_after_the_store_was_busy_was_written_to_the_epoch_that_was_over() -> None:
    """What it would have cost: a job that was acknowledged is lost."""
    system = Shared()
    idle, busy = new_store(system, lock_timeout_s=0.0), new_store(system)
    busy.compact()
    real = Epoch.open
    with pytest.MonkeyPatch.context() as patch, pytest.raises(StoreBusy):
        patch.setattr(Epoch, "open", lambda *args, **kwargs: raised(StoreBusy("locked")))
        idle.add([a_job("one", NOW)], NOW, fresh=True)
    assert Epoch.open == real
    idle.add([a_job("one", NOW)], NOW, fresh=True)
    assert list(content(busy)) == ["one"]


def test_what_cannot_be_read_without_the_lock_is_read_and_told_under_it() -> None:
    system = Shared()
    new_store(system).add(some_jobs(3), 0)
    snapshot = system._names[STORE].data
    whole = bytes(snapshot)
    snapshot[:] = whole.replace(b'\n"running":[', b'\n"runninG":[')
    system.meanwhile.append(lambda: snapshot.__setitem__(slice(None), whole))
    assert new_store(system).stats(NOW).scheduled == 3
    snapshot[:] = whole.replace(b'\n"running":[', b'\n"runninG":[')
    with pytest.raises(StoreCorrupt, match="checksum"):
        new_store(system)
    system.meanwhile.clear()
    snapshot[:] = whole


def test_a_call_that_fails_while_the_newest_is_looked_for_is_told_and_leaves_nothing_open() -> None:
    system = Shared()
    store = new_store(system)
    store.add(some_jobs(3), NOW)
    before = system.open_count()
    real, fails = system.stat, [True]

    def stat(path: str) -> Any:
        if path == STORE and fails:
            raise OSError(fails.pop() and errno.EIO, "Input/output error")
        return real(path)

    system.meanwhile.append(lambda: setattr(system, "stat", stat))
    second = new_store(system)  # by reading it again
    assert not fails
    second.close()
    assert system.open_count() == before


def test_a_claim_made_while_somebody_opens_the_store_is_his_no_second_time() -> None:
    system = Shared()
    first = new_store(system)
    first.add(many(0, 5), NOW)
    claims: list[Any] = []
    system.meanwhile.append(lambda: claims.extend(first.claim("first", NOW + 10, 10)))
    second = new_store(system)
    assert len(claims) == 5
    assert second.claim("second", NOW + 10, 10) == []
    assert first.settle(effects([(claim, Succeeded()) for claim in claims]), NOW) == []
    found = second.get(["many-0"])[0]
    assert found is not None
    assert found.state is State.SUCCEEDED


def test_a_journal_that_was_damaged_while_it_was_read_ahead_is_not_read_over() -> None:
    system = Shared()
    idle, busy = new_store(system), new_store(system)
    busy.add(many(0), NOW)
    data = system._names[f"{DIRECTORY}/tasks.json.journal.1"].data
    at = data.index(b'"many-1000"')
    data[at + 1 : at + 2] = b"M"
    with pytest.raises(StoreCorrupt):
        idle.get(["many-0"])[0]
    with pytest.raises(StoreError):
        JsonStore(STORE, durability="os", system=system)
    data[at + 1 : at + 2] = b"m"
    assert content(idle) == content(busy)
