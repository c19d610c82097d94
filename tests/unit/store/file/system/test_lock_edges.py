"""The writers' lock and life signs at their edges: who does not wait, who must not wait, and a Ctrl-C at the wrong moment."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hourwheel.errors import StoreBusy, StoreError, StoreReentered, StoreUnsafe
from hourwheel.store.file.system.begun import Mark, read_mark
from hourwheel.store.file.system.lock import FileLock, LifeSigns, holder_of

from tests.kit.kernel import needs_proc
from tests.kit.memory_system import MemorySystem
from tests.unit.store.file.system.test_lock import LOCK, SIGN, FailingInMemory, Pauses, two_locks

# ---- the writers' lock -----------------------------------------------------------------------------------


def test_who_does_not_wait_is_told_at_once_that_another_has_the_lock() -> None:
    pauses = Pauses()
    first, second = two_locks(0.01, pauses)
    first.acquire()
    assert second.try_now() is False
    assert pauses.taken == []
    second.release()
    first.release()
    assert second.try_now() is True
    with pytest.raises(StoreBusy):
        first.acquire()


def test_a_lock_file_that_could_not_be_made_again_is_made_by_who_does_not_wait_too_and_keeps_others_out() -> None:
    """A store that is closed then folds its journal: without the lock it would write over what another one writes."""
    system = FailingInMemory("open", errno.EMFILE)
    lock = FileLock(LOCK, system, timeout_s=1.0)
    lock.acquire()
    system.unlink(LOCK)
    system.failing = True
    with pytest.raises(StoreUnsafe):
        lock.check()
    assert lock.try_now() is False
    system.failing = False
    assert lock.try_now() is True
    with pytest.raises(StoreBusy):
        FileLock(LOCK, system, timeout_s=0.01, sleep=Pauses()).acquire()
    lock.close()
    assert system.open_count() == 1


def test_a_handler_that_opened_the_store_anew_waited_for_the_thread_that_it_had_interrupted() -> None:
    pauses = Pauses()
    first, second = (each.know_handlers() for each in two_locks(0.01, pauses))
    first.acquire()
    with pytest.raises(StoreReentered, match=r"tasks\.json\.lock: .* nothing was changed: set a flag in the handler"):
        second.acquire()
    assert pauses.taken == []
    second.close()
    first.release()
    first.acquire()


def test_a_lock_that_another_thread_holds_is_waited_for() -> None:
    pauses = Pauses(after=3)
    first, second = (each.know_handlers() for each in two_locks(1.0, pauses))
    pauses._then = first.release
    thread = threading.Thread(target=first.acquire)
    thread.start()
    thread.join()
    second.acquire()
    assert len(pauses.taken) == 3


@needs_proc
def test_who_holds_a_lock_is_named_and_who_has_just_given_it_back_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    fd, other = os.open(path, os.O_RDWR | os.O_CREAT), os.open(path, os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        assert f"pid {os.getpid()}, this very one" in holder_of(other)
        fcntl.flock(fd, fcntl.LOCK_UN)
        assert holder_of(other) == "another process"
    finally:
        os.close(fd)
        os.close(other)


# ---- life signs ------------------------------------------------------------------------------------------


@pytest.fixture
def system() -> Iterator[MemorySystem]:
    """Its files, all of which must be closed again."""
    memory = MemorySystem()
    yield memory
    assert memory.open_count() == 0


def shown(system: MemorySystem) -> tuple[LifeSigns, Mark]:
    """A sign with a mark: shown at 7, and claim 3 has begun."""
    signs = LifeSigns(system)
    signs.show(SIGN)
    mark = signs.mark(SIGN, 7)
    mark.begun(3)
    return signs, mark


def test_a_cleaner_that_removed_a_sign_made_claims_that_had_begun_look_as_if_they_had_not(system: MemorySystem) -> None:
    """Then a job that kills its worker would be started again and again, and never be counted as crashed."""
    signs, mark = shown(system)
    system.unlink(SIGN)
    signs.show(SIGN)
    assert read_mark(system, SIGN) == (3, 7)
    assert signs.mark(SIGN, 9) is mark
    mark.begun(4)
    assert read_mark(system, SIGN) == (4, 7)
    assert not LifeSigns(system).died(SIGN, 10_000)
    signs.close(remove=True)


def test_ctrl_c_as_a_sign_is_shown_again_leaves_no_mark_that_writes_into_whatever_file_has_the_number_next(
    system: MemorySystem,
) -> None:
    signs, mark = shown(system)
    system.unlink(SIGN)
    real = mark.move

    def struck(fd: int) -> NoReturn:
        mark.move = real  # type: ignore[method-assign]
        mark.move(fd)
        raise KeyboardInterrupt

    mark.move = struck  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        signs.show(SIGN)
    assert mark.ended
    with pytest.raises(StoreError, match="not shown any more"):
        mark.begun(4)
    signs.show(SIGN)
    mark.begun(4)
    assert read_mark(system, SIGN) == (4, 7)
    signs.close(remove=True)


def test_ctrl_c_just_after_a_sign_was_shown_leaves_it_shown(system: MemorySystem) -> None:
    """Closed behind the back of its owner, which goes on claiming, it would call that owner dead."""

    class Struck(dict[str, int]):
        def __setitem__(self, path: str, fd: int) -> None:
            super().__setitem__(path, fd)
            raise KeyboardInterrupt

    signs = LifeSigns(system)
    signs._held = Struck()
    with pytest.raises(KeyboardInterrupt):
        signs.show(SIGN)
    assert LifeSigns(system).lives(SIGN)
    signs.show(SIGN)
    assert system.open_count() == 1
    signs.close(remove=True)
