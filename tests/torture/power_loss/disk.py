"""A disk that may lose power: it watches the real system calls of a store, and says what could be left of the files.

What is assumed, which is what POSIX promises and no more:

* Data of a file that was not synced since may be on the disk or not, sector by sector (512 bytes), in any version that the
  sector has had since the last sync; the file's size likewise, and where there is size without data there are zeros.
* Names that were not synced (by an fsync of the directory) may be on the disk or not: any subset of the changes ("weak"),
  or any number of the first of them ("ordered").
* fsync of a file settles its data and size, not its name.
* A sync that fails has dropped the data: it counts as clean, is still read back as long as the machine runs, and no later
  sync brings it to the disk. Whoever has the file open is told once, whoever opens it later is not (Linux since 4.13).
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Mapping
from typing import Any, Literal

from hourwheel.store.file.system.system import System

SECTOR = 512
Order = Literal["weak", "ordered"]


class Died(BaseException):
    """What a process notices of its own death: nothing it does afterwards has any effect."""


class _Node:
    """A file: as it is read now, as it is on the disk, and what of the difference is under way."""

    def __init__(self) -> None:
        self.now = bytearray()
        self.kept = bytearray()
        self.dirty: dict[int, list[bytes]] = {}
        self.sizes: list[int] = []

    def write(self, offset: int, data: bytes) -> None:
        first = min(offset, len(self.now)) // SECTOR
        last = (offset + len(data) - 1) // SECTOR
        for sector in range(first, last + 1):
            self.dirty.setdefault(sector, [self._sector(self.kept, sector)])
        if len(self.now) < offset:
            self.now.extend(bytes(offset - len(self.now)))
        self.now[offset : offset + len(data)] = data
        for sector in range(first, last + 1):
            self.dirty[sector].append(self._sector(self.now, sector))
        self.sizes.append(len(self.now))

    def truncate(self, length: int) -> None:
        for sector in range(length // SECTOR, (max(len(self.now), length) + SECTOR - 1) // SECTOR):
            self.dirty.setdefault(sector, [self._sector(self.kept, sector)])
        del self.now[length:]
        self.now.extend(bytes(length - len(self.now)))
        for sector, versions in self.dirty.items():
            if sector >= length // SECTOR:
                versions.append(self._sector(self.now, sector))
        self.sizes.append(length)

    def sync(self, *, failed: bool = False) -> None:
        if not failed:
            for sector in self.dirty:
                piece = self._sector(self.now, sector)
                if len(self.kept) < (sector + 1) * SECTOR:
                    self.kept.extend(bytes((sector + 1) * SECTOR - len(self.kept)))
                self.kept[sector * SECTOR : (sector + 1) * SECTOR] = piece
        self.kept.extend(bytes(max(0, len(self.now) - len(self.kept))))
        del self.kept[len(self.now) :]
        self.dirty.clear()
        self.sizes.clear()

    def after_power_loss(self, pick: Callable[[list[Any]], Any]) -> bytes:
        size = pick([len(self.kept), *self.sizes]) if self.sizes else len(self.kept)
        left = bytearray(self.kept[:size])
        left.extend(bytes(size - len(left)))
        for sector, versions in self.dirty.items():
            start = sector * SECTOR
            if start < size:
                piece = pick(versions)
                left[start : start + SECTOR] = piece[: size - start]
        return bytes(left)

    @staticmethod
    def _sector(data: bytearray, sector: int) -> bytes:
        piece = bytes(data[sector * SECTOR : (sector + 1) * SECTOR])
        return piece + bytes(SECTOR - len(piece))


class Disk:
    """One directory. ``after`` is called after each change, while the process that made it is still at it."""

    def __init__(self, after: Callable[[], None] = lambda: None) -> None:
        self.after = after
        self.operations = 0
        self.processes: list[Process] = []
        self._nodes: dict[tuple[int, int], _Node] = {}
        self._now: dict[str, _Node] = {}
        self._kept: dict[str, _Node] = {}
        self._renaming: list[tuple[str, str, _Node | None]] = []
        """Changes of names since the directory was synced: (old name or "", new name or "", the file)."""
        self._torn: tuple[_Node, int, bytes, bytes] | None = None

    def hold(self, directory: str, files: Mapping[str, bytes]) -> None:
        """Begin with these files in a directory, all of them settled: what an earlier power loss has left."""
        for name, data in files.items():
            path = os.path.join(directory, name)
            with open(path, "wb") as file:
                file.write(data)
            status = os.stat(path)
            node = self._nodes[status.st_dev, status.st_ino] = _Node()
            node.now[:] = node.kept[:] = data
            self._now[name] = self._kept[name] = node

    # ---- what could be left ------------------------------------------------------------------------------

    def after_power_loss(self, rng: random.Random, order: Order) -> dict[str, bytes]:
        """One of the states that the files may be in once the machine is up again."""
        number = rng.random

        def pick(options: list[Any]) -> Any:  # half the price of rng.choice
            return options[int(number() * len(options))]

        extreme = rng.random()
        if extreme < 0.1:  # nothing that was not synced is there
            pick = _first
        elif extreme < 0.2:  # everything is, but perhaps names
            pick = _last
        count = rng.randint(0, len(self._renaming))
        names = dict(self._kept)
        for place, (old, new, node) in enumerate(self._renaming):
            if (rng.random() < 0.5) if order == "weak" else (place < count):
                names.pop(old, None)
                if node is not None:
                    names[new] = node
        return {name: node.after_power_loss(pick) for name, node in names.items()}

    def after_kill(self, rng: random.Random) -> dict[str, bytes]:
        """The files as other processes see them when this one is killed now; its last write may be torn."""
        left = {name: bytes(node.now) for name, node in self._now.items()}
        if self._torn is not None:
            node, offset, before, data = self._torn
            done = rng.randint(0, len(data))
            for name, other in self._now.items():
                if other is node:
                    left[name] = left[name][: offset + done] + before[offset + done :]
        return left

    # ---- what is done ------------------------------------------------------------------------------------

    def _changed(self, torn: tuple[_Node, int, bytes, bytes] | None = None) -> None:
        self.operations += 1
        self._torn = torn
        self.after()

    def node(self, fd: int) -> _Node:
        status = os.fstat(fd)
        return self._nodes[status.st_dev, status.st_ino]

    def opened(self, path: str, fd: int, *, made: bool, emptied: bool) -> None:
        status = os.fstat(fd)
        if made:
            node = self._nodes[status.st_dev, status.st_ino] = _Node()
            self._now[os.path.basename(path)] = node
            self._renaming.append(("", os.path.basename(path), node))
            self._changed()
        elif emptied:
            self.node(fd).truncate(0)
            self._changed()

    def wrote(self, fd: int, data: bytes, offset: int) -> None:
        node = self.node(fd)
        before = bytes(node.now)
        node.write(offset, data)
        self._changed((node, offset, before, data))

    def truncated(self, fd: int, length: int) -> None:
        self.node(fd).truncate(length)
        self._changed()

    def synced(self, fd: int, *, failed: bool = False) -> None:
        self.node(fd).sync(failed=failed)
        self._changed()

    def tell_others(self, process: Process, fd: int) -> None:
        for other in self.processes:
            if other is not process:
                other.tell(self.node(fd))

    def synced_directory(self) -> None:
        self._kept = dict(self._now)
        self._renaming.clear()
        self._changed()

    def linked(self, old: str, new: str) -> None:
        """A second name for a file."""
        node = self._now[os.path.basename(new)] = self._now[os.path.basename(old)]
        self._renaming.append(("", os.path.basename(new), node))
        self._changed()

    def renamed(self, old: str, new: str) -> None:
        node = self._now.pop(os.path.basename(old))
        self._now[os.path.basename(new)] = node
        self._renaming.append((os.path.basename(old), os.path.basename(new), node))
        self._changed()

    def unlinked(self, path: str) -> None:
        del self._now[os.path.basename(path)]
        self._renaming.append((os.path.basename(path), "", None))
        self._changed()


def _first(options: list[Any]) -> Any:
    return options[0]


def _last(options: list[Any]) -> Any:
    return options[-1]


class Process(System):
    """The system calls of one process on a Disk: made for real, and told to the disk.

    ``before(call, path or "")`` may raise an OSError, for the call to fail, or Died.
    """

    has_directories = False

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.before: Callable[[str, str], None] = lambda call, path: None
        self.tear: int | None = None
        """How many bytes of its next write this process manages before it dies."""
        self.dead = False
        self._open: dict[int, str] = {}
        self._untold: set[int] = set()
        disk.processes.append(self)
        for name in ("open", "close", "pwrite", "fsync", "fdatasync", "ftruncate", "replace", "unlink"):
            setattr(self, name, getattr(self, f"_do_{name}"))
        for name in ("pread", "fstat", "stat", "lstat", "listdir", "flock"):
            setattr(self, name, self._plain(name))

    def die(self) -> None:
        """End this process: the kernel closes its files, and whatever it still tries is not done."""
        if self.dead:
            return
        self.dead = True
        for fd in list(self._open):
            os.close(fd)
        self._open.clear()
        self.disk.processes.remove(self)

    def path_of(self, fd: int) -> str:
        """The path by which a descriptor was opened; "directory" for that of the directory."""
        return self._open.get(fd, "")

    def paths(self) -> list[str]:
        """The paths of everything that is open."""
        return list(self._open.values())

    def _plain(self, name: str) -> Callable[..., Any]:
        real = getattr(System, name)

        def call(*args: Any) -> Any:
            self._about_to(name, args[0] if isinstance(args[0], str) else self._open.get(args[0], ""))
            return real(*args)

        return call

    def _about_to(self, name: str, path: str) -> None:
        if self.dead:
            raise Died
        self.before(name, path)
        if self.dead:
            raise Died

    def _do_open(self, path: str, flags: int, mode: int = 0o777) -> int:
        directory = bool(flags & os.O_DIRECTORY)
        self._about_to("open", path)
        made = bool(flags & os.O_CREAT) and not os.path.lexists(path)
        emptied = bool(flags & os.O_TRUNC) and not made and os.path.getsize(path) > 0
        fd = os.open(path, flags, mode)
        self._open[fd] = "directory" if directory else path
        if not directory:
            self.disk.opened(path, fd, made=made, emptied=emptied)
        return fd

    def _do_pwrite(self, fd: int, data: bytes, offset: int) -> int:
        path = self._open.get(fd, "")
        self._about_to("pwrite", path)
        if self.tear is not None:
            data = data[: self.tear]
            if data:
                os.pwrite(fd, data, offset)
                self.disk.wrote(fd, data, offset)
            self.die()
            raise Died
        written = os.pwrite(fd, data, offset)
        self.disk.wrote(fd, data[:written], offset)
        return written

    def _do_close(self, fd: int) -> None:
        if self.dead:
            raise Died
        self._open.pop(fd, None)
        self._untold.discard(fd)
        os.close(fd)

    def _do_fsync(self, fd: int) -> None:
        self._sync("fsync", fd)

    def _do_fdatasync(self, fd: int) -> None:
        self._sync("fdatasync", fd)

    def _sync(self, name: str, fd: int) -> None:
        path = self._open.get(fd, "")
        try:
            self._about_to(name, path)
        except OSError as error:
            if error.errno == errno.EIO and path != "directory":
                self.disk.synced(fd, failed=True)
                self.disk.tell_others(self, fd)
            raise
        if path == "directory":
            self.disk.synced_directory()
        else:
            self.disk.synced(fd)
        if fd in self._untold:
            self._untold.discard(fd)
            raise OSError(errno.EIO, "an earlier sync failed")

    def tell(self, node: _Node) -> None:
        """A sync of a file has failed: whoever has it open is told so once."""
        self._untold.update(fd for fd, path in self._open.items() if path != "directory" and self.disk.node(fd) is node)

    def _do_ftruncate(self, fd: int, length: int) -> None:
        self._about_to("ftruncate", self._open.get(fd, ""))
        os.ftruncate(fd, length)
        self.disk.truncated(fd, length)

    def _do_replace(self, old: str, new: str) -> None:
        self._about_to("replace", old)
        os.replace(old, new)
        self.disk.renamed(old, new)

    def _do_unlink(self, path: str) -> None:
        self._about_to("unlink", path)
        os.unlink(path)
        self.disk.unlinked(path)
