"""Failure: the StoreErrors that failed system calls become."""

from __future__ import annotations

import errno
from typing import Final

from ....errors import StoreError, StoreFull, StoreUncertain

OUT_OF_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def store_error(error: OSError, what: str) -> StoreError:
    """The error for a call that changed nothing."""
    if error.errno in OUT_OF_ROOM:
        return StoreFull(error.errno, f"{what}: {error.strerror}")
    return StoreError(f"{what}: {error.strerror or error}")


def uncertain(error: OSError, what: str) -> StoreUncertain:
    """The error for a failed write or sync: its change may or may not be on the disk."""
    return StoreUncertain(error.errno, f"{what}: {error.strerror or error}")
