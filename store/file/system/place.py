"""Place: the files of a JSON store, and whether a store may be kept there at all.

    tasks.json                    the snapshot: a JSON document, replaced as a whole
    tasks.json.journal.<epoch>    what has happened since the snapshot of that epoch
    tasks.json.index.<epoch>      where in the snapshot each job is; made again when it is missing
    tasks.json.next               a snapshot being written
    tasks.json.lock               the writers' lock: made once, never replaced or removed
    tasks.json.owner.<name>       one per scheduler, locked for as long as it lives

Refused are network file systems, whose locks and syncs cannot be trusted; symbolic links, hard links and mounts of the
single file, as each name would have a lock of its own; directories that anybody may write to; and files of other users.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pwd import getpwuid
from typing import Final
from urllib.parse import quote

from ....errors import InvalidValue, StoreUnsafe
from .kernel import remote_type
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
        return f"{self.path}.owner.{quote(name, safe='', errors='surrogatepass')}"

    def siblings(self, system: System, kind: str) -> list[str]:
        """The names of the store's files of one kind, such as "journal"."""
        start = f"{os.path.basename(self.path)}.{kind}."
        return sorted(name for name in system.listdir(self.directory) if name.startswith(start))


def epoch_of(name: str) -> int:
    """The epoch in the name of a journal or an index; -1 if there is none."""
    number = name.rpartition(".")[2]
    return int(number) if number.isdecimal() else -1


def place_at(path: str | os.PathLike[str]) -> Place:
    """The place that a path names; InvalidValue if no file can have that name.

    >>> place_at("/data/tasks.json").lock
    '/data/tasks.json.lock'
    """
    try:
        name = os.fsencode(path)
    except (TypeError, UnicodeEncodeError):
        name = b""
    if not name or b"\0" in name or isinstance(os.fspath(path), bytes):
        raise InvalidValue.of("path", "the path of a file, as a string that can name one", path)
    return Place(os.path.abspath(os.fspath(path)))


def refuse_unsafe(
    place: Place,
    system: System,
    *,
    allow_network_fs: bool,
    allow_shared_directory: bool,
    links: bool = False,
    others: bool = False,
) -> None:
    """Raise unless a store may be kept at ``place``.

    Args:
        place: the store's.
        system: the system calls.
        allow_network_fs: accept a network file system.
        allow_shared_directory: accept a directory where anybody may write.
        links: accept a file with a second name.
        others: accept another user's file.

    Raises:
        StoreUnsafe: the message says why, and what to do.
    """
    directory = place.directory
    try:
        held = system.stat(directory)
    except OSError as error:
        raise StoreUnsafe(f"the directory {directory} cannot be used: {error.strerror}") from error
    if not stat.S_ISDIR(held.st_mode):
        raise StoreUnsafe(f"{directory} is not a directory")
    if held.st_mode & stat.S_IWOTH and not held.st_mode & stat.S_ISVTX and not allow_shared_directory:
        raise StoreUnsafe(f"anybody may write to {directory}; chmod o-w it, or pass allow_shared_directory=True")
    owner = os.geteuid() or held.st_uid  # a store that root makes belongs to the owner of the directory
    for path in (place.path, place.lock):
        found = _file_at(path, system, links=links)
        if found is not None and not others:
            owner = _refuse_strangers(path, found.st_uid, owner, held)
    mounts = _mounts()
    if os.path.join(os.path.realpath(directory), os.path.basename(place.path)) in (
        point for point, _ in _mounted(mounts)
    ):
        raise StoreUnsafe(
            f"{place.path} is a mount of its own, so its lock and journal would be outside of it; "
            "mount the directory that holds it"
        )
    if not allow_network_fs:
        kind = network_type(directory, mounts)
        if kind is not None:
            raise StoreUnsafe(
                f"{directory} is on a network file system ({kind}), where file locks and syncs cannot be trusted; "
                "use a local disk, a server store, or pass allow_network_fs=True at your own risk"
            )


def _refuse_strangers(path: str, uid: int, owner: int, directory: os.stat_result) -> int:
    """Raise if a file has an unexpected owner; returns who must own the next one.

    Root may open the store of a user, except in a directory where anybody may make files: there, a store may be
    a trap.
    """
    me = os.geteuid()
    shared = bool(directory.st_mode & stat.S_IWOTH)
    if uid == owner or (me == 0 and not shared) or (me == 0 and uid == 0):
        return uid
    raise StoreUnsafe(
        f"{path} belongs to {user_of(uid)}, not to {user_of(owner)}: what one user writes the other could not read, or "
        f"should not trust. Run as {user_of(uid)}, give the files to {user_of(owner)} (chown), or name another place"
    )


def user_of(uid: int) -> str:
    """The name of a user, or its number."""
    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _file_at(path: str, system: System, *, links: bool) -> os.stat_result | None:
    try:
        found = system.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnsafe(f"{path} cannot be used: {error.strerror}") from error
    if stat.S_ISLNK(found.st_mode):
        raise StoreUnsafe(f"{path} is a symbolic link; name the file itself")
    if not stat.S_ISREG(found.st_mode):
        raise StoreUnsafe(f"{path} is not a regular file")
    if found.st_nlink > 1 and not links:
        raise StoreUnsafe(
            f"{path} has {found.st_nlink} names (hard links), each of which would have its own lock; "
            "remove the other name, or put a copy of the file in its place"
        )
    return found


def is_network(kind: str) -> bool:
    """Whether this is the type, as in mountinfo, of a file system whose locks cannot be trusted."""
    return kind in _NETWORK or (kind.startswith("fuse") and kind not in _LOCAL_FUSE)


def network_type(directory: str, mounts: str | None = None) -> str | None:
    """The type of the network file system that a directory is on; None on a local one."""
    kind = file_system_of(directory, _mounts() if mounts is None else mounts)
    return kind if kind is not None and is_network(kind) else remote_type(directory)


def file_system_of(path: str, mountinfo: str) -> str | None:
    """The type of the file system that holds ``path``, by the text of /proc/self/mountinfo; None if it does not say."""
    path = os.path.realpath(path)
    best, found = -1, None
    for point, kind in _mounted(mountinfo):
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, found = len(point), kind
    return found


def _mounted(mountinfo: str) -> Iterator[tuple[str, str]]:
    """(where, the type of the file system) of each mount."""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) >= 5 and right:
            point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
            yield point, right.split(" ")[0]


def _mounts() -> str:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
