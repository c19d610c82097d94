"""repair() on a disk with bad sectors, and with a journal that cannot be opened: the rest is saved."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hourwheel.store.file.repair import repair
from hourwheel.store.file.system.system import System

from .conftest import Made, jobs_in

SECTOR = 64


@pytest.fixture(autouse=True)
def small_sectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hourwheel.store.file.repair.reading._SECTOR", SECTOR)


class BadDisk(System):
    """Of one file some bytes cannot be read."""

    def __init__(self, path: Path, start: int, stop: int) -> None:
        super().__init__()
        right_open, right_pread = self.open, self.pread
        files: dict[int, str] = {}

        def open(name: str, flags: int, mode: int = 0o600) -> int:
            fd = right_open(name, flags, mode)
            files[fd] = name
            return fd

        def pread(fd: int, size: int, at: int) -> bytes:
            if files.get(fd) == str(path) and at < stop and at + size > start:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return right_pread(fd, size, at)

        self.open, self.pread = open, pread  # type: ignore[method-assign,assignment]


@pytest.mark.parametrize("which", ["snapshot", "journal"])
def test_one_bad_sector_made_repair_of_the_whole_store_fail(made: Made, which: str) -> None:
    path = made.path if which == "snapshot" else made.journal
    data, costs = path.read_bytes().rstrip(b"\n"), set()
    for at in range(0, len(data), 2 * SECTOR):
        output = f"{made.path}.repaired.{at}"
        found = repair(made.path, output, system=BadDisk(path, at, at + 1))
        assert found.violations == []
        assert found.salvage.harmed
        kept = jobs_in(output)
        assert kept.keys() <= made.jobs.keys()
        costs.add(len(made.jobs) - len(kept))
    assert max(costs) <= 3
    assert min(costs) == 0


def test_a_journal_that_is_a_link_made_repair_of_the_whole_store_fail(made: Made) -> None:
    stray = made.path.parent / "tasks.json.journal.77"
    stray.symlink_to("/dev/null")
    found = repair(made.path, f"{made.path}.repaired")
    assert found.violations == []
    assert [(damage.path, "cannot be read" in damage.reason) for damage in found.salvage.damages] == [
        (str(stray), True)
    ]
    assert jobs_in(f"{made.path}.repaired").keys() == made.jobs.keys()


def test_who_may_not_read_a_journal_is_told_so_and_nothing_is_written(made: Made) -> None:
    class Foreign(System):
        def __init__(self) -> None:
            super().__init__()
            right = self.open

            def open(name: str, flags: int, mode: int = 0o600) -> int:
                if ".journal." in name:
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
                return right(name, flags, mode)

            self.open = open  # type: ignore[method-assign,assignment]

    with pytest.raises(PermissionError):
        repair(made.path, f"{made.path}.repaired", system=Foreign())
    assert not Path(f"{made.path}.repaired").exists()
