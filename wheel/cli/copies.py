"""Copies: the jobs of a store read from a copy of its files, so that nothing about the store itself is touched.

The snapshot is copied first, then the journals. They only grow, so what was copied of them is what the store was at
some moment; the end may be cut in the midst of a record, which reading takes for an unfinished write, as it is. If the
snapshot was replaced meanwhile, its journal may be gone, and all is copied again.
"""

from __future__ import annotations

import os
import shutil
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Final

from ..contract import Store
from ..store.place import Place
from ..store.system import SYSTEM
from ..store.url import open_store
from .outcome import CommandError
from .places import file_of, url_of

_TRIES: Final = 10


@contextmanager
def copied(args: Namespace, environ: Mapping[str, str]) -> Iterator[tuple[str, Store]]:
    """(the path, an open copy) of the store that the arguments name, for as long as the block runs.

    Raises:
        CommandError: none is named, there is none, or it is replaced faster than it can be copied.
        HourwheelError: it cannot be read.
    """
    path = file_of(url_of(args, environ))
    with TemporaryDirectory(prefix="hourwheel-") as directory:
        store = open_store(_copy(path, directory), durability="os")
        try:
            yield path, store
        finally:
            store.close()


def _copy(path: str, directory: str) -> str:
    copy = os.path.join(directory, os.path.basename(path))
    for _ in range(_TRIES):
        before = _identity(path)
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))
        try:
            if before is not None:
                shutil.copyfile(path, copy)
            for name in Place(path).siblings(SYSTEM, "journal"):
                shutil.copyfile(os.path.join(os.path.dirname(path), name), os.path.join(directory, name))
        except FileNotFoundError:
            continue
        if _identity(path) == before:
            return copy
    raise CommandError(f"{path} is rewritten faster than it can be copied; try again later")


def _identity(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
