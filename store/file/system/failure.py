"""Failure: which error of ours a failed system call becomes."""

from __future__ import annotations

import errno
from typing import Final

from ....errors import StoreError, StoreFull, StorePoisoned
from ..format.journal import NoRoom

OUT_OF_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def store_error(error: OSError, what: str) -> StoreError:
    """The error for a failed write or sync: StoreFull, StorePoisoned, or plainly StoreError if nothing was written."""
    if error.errno in OUT_OF_ROOM:
        return StoreFull(error.errno, f"{what}: {error.strerror}")
    if isinstance(error, NoRoom):
        return StoreError(f"{what}: {error.strerror}")
    return StorePoisoned(error.errno, f"{what}: {error.strerror or error}")


def opening_error(error: OSError, what: str) -> StoreError:
    """The error for a failed open or read."""
    if error.errno in OUT_OF_ROOM:
        return StoreFull(error.errno, f"{what}: {error.strerror}")
    return StoreError(f"{what}: {error.strerror or error}")
