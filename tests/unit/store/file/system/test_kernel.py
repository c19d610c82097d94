"""What does instead of what only Linux has, for files. (Whole programs: tests/process/test_without_linux.py.)"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sys
from pathlib import Path

import pytest
from hourwheel.errors import StoreBusy, StoreUnsafe
from hourwheel.job import Job
from hourwheel.store import JsonStore
from hourwheel.store.file import backup
from hourwheel.store.file.system import kernel, place
from hourwheel.store.file.system.system import System


@pytest.mark.skipif(sys.platform != "linux", reason="about Linux")
def test_on_linux_a_sync_is_the_system_call_itself() -> None:
    if hasattr(os, "fdatasync"):
        assert (System.fdatasync, System.fsync) == (os.fdatasync, os.fsync)


def synced(monkeypatch, told: int) -> list[str]:
    """What a sync calls on macOS, if F_FULLFSYNC ends with this error; 0 for none."""
    calls = []

    def full(fd: int, command: int) -> int:
        calls.append(f"fcntl({fd}, {command})")
        if told:
            raise OSError(told, os.strerror(told))
        return 0

    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", full)
    monkeypatch.setattr(os, "fsync", lambda fd: calls.append(f"fsync({fd})"))
    try:
        kernel.full_sync(7)
    except OSError as error:
        calls.append(errno.errorcode[error.errno or 0])
    return calls


def test_macos_is_told_to_write_out_the_cache_of_the_drive(monkeypatch) -> None:
    assert synced(monkeypatch, 0) == ["fcntl(7, 51)"]


@pytest.mark.parametrize("told", [errno.ENOTSUP, errno.ENOTTY, errno.EINVAL])
def test_a_file_system_that_cannot_write_out_the_cache_is_synced_as_it_can(monkeypatch, told: int) -> None:
    assert synced(monkeypatch, told) == ["fcntl(7, 51)", "fsync(7)"]


@pytest.mark.parametrize("told", [errno.EIO, errno.ENOSPC])
def test_a_failed_sync_is_not_hidden_by_another_that_succeeds(monkeypatch, told: int) -> None:
    assert synced(monkeypatch, told) == ["fcntl(7, 51)", errno.errorcode[told]]


class Library:
    """The C library of macOS, as far as the boot session goes."""

    def __init__(self, code: int) -> None:
        self.code = code

    def sysctlbyname(self, name: bytes, value: ctypes.Array[ctypes.c_char], *_: object) -> int:
        assert name == b"kern.bootsessionuuid"
        if self.code == 0:
            value.value = b"0F5C0E1B-0B1E-4D5A-9F63-6E1B2D1C7A11"
        return self.code


@pytest.mark.parametrize(
    ("library", "told"), [(Library(0), b"0F5C0E1B-0B1E-4D5A-9F63-6E1B2D1C7A11"), (Library(-1), b""), (object(), b"")]
)
def test_the_boot_session_of_macos_tells_boots_apart(monkeypatch, library: object, told: bytes) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    assert kernel._boot_session() == told
    assert len(told) in (0, kernel.BOOT_ID)


@pytest.mark.parametrize("told", [True, False])
def test_a_store_that_a_process_has_open_is_not_moved_where_only_locks_tell(
    monkeypatch, tmp_path: Path, told: bool
) -> None:
    path = tmp_path / "tasks.json"
    store = JsonStore(path, durability="os")
    store.add([Job(id="one", task="app.work", due_ms=0)], 0)
    monkeypatch.setattr(backup, "holders_of", lambda _: [4711] if told else None)
    with pytest.raises(StoreBusy, match="4711" if told else "is open in a process"):
        backup.move(path, tmp_path / "new.json", now_ms=0)
    monkeypatch.setattr(backup, "holders_of", lambda _: None)
    store.close()
    assert backup.move(path, tmp_path / "new.json", now_ms=0).scheduled == 1


def test_a_file_system_that_macos_calls_remote_is_refused(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(place, "remote_type", lambda _: "smbfs")
    with pytest.raises(StoreUnsafe, match=r"network file system \(smbfs\)"):
        JsonStore(tmp_path / "tasks.json")
    JsonStore(tmp_path / "tasks.json", allow_network_fs=True).close()


def test_only_macos_is_asked_for_what_only_macos_answers_so(tmp_path: Path) -> None:
    if sys.platform != "darwin":
        assert kernel.remote_type(str(tmp_path)) is None
