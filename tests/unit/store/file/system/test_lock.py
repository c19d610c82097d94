"""The writers' lock and the life signs of owners: who holds what, who may see it, and what is said if it cannot be had."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hourwheel.errors import StoreBusy, StoreError, StoreUnsafe
from hourwheel.store.file.system import lock
from hourwheel.store.file.system.lock import FileLock, LifeSigns, belongs_to, drop_inherited, name_of_open_file
from hourwheel.store.file.system.place import Place
from hourwheel.store.file.system.system import SYSTEM
from hourwheel.testing import FakeClock

from tests.kit.kernel import is_open
from tests.kit.memory_system import DIRECTORY, MemorySystem
from tests.kit.systems import Watched, open_descriptors

LOCK = f"{DIRECTORY}/tasks.json.lock"
SIGN = f"{DIRECTORY}/tasks.json.owner.me"


class Pauses:
    """Counts the pauses; after so many of them something happens."""

    def __init__(self, then: Callable[[], object] = lambda: None, *, after: int = 0) -> None:
        self.taken: list[float] = []
        self._then = then
        self._after = after

    def __call__(self, pause_s: float) -> None:
        self.taken.append(pause_s)
        if len(self.taken) == self._after:
            self._then()


def two_locks(timeout_s: float, pauses: Pauses | None = None) -> tuple[FileLock, FileLock]:
    system = MemorySystem()
    first = FileLock(LOCK, system, timeout_s=timeout_s)
    return first, FileLock(LOCK, system, timeout_s=timeout_s, sleep=pauses or Pauses())


class FailingInMemory(MemorySystem):
    """Fails the calls of one name, once it is told to."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__()
        self._number = number
        self.failing = False
        self._real = getattr(self, name)
        setattr(self, name, self._call)

    def _call(self, *args: Any) -> Any:
        if self.failing:
            raise OSError(self._number, os.strerror(self._number))
        return self._real(*args)


# ---- the writers' lock -----------------------------------------------------------------------------------


def test_on_a_busy_machine_store_busy_came_seconds_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """What passes counts, not what was asked for: each pause of a millisecond or two lasts half a second here."""
    clock = FakeClock()
    monkeypatch.setattr(lock, "SLEEP_CLOCK", clock)
    pauses = Pauses()
    late = lambda pause_s: (pauses(pause_s), clock.advance(0.5))  # noqa: E731
    system = MemorySystem()
    first = FileLock(LOCK, system, timeout_s=2.0)
    second = FileLock(LOCK, system, timeout_s=2.0, sleep=late)
    first.acquire()
    with pytest.raises(StoreBusy):
        second.acquire()
    assert (len(pauses.taken), clock.monotonic()) == (4, 2.0)


def test_what_a_verb_has_waited_before_counts_when_it_takes_the_lock_again() -> None:
    pauses = Pauses()
    first, second = two_locks(0.01, pauses)
    first.acquire()
    with pytest.raises(StoreBusy):
        second.acquire()
    before = len(pauses.taken)
    with pytest.raises(StoreBusy):
        second.reacquire()
    assert len(pauses.taken) == before + 1
    with pytest.raises(StoreBusy):
        second.acquire()
    assert len(pauses.taken) == 2 * before + 1


def test_who_makes_the_lock_file_knows_and_who_finds_it_knows_that() -> None:
    first, second = two_locks(1.0)
    assert (first.made, second.made) == (True, False)


def test_two_never_hold_the_lock_and_who_waits_is_told_after_the_timeout_and_not_long_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "hourwheel.store.file.system.lock.SLEEP_CLOCK", FakeClock(0)
    )  # the pauses alone are what is waited
    pauses = Pauses()
    first, second = two_locks(0.5, pauses)
    first.acquire()
    with pytest.raises(StoreBusy, match=r"locked by another process for 0\.5 s"):
        second.acquire()
    assert 0.5 <= sum(pauses.taken) <= 0.502 + 1e-9


def test_a_lock_that_is_soon_free_is_had_soon_and_nobody_who_waits_long_spins() -> None:
    pauses = Pauses()
    first, second = two_locks(1.0, pauses)
    first.acquire()
    with pytest.raises(StoreBusy):
        second.acquire()
    assert pauses.taken[0] == pytest.approx(0.0001)
    assert pauses.taken == sorted(pauses.taken)
    assert [pause for pause in pauses.taken[:10] if pause == max(pauses.taken)] != []
    assert max(pauses.taken) == pytest.approx(0.002)
    assert pauses.taken[1] == pytest.approx(0.00015)


def test_whoever_waits_has_the_lock_as_soon_as_it_is_given_back() -> None:
    pauses = Pauses(after=3)
    first, second = two_locks(1.0, pauses)
    pauses._then = first.release
    first.acquire()
    second.acquire()
    assert len(pauses.taken) == 3
    with pytest.raises(StoreBusy):
        first._sleep = Pauses()
        first.acquire()


def test_a_lock_that_is_free_is_had_without_a_pause() -> None:
    pauses = Pauses()
    first, second = two_locks(1.0, pauses)
    first.acquire()
    first.release()
    second.acquire()
    assert pauses.taken == []


def test_a_lock_file_removed_under_its_holder_is_left_for_the_one_that_has_its_name_now() -> None:
    system = MemorySystem()
    first = FileLock(LOCK, system, timeout_s=0.01, sleep=Pauses())
    first.acquire()
    system.unlink(LOCK)
    other = FileLock(LOCK, system, timeout_s=0.01, sleep=Pauses())
    other.acquire()
    with pytest.raises(StoreBusy):
        first.check()
    other.release()
    first.acquire()
    first.check()
    with pytest.raises(StoreBusy):
        other.acquire()
    assert system.open_count() == 2


def test_a_lock_file_removed_again_and_again_is_followed_to_the_last() -> None:
    system = MemorySystem()
    lock = FileLock(LOCK, system, timeout_s=1.0)
    lock.acquire()
    opened = system.open
    removals = iter([LOCK])

    def open_and_lose(path: str, flags: int, mode: int) -> int:
        fd: int = opened(path, flags, mode)
        for gone in removals:
            system.unlink(gone)
        return fd

    system.open = open_and_lose  # type: ignore[method-assign,assignment]
    system.unlink(LOCK)
    lock.check()
    assert system.fstat(lock._fd).st_nlink == 1
    assert system.open_count() == 1


def test_a_lock_that_nobody_removed_is_kept_and_not_taken_anew() -> None:
    system = MemorySystem()
    lock = FileLock(LOCK, system, timeout_s=1.0)
    lock.acquire()
    held = lock._fd
    lock.check()
    assert lock._fd == held


def test_a_lock_file_that_was_removed_and_cannot_be_made_again_is_made_at_the_next_try() -> None:
    system = FailingInMemory("open", errno.EMFILE)
    lock = FileLock(LOCK, system, timeout_s=1.0)
    lock.acquire()
    system.unlink(LOCK)
    system.failing = True
    with pytest.raises(StoreUnsafe, match="cannot be opened"):
        lock.check()
    lock.release()
    assert system.open_count() == 0
    with pytest.raises(StoreUnsafe):
        lock.acquire()
    system.failing = False
    lock.acquire()
    with pytest.raises(StoreBusy):
        FileLock(LOCK, system, timeout_s=0.01, sleep=Pauses()).acquire()
    lock.release()


def test_a_lock_whose_descriptor_is_0_is_taken_and_given_back_like_any_other() -> None:
    first, second = two_locks(0.01)
    system = first._system
    assert isinstance(system, MemorySystem)
    system._held[0] = system._held.pop(first._fd)
    first._fd = 0
    first.acquire()
    assert system.open_count() == 2
    first.release()
    second.acquire()
    second.release()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EINTR])
def test_a_lock_that_the_system_refuses_is_an_error_of_ours_that_says_why(number: int) -> None:
    system = FailingInMemory("flock", number)
    lock = FileLock(LOCK, system, timeout_s=1.0)
    system.failing = True
    with pytest.raises(StoreError, match="flock failed: "):
        lock.acquire()


def test_a_program_that_has_closed_its_standard_input_gives_its_lock_back_all_the_same(tmp_path: Path) -> None:
    closed: list[int] = []
    system = Watched(lambda name, args: closed.append(args[0]) if name == "close" else None)
    system.open = lambda *_: 0  # type: ignore[method-assign,assignment]  # the lowest that is free
    system.close = closed.append  # type: ignore[method-assign,assignment]
    lock = FileLock(str(tmp_path / "lock"), system, timeout_s=1.0)
    lock.close()
    lock.close()
    assert closed == [0]


# ---- who may see, and what is followed -------------------------------------------------------------------


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_on_the_machine_can_open_and_hold_a_lock_or_a_sign(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        FileLock(str(tmp_path / "lock"), SYSTEM, timeout_s=1.0).close()
        signs = LifeSigns(SYSTEM)
        signs.show(str(tmp_path / "sign"))
    finally:
        os.umask(before)
    assert [mode_of(tmp_path / name) for name in ("lock", "sign")] == [0o600, 0o600]
    signs.close(remove=True)


def test_a_link_laid_where_a_lock_belongs_is_not_followed_to_the_file_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "theirs").touch()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "theirs")
    with pytest.raises(StoreUnsafe, match="cannot be opened"):
        FileLock(str(link), SYSTEM, timeout_s=1.0)
    with pytest.raises(StoreError, match="cannot be opened"):
        LifeSigns(SYSTEM).show(str(link))
    assert LifeSigns(SYSTEM).lives(str(link))


# ---- life signs ------------------------------------------------------------------------------------------


@pytest.fixture
def system() -> Iterator[MemorySystem]:
    """Its files, all of which must be closed again."""
    memory = MemorySystem()
    yield memory
    assert memory.open_count() == 0


def test_an_owner_lives_as_long_as_it_holds_its_sign_and_no_longer(system: MemorySystem) -> None:
    mine, theirs = LifeSigns(system), LifeSigns(system)
    assert theirs.lives(SIGN) is False
    mine.show(SIGN)
    assert (mine.lives(SIGN), theirs.lives(SIGN)) == (True, True)
    mine.close(remove=False)
    assert (mine.lives(SIGN), theirs.lives(SIGN)) == (False, False)
    assert os.path.basename(SIGN) in system.files()


def test_asking_whether_an_owner_lives_does_not_take_its_sign(system: MemorySystem) -> None:
    system.close(system.open(SIGN, os.O_CREAT))
    asking, owner = LifeSigns(system), LifeSigns(system)
    assert asking.lives(SIGN) is False
    owner.show(SIGN)
    owner.close(remove=True)


def test_two_programs_of_one_name_do_not_both_claim_in_it(system: MemorySystem) -> None:
    mine, theirs = LifeSigns(system), LifeSigns(system)
    mine.show(SIGN)
    with pytest.raises(StoreError, match="another process uses this owner's name"):
        theirs.show(SIGN)
    assert system.open_count() == 1
    mine.show(SIGN)
    assert system.open_count() == 1
    mine.close(remove=True)
    assert system.files() == {}


def test_a_sign_that_cannot_be_locked_is_refused_and_leaves_no_descriptor_open() -> None:
    system = FailingInMemory("flock", errno.ENOLCK)
    system.failing = True
    with pytest.raises(StoreError, match=r"the life sign .* cannot be locked"):
        LifeSigns(system).show(SIGN)
    assert system.open_count() == 0


@pytest.mark.parametrize("name", ["open", "flock", "pread"])
def test_an_owner_of_whom_nothing_can_be_told_is_not_called_dead(name: str) -> None:
    system = FailingInMemory(name, errno.EACCES)
    owner = LifeSigns(system)
    owner.show(SIGN)
    owner.close(remove=False)
    system.failing = True
    assert LifeSigns(system).lives(SIGN)
    assert not LifeSigns(system).died(SIGN, 1_000)
    assert system.open_count() == 0
    system.failing = False
    assert LifeSigns(system).died(SIGN, 1_000)


def test_signs_of_owners_that_are_gone_are_removed_but_not_of_those_who_live_or_still_have_jobs() -> None:
    system, place = MemorySystem(), Place(f"{DIRECTORY}/tasks.json")
    for name in ("gone", "with jobs"):
        dead = LifeSigns(system)
        dead.show(place.owner(name))
        dead.close(remove=False)
    living = LifeSigns(system)
    living.show(place.owner("living"))
    LifeSigns(system).bury_idle(place, ["with jobs"])
    assert sorted(system.files()) == ["tasks.json.owner.living", "tasks.json.owner.with%20jobs"]


def test_one_sign_that_cannot_be_judged_does_not_keep_the_others_from_going() -> None:
    place = Place(f"{DIRECTORY}/tasks.json")
    system = MemorySystem({f"tasks.json.owner.{name}": b"" for name in "abc"})
    real = system.open

    def refusing(path: str, flags: int, mode: int = 0) -> int:
        if path.endswith(".b"):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        fd: int = real(path, flags, mode)
        return fd

    system.open = refusing  # type: ignore[method-assign,assignment]
    LifeSigns(system).bury_idle(place, [])
    assert sorted(system.files()) == ["tasks.json.owner.b"]


@pytest.mark.parametrize("name", ["listdir", "unlink"])
def test_signs_that_cannot_be_removed_do_no_harm(name: str) -> None:
    system = FailingInMemory(name, errno.EACCES)
    system.close(system.open(SIGN, os.O_CREAT))
    system.failing = True
    LifeSigns(system).bury_idle(Place(f"{DIRECTORY}/tasks.json"), [])
    assert system.open_count() == 0


# ---- forked children -------------------------------------------------------------------------------------


def test_a_child_keeps_no_lock_of_its_parents_store_and_closes_nothing_else(tmp_path: Path) -> None:
    link = tmp_path / "link"
    (tmp_path / "real").mkdir()
    link.symlink_to(tmp_path / "real")
    names = [
        "tasks.json.lock",
        "tasks.json.next",
        "tasks.json.owner.me",
        "tasks.json.journal.7",
        "tasks.json",
        "other.json.lock",
    ]
    lower = os.open(os.devnull, os.O_RDONLY)  # the one by which the others are listed, and which then is gone
    fds = [os.open(tmp_path / "real" / name, os.O_RDWR | os.O_CREAT, 0o600) for name in names]
    os.close(lower)
    drop_inherited({name_of_open_file(str(link / "tasks.json"))})
    still_open = [name for name, fd in zip(names, fds, strict=True) if is_open(fd)]
    for name, fd in zip(names, fds, strict=True):
        if name in still_open:
            os.close(fd)
    assert still_open == ["tasks.json", "other.json.lock"]


def test_a_fork_costs_no_more_after_a_thousand_stores(tmp_path: Path) -> None:
    """Each child looked up every path that was ever opened: the thousandth test of a suite forked in 60 ms, not 2."""

    class Names(set[str]):
        asked = 0

        def __contains__(self, name: object) -> bool:
            self.asked += 1
            return super().__contains__(name)

        def __iter__(self) -> NoReturn:
            raise AssertionError("all stores there have ever been were gone through")

    names = Names(f"{tmp_path}/{number}/tasks.json" for number in range(1_000))
    fd = os.open(tmp_path / "tasks.json.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        drop_inherited(names)
    finally:
        os.close(fd)
    assert 1 <= names.asked <= open_descriptors() + 1


@pytest.mark.parametrize(
    ("path", "belongs"),
    [
        ("/data/tasks.json.lock", True),
        ("/data/tasks.json.owner.vm-7.lock", True),
        ("/data/tasks.json.journal.12 (deleted)", True),
        ("/data/tasks.json", False),
        ("/data/other.json.lock", False),
        ("/elsewhere/tasks.json.lock", False),
        ("/tasks.lock.lock", True),
        ("pipe:[4711]", False),
    ],
)
def test_which_open_files_belong_to_a_store(path: str, belongs: bool) -> None:
    """One in the root directory, too: that is where programs in containers begin."""
    assert belongs_to(path, {"/data/tasks.json", "/tasks.lock"}) is belongs
