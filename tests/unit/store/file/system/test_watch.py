"""The watch: who sleeps on a store is woken by a write, by whoever makes it; a bell that is lost costs a moment."""

from __future__ import annotations

import errno
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hourwheel.store.file.system import watch as module
from hourwheel.store.file.system.kernel import open_descriptors
from hourwheel.store.file.system.watch import POLL_S, Watch
from hourwheel.testing import FakeClock

PATIENCE_S = 20.0
HEARS = not Watch()._deaf
needs_ears = pytest.mark.skipif(not HEARS, reason="this system has no inotify")


@dataclass
class File:
    """A journal: a file, and how much of it this process knows."""

    path: Path
    known: int = 0
    looks: int = 0
    fd: int = field(init=False)

    def __post_init__(self) -> None:
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)

    def has_news(self) -> bool:
        self.looks += 1
        return os.fstat(self.fd).st_size > self.known

    def write(self) -> None:
        """As another process: through a descriptor of its own."""
        with self.path.open("ab") as other:
            other.write(b"x")

    def write_own(self) -> None:
        self.known += 1
        self.write()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    file = File(tmp_path / "journal")
    yield file
    os.close(file.fd)


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    watch.close()


class Sleeping:
    """A thread that waits; ``until_it_sleeps`` returns when it listens."""

    def __init__(self, watch: Watch, file: File, timeout_s: float = PATIENCE_S) -> None:
        self.woken: list[bool] = []
        self._thread = threading.Thread(
            target=lambda: self.woken.append(watch.wait(timeout_s, lambda: file, file.has_news)), daemon=True
        )
        self._thread.start()

    def is_woken(self) -> bool:
        self._thread.join(PATIENCE_S / 2)
        return self.woken == [True]


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


def listens(watch: Watch) -> Callable[[], object]:
    return lambda: watch._listening


def never_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 10 * PATIENCE_S)
    monkeypatch.setattr(module, "_LONGEST_S", 10 * PATIENCE_S)


@needs_ears
def test_a_job_of_another_process_waited_for_the_next_look(
    watch: Watch, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_polls(monkeypatch)
    sleeping = Sleeping(watch, file)
    until(listens(watch))
    file.write()
    assert sleeping.is_woken()


def test_a_thread_of_the_same_process_wakes_it(watch: Watch, file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    never_polls(monkeypatch)
    sleeping = Sleeping(watch, file)
    until(lambda: watch._listening or not HEARS)
    watch.ring()
    assert sleeping.is_woken()


def test_a_ring_that_came_before_is_not_lost(watch: Watch, file: File) -> None:
    watch.ring()
    assert watch.wait(PATIENCE_S, lambda: file, file.has_news)


def test_what_was_written_before_is_not_lost(watch: Watch, file: File) -> None:
    file.write()
    assert watch.wait(PATIENCE_S, lambda: file, file.has_news)


@needs_ears
def test_a_bell_that_is_lost_costs_a_second_and_no_more(
    watch: Watch, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []

    def hears_nothing(_: Any, most_s: float) -> bool:
        naps.append(most_s)
        file.write()
        return False

    monkeypatch.setattr(module._Ears, "listen", hears_nothing)
    assert watch.wait(PATIENCE_S, lambda: file, file.has_news)
    assert naps == [1.0]


@needs_ears
def test_a_flood_of_writes_that_do_not_concern_it_wakes_a_sleeper_a_few_hundred_times_a_second(
    watch: Watch, file: File
) -> None:
    over = threading.Event()

    def flood() -> None:
        while not over.is_set():
            file.write_own()

    flooding = threading.Thread(target=flood, daemon=True)
    flooding.start()
    began = time.monotonic()
    assert watch.wait(0.5, lambda: file, lambda: file.has_news() and False) is False
    took_s = time.monotonic() - began
    over.set()
    flooding.join(PATIENCE_S)
    assert took_s >= 0.5
    assert file.looks < 3 * (50 + 200 * took_s)


@needs_ears
def test_the_next_journal_is_listened_to_and_not_the_one_before(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = File(tmp_path / "journal.1"), File(tmp_path / "journal.2")
    assert watch.wait(0.001, lambda: first, first.has_news) is False
    never_polls(monkeypatch)
    sleeping = Sleeping(watch, second)
    until(listens(watch))
    first.write()
    assert sleeping.woken == []
    second.write()
    assert sleeping.is_woken()
    os.close(first.fd)
    os.close(second.fd)


def test_of_many_threads_that_wait_all_are_woken(watch: Watch, file: File) -> None:
    sleeping = [Sleeping(watch, file) for _ in range(5)]
    until(lambda: watch._listening or not HEARS)
    file.write()
    assert all(one.is_woken() for one in sleeping)


class GreenLock:
    """A lock of greenlets."""


@pytest.mark.parametrize("failing", ["inotify_init1", "inotify_add_watch", "eventfd", "poll", "green", "none"])
def test_where_the_kernel_grants_no_bell_it_looks_now_and_then(
    file: File, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    class NoMore:
        def __getattr__(self, name: str) -> Any:
            return (lambda *_: -1) if name == failing else getattr(real, name)

    def none_left(*_: int) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    real = module._LIBC
    monkeypatch.setattr(module, "_LIBC", NoMore())
    if failing == "eventfd":
        monkeypatch.setattr(os, "eventfd", none_left, raising=False)
    if failing == "poll":  # as eventlet does
        monkeypatch.delattr(select, "poll")
    if failing == "green":  # gevent.monkey.patch_thread() alone
        monkeypatch.setattr(module, "threading", SimpleNamespace(Lock=GreenLock))
    watch = Watch(deaf=failing == "none")
    assert watch.wait(0.05, lambda: file, file.has_news) is False
    sleeping = Sleeping(watch, file)
    file.write()
    assert sleeping.is_woken()
    watch.close()


def test_closing_wakes_who_sleeps_and_leaves_nothing_open(file: File) -> None:
    before = set(open_descriptors())
    watch = Watch()
    sleeping = Sleeping(watch, file)
    until(lambda: watch._listening or not HEARS)
    file.known = -1
    watch.close()
    assert sleeping.is_woken()
    del sleeping
    until(lambda: set(open_descriptors()) <= before)
    watch.wait(0, lambda: file, lambda: False)  # hears of the closing
    assert watch.wait(0.01, lambda: file, lambda: False) is False


@needs_ears
def test_ctrl_c_while_it_sleeps_leaves_the_next_one_listening(watch: Watch, file: File) -> None:
    def strike() -> None:
        until(listens(watch))
        os.kill(os.getpid(), signal.SIGUSR1)

    def struck(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, struck)
    try:
        threading.Thread(target=strike, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            watch.wait(PATIENCE_S, lambda: file, file.has_news)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not watch._listening


@needs_ears
def test_a_forked_child_takes_no_bell_from_its_parent(
    watch: Watch, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watch.wait(0.001, lambda: file, file.has_news) is False
    pid = os.fork()
    if pid == 0:  # which hears what it writes itself, and takes nothing of it from its parent
        watch.wait(0.001, lambda: file, file.has_news)
        file.write()
        os._exit(0 if watch.wait(PATIENCE_S, lambda: file, file.has_news) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    file.known = 1
    never_polls(monkeypatch)
    sleeping = Sleeping(watch, file)
    until(listens(watch))
    file.write()
    assert sleeping.is_woken()


# ---- time: many short sleeps make one that is no longer than was asked for -----------------------------------


class LateBell:
    """Nobody rings, and each sleep lasts a millisecond longer than it should: a busy machine."""

    def __init__(self, clock: FakeClock, late_s: float) -> None:
        self.clock = clock
        self.late_s = late_s
        self.waits = 0

    def wait(self, timeout_s: float) -> bool:
        self.waits += 1
        if self.late_s >= 0:
            self.clock.advance(timeout_s + self.late_s)
        return False


@pytest.mark.parametrize("timeout_s", [0.0, 0.01, 0.05, 0.95])
def test_it_does_not_add_up_the_lateness_of_its_looks(
    file: File, monkeypatch: pytest.MonkeyPatch, timeout_s: float
) -> None:
    clock = FakeClock()
    monkeypatch.setattr(module, "SLEEP_CLOCK", clock)
    watch = Watch(deaf=True)
    monkeypatch.setattr(watch, "_bell", LateBell(clock, 0.001))
    assert watch.wait(timeout_s, lambda: file, file.has_news) is False
    assert timeout_s - 1e-9 <= clock.monotonic() <= timeout_s + 0.0011


def test_it_ends_although_the_clock_stands_still_as_under_freezegun(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    bell = LateBell(clock, -1)
    monkeypatch.setattr(module, "SLEEP_CLOCK", clock)
    watch = Watch(deaf=True)
    monkeypatch.setattr(watch, "_bell", bell)
    assert watch.wait(0.95, lambda: file, file.has_news) is False
    assert bell.waits == round(0.95 / POLL_S)


@needs_ears
def test_a_flood_ends_the_sleep_although_the_clock_stands_still(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLEEP_CLOCK", FakeClock())
    monkeypatch.setattr(module._Ears, "listen", lambda _, most_s: most_s > 0)
    watch = Watch()
    assert watch.wait(0.2, lambda: file, file.has_news) is False
    watch.close()
