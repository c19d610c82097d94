"""Calls of a store that an exception from outside strikes, that cannot start a thread, or that a handler makes."""

from __future__ import annotations

import _thread
import fcntl
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hourwheel import Scheduler, State
from hourwheel.errors import StoreReentered
from hourwheel.store import JsonStore, MemoryStore
from hourwheel.store.doorbell import Doorbell
from hourwheel.store.file.background import Background
from hourwheel.store.file.format.journal import Journal

from tests.kit.jobs import NOW, a_job, epoch_of

PATIENCE_S = 10.0
DURABILITIES = ("sync", "interval", "os")


class Struck(Exception):
    """What a handler raises: of SIGALRM, say."""


def once(real: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    """The function, struck at its first call."""
    left = [None]

    def struck(*args: Any, **options: Any) -> Any:
        if before and left:
            left.clear()
            raise Struck
        result = real(*args, **options)
        if left:
            left.clear()
            raise Struck
        return result

    return struck


def lock_is_free(path: Path) -> bool:
    fd = os.open(f"{path}.lock", os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("place", ["_pwrite", "_fdatasync"])
def test_one_ctrl_c_in_delay_and_the_next_call_was_told_that_the_disk_had_failed(
    tmp_path: Path, place: str, before: bool
) -> None:
    path = tmp_path / "tasks.json"
    store = JsonStore(path)
    setattr(epoch_of(store).journal, place, once(getattr(epoch_of(store).journal, place), before=before))
    with pytest.raises(Struck):
        store.add([a_job("struck")], NOW, fresh=True)
    assert lock_is_free(path)
    store.add([a_job("next")], NOW, fresh=True)
    assert epoch_of(store).number == 1, "nothing was wrong with the disk, so no new epoch is written"
    assert {job.id for job in store.scan()} in ({"next"}, {"next", "struck"})
    assert store.check() == []
    store.close()


def test_a_change_struck_in_memory_was_on_the_disk_and_unknown_to_the_process_that_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = JsonStore(tmp_path / "tasks.json", durability="os")
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", once(Journal.append, before=False))
        with pytest.raises(Struck):
            store.add([a_job("struck")], NOW, fresh=True)
    assert store.get(["struck"])[0] is not None
    store.close()


def test_half_of_a_change_in_a_memory_store_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    store.add([a_job("stays", key="k"), a_job("runs")], NOW)
    store.claim("me", NOW, 1)
    before = {job.id: job for job in store.scan()}
    real, calls = type(store._state).insert, []

    def insert(*args: Any, **options: Any) -> None:
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(store._state), "insert", insert)
        with pytest.raises(KeyboardInterrupt):
            store.add([a_job(f"new-{number}") for number in range(5)], NOW, fresh=True)
    assert {job.id: job for job in store.scan()} == before
    assert store.check() == []
    assert store.add([a_job("other", key="k")], NOW) == ["stays"]
    assert len(store.claim("me", NOW, 5)) == 1


# ---- no thread can be started ----------------------------------------------------------------------------


def _no_more(*_: object) -> int:
    raise RuntimeError("can't start new thread")


def test_all_threads_stood_in_delay_where_the_container_allows_no_more_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, begin = JsonStore(tmp_path / "tasks.json"), threading.Barrier(8)

    def add(number: int) -> None:
        begin.wait(PATIENCE_S)
        for n in range(20):
            store.add([a_job(f"{number}-{n}")], NOW, fresh=True)

    threads = [threading.Thread(target=add, args=(number,), daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    monkeypatch.setattr(_thread, "start_new_thread", _no_more)
    for thread in threads:
        thread.join(3 * PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads)
    assert store.stats(NOW).accepted == 160
    monkeypatch.undo()
    store.close()


def test_without_a_thread_for_it_a_store_of_interval_was_never_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_thread, "start_new_thread", _no_more)
    store = JsonStore(tmp_path / "tasks.json", durability="interval")
    store.add([a_job("a")], NOW, fresh=True)
    assert epoch_of(store).journal.synced < epoch_of(store).journal.end
    store._keeper._background._regular_since -= 10.0  # ten seconds later
    store.add([a_job("b")], NOW, fresh=True)
    assert epoch_of(store).journal.synced == epoch_of(store).journal.end
    store.close()


def test_a_compaction_for_which_there_is_no_thread_is_put_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = JsonStore(tmp_path / "tasks.json", durability="os")
    monkeypatch.setattr(_thread, "start_new_thread", _no_more)
    epoch_of(store).most = 0
    store.add([a_job("a")], NOW, fresh=True)
    assert epoch_of(store).most > epoch_of(store).journal.end
    assert store.get(["a"])[0] is not None
    store.close()


def test_a_thread_aside_that_cannot_be_started_is_started_when_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    aside, done = Background(), threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", _no_more)
        assert not aside.do(done.set)
    assert aside.do(lambda: None)
    assert done.wait(PATIENCE_S)
    aside.stop()


# ---- handlers of signals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_handler_that_called_delay_hung_its_process_and_the_store_of_all(tmp_path: Path, durability: Any) -> None:
    store = JsonStore(tmp_path / "tasks.json", durability=durability)
    seen: list[object] = []

    def handler(*_: object) -> None:
        seen.append(store.add([a_job("by the handler")], NOW, fresh=True))
        seen.append(store.get(["before"])[0].id)  # type: ignore[union-attr]
        with pytest.raises(StoreReentered, match="nothing was changed"):
            store.cancel(["before"], NOW)

    store.add([a_job("before")], NOW)
    real, handled_before = Journal.append, signal.signal(signal.SIGUSR1, handler)

    def append(*args: Any, **options: Any) -> None:
        if not seen:
            signal.raise_signal(signal.SIGUSR1)
        real(*args, **options)

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Journal, "append", append)
            store.add([a_job("outer", key="k")], NOW)
    finally:
        signal.signal(signal.SIGUSR1, handled_before)
    assert seen == [["by the handler"], "before"]
    assert {job.id: job.state for job in store.scan()} == dict.fromkeys(
        ("before", "outer", "by the handler"), State.SCHEDULED
    )
    store.close()


def test_a_handler_during_a_sync_finds_its_job_stored(tmp_path: Path) -> None:
    store = JsonStore(tmp_path / "tasks.json")
    journal, calls = epoch_of(store).journal, []
    real = journal._fdatasync

    def sync(fd: int) -> None:
        calls.append(fd)
        if len(calls) == 1:
            store.add([a_job("by the handler")], NOW, fresh=True)
        real(fd)

    journal._fdatasync = sync
    store.add([a_job("outer")], NOW, fresh=True)
    assert {job.id for job in store.scan()} == {"outer", "by the handler"}
    assert journal.synced == journal.end
    store.close()


def test_a_handler_while_the_store_is_opened_for_the_first_time_is_told_so(tmp_path: Path) -> None:
    app = Scheduler(tmp_path / "tasks.json")
    seen = []
    real = app.backing._opened

    def opening() -> Any:
        with pytest.raises(StoreReentered):
            _ = app.store
        seen.append(True)
        return real()

    app.backing._opened = opening  # type: ignore[method-assign]
    assert app.store.get(["none"]) == [None]
    assert seen == [True]
    app.close()


def test_a_ctrl_c_in_get_left_the_bells_lock_held_and_hung_the_scheduler() -> None:
    bell = Doorbell()

    def alarm(*_: object) -> None:
        raise Struck

    before = signal.signal(signal.SIGALRM, alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(Struck):
            bell.wait(PATIENCE_S)
    finally:
        signal.signal(signal.SIGALRM, before)
    rung = threading.Event()
    threading.Thread(target=lambda: (bell.ring(), rung.set()), daemon=True).start()
    assert rung.wait(PATIENCE_S)
    assert bell.wait(0)


def test_a_store_that_was_closed_holds_up_nobody_who_opens_it_anew_in_the_same_thread(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    first = JsonStore(path, durability="os")
    first.close()
    fd = os.open(f"{path}.lock", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)  # as another process holds it for a moment
    threading.Timer(0.05, os.close, [fd]).start()
    second = JsonStore(path, durability="os")
    assert second.stats(NOW).accepted == 0
    second.close()
