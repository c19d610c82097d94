"""Place: the files of a JSON store, and whether a store may be kept there at all.

    tasks.json                    the snapshot: a JSON document, replaced as a whole
    tasks.json.journal.<epoch>    what has happened since the snapshot of that epoch
    tasks.json.index.<epoch>      where in the snapshot each job is; derived, made anew when it is missing
    tasks.json.next               a snapshot being written
    tasks.json.lock               the writers' lock: made once, never replaced or removed
    tasks.json.owner.<name>       one a scheduler, locked for as long as it lives

Refused: network file systems (their locks and syncs do not hold what the store promises), symbolic links (the lock
would stand beside the link, the data elsewhere), directories that anybody may write.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from ..errors import StoreUnsafe
from .system import System

_NETWORK: Final = frozenset(
    "nfs nfs4 cifs smb2 smb3 smbfs 9p afs ceph glusterfs lustre ncpfs ocfs2 gfs2 beegfs orangefs davfs virtiofs".split()
)
_LOCAL_FUSE: Final = frozenset({"fuse.ext4", "fuse.ntfs", "fuseblk", "fuse.fuse-overlayfs"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of one store are; ``path`` is absolute."""

    path: str

    @property
    def directory(self) -> str:
        """The directory that holds them all."""
        return os.path.dirname(self.path)

    @property
    def lock(self) -> str:
        """The lock file."""
        return self.path + ".lock"

    @property
    def next(self) -> str:
        """The snapshot being written."""
        return self.path + ".next"

    def journal(self, epoch: int) -> str:
        """The journal of an epoch."""
        return f"{self.path}.journal.{epoch}"

    def index(self, epoch: int) -> str:
        """The index of an epoch."""
        return f"{self.path}.index.{epoch}"

    def owner(self, name: str) -> str:
        """The life sign of an owner."""
        return f"{self.path}.owner.{quote(name, safe='')}"

    def siblings(self, system: System, kind: str) -> list[str]:
        """Names in the directory that begin as the store's files of a kind do, such as "journal"."""
        start = f"{os.path.basename(self.path)}.{kind}."
        return sorted(name for name in system.listdir(self.directory) if name.startswith(start))


def refuse_unsafe(place: Place, system: System, *, allow_network_fs: bool, allow_shared_directory: bool) -> None:
    """Raise unless a store may be kept at ``place``.

    Raises:
        StoreUnsafe: and why, and what can be done.
    """
    directory = place.directory
    try:
        held = system.stat(directory)
    except OSError as error:
        raise StoreUnsafe(f"the directory {directory} cannot be used: {error.strerror}") from error
    if not stat.S_ISDIR(held.st_mode):
        raise StoreUnsafe(f"{directory} is not a directory")
    if held.st_mode & stat.S_IWOTH and not held.st_mode & stat.S_ISVTX and not allow_shared_directory:
        raise StoreUnsafe(f"anybody may write in {directory}; chmod o-w it, or pass allow_shared_directory=True")
    for path in (place.path, place.lock):
        _refuse_unless_file(path, system)
    if not allow_network_fs:
        kind = file_system_of(directory, _mounts())
        if kind is not None and is_network(kind):
            raise StoreUnsafe(
                f"{directory} is on a network file system ({kind}), where file locks and syncs cannot be trusted; "
                "use a local disk, a server store, or pass allow_network_fs=True at your own risk"
            )


def _refuse_unless_file(path: str, system: System) -> None:
    try:
        mode = system.lstat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreUnsafe(f"{path} cannot be used: {error.strerror}") from error
    if stat.S_ISLNK(mode):
        raise StoreUnsafe(f"{path} is a symbolic link; name the file itself")
    if not stat.S_ISREG(mode):
        raise StoreUnsafe(f"{path} is not a regular file")


def is_network(kind: str) -> bool:
    """Whether a file system type, as in mountinfo, is one whose locks cannot be trusted."""
    return kind in _NETWORK or (kind.startswith("fuse") and kind not in _LOCAL_FUSE)


def file_system_of(path: str, mountinfo: str) -> str | None:
    """The type of the file system that holds ``path``, by the text of /proc/self/mountinfo; None if it does not say."""
    path = os.path.realpath(path)
    best, kind = -1, None
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5 or not right:
            continue
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, kind = len(point), right.split(" ")[0]
    return kind


def _mounts() -> str:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
