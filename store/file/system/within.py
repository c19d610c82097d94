"""Within: the system calls of a store, on names in a directory that is held open.

A name is looked up in the directory that was opened, wherever that is now. So a store writes, renames and removes only
its own files, even if its directory is renamed at that moment and another one takes its place.

New files get the owner and the mode of the store: when root looks at the store of a service, it must not leave files
there that the service cannot open.
"""

from __future__ import annotations

import os
import stat
from typing import Any, Final, NamedTuple

from ....errors import StoreUnsafe
from .place import user_of
from .system import System

_MODE: Final = 0o600
_MODES: Final = 0o666
_AS_THEY_ARE: Final = (
    *("close", "pread", "pwrite", "fsync", "fdatasync", "ftruncate", "fstat", "flock"),
    *("fchown", "fchmod"),
)


class Ownership(NamedTuple):
    """Who owns a store, and who else may read or write its files."""

    uid: int
    gid: int
    mode: int

    @property
    def given(self) -> bool:
        """Whether a new file must be given another owner or mode."""
        return (self.uid, self.gid) != (os.geteuid(), os.getegid()) or self.mode != _MODE


class Within(System):
    """The calls of ``system``; names in ``directory`` are looked up in the directory that take() has opened."""

    def __init__(self, directory: str, system: System) -> None:
        self.directory: Final = directory
        self.outer: Final = system
        """The calls themselves, for whole paths."""
        self.fd = -1
        self.ownership: Ownership | None = None
        for name in _AS_THEY_ARE:
            setattr(self, name, getattr(system, name))
        for name in ("open", "stat", "lstat", "replace", "unlink", "listdir"):
            setattr(self, name, getattr(self, f"_{name}"))

    def take(self, path: str) -> None:
        """Open the directory, and note who owns the store at ``path``; StoreUnsafe if it cannot be opened."""
        try:
            self.fd = self.outer.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self.note_owner(path)
        except OSError as error:
            self.let_go()
            raise StoreUnsafe(f"the directory {self.directory} cannot be used: {error.strerror}") from error

    def note_owner(self, path: str) -> None:
        """See System.note_owner."""
        self.ownership = ownership_of(path, self)

    def let_go(self) -> None:
        """Close the directory; no name can be looked up after that."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def _name(self, path: str) -> str:
        return "." if path == self.directory else os.path.basename(path)

    def _open(self, path: str, flags: int, mode: int = _MODE) -> int:
        owner = self.ownership
        if not flags & os.O_CREAT or owner is None or not owner.given:
            try:
                return self.outer.open(self._name(path), flags, mode, dir_fd=self.fd)
            except PermissionError as error:
                raise PermissionError(error.errno, f"{error.strerror}: {self._whose(path)}") from error
        fd = self.outer.open(self._name(path), flags, owner.mode, dir_fd=self.fd)
        try:
            give(fd, owner, path, self.outer)
        except BaseException:
            self.outer.close(fd)
            raise
        return fd

    def _whose(self, path: str) -> str:
        try:
            return f"{path} belongs to {user_of(self._lstat(path).st_uid)}"
        except OSError:
            return path

    def _stat(self, path: str) -> os.stat_result:
        return self.outer.stat(self._name(path), dir_fd=self.fd)

    def _lstat(self, path: str) -> os.stat_result:
        return self.outer.lstat(self._name(path), dir_fd=self.fd)

    def _replace(self, old: str, new: str) -> None:
        self.outer.replace(self._name(old), self._name(new), src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def _unlink(self, path: str) -> None:
        self.outer.unlink(self._name(path), dir_fd=self.fd)

    def _listdir(self, path: str) -> list[str]:  # noqa: ARG002 - there is only one
        return self.outer.listdir(self.fd)  # type: ignore[arg-type]


def within(directory: str, system: System) -> System:
    """The calls of ``system`` within a directory; ``system`` itself if it has no directories, as in some tests."""
    return Within(directory, system) if system.has_directories else system


def ownership_of(path: str, system: System) -> Ownership:
    """Who owns the store at ``path``, or will: one that root makes belongs to the owner of the directory."""
    try:
        found = system.lstat(path)
    except FileNotFoundError:
        if os.geteuid() == 0:
            held = system.stat(os.path.dirname(path))
            return Ownership(held.st_uid, held.st_gid, _MODE)
        return Ownership(os.geteuid(), os.getegid(), _MODE)
    return Ownership(found.st_uid, found.st_gid, found.st_mode & _MODES | _MODE)


def give(fd: int, owner: Ownership, path: str, system: System) -> None:
    """Set the owner and mode of an open file; StoreUnsafe if this process may not."""
    found: Any = system.fstat(fd)
    try:
        if (found.st_uid, found.st_gid) != (owner.uid, owner.gid):
            system.fchown(fd, owner.uid, owner.gid)
        if stat.S_IMODE(found.st_mode) != owner.mode:
            system.fchmod(fd, owner.mode)
    except OSError as error:
        raise StoreUnsafe(
            f"{path} cannot be given to the owner of the store (uid {owner.uid}, gid {owner.gid}): {error.strerror}; "
            "run as that user"
        ) from error
