"""Failure: which error of ours a failed system call becomes."""

from __future__ import annotations

import errno
from typing import Final

from ....errors import StoreError, StoreFull, StoreUncertain

OUT_OF_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def store_error(error: OSError, what: str) -> StoreError:
    """The error for a call that has changed nothing."""
    if error.errno in OUT_OF_ROOM:
        return StoreFull(error.errno, f"{what}: {error.strerror}")
    return StoreError(f"{what}: {error.strerror or error}")


def uncertain(error: OSError, what: str) -> StoreUncertain:
    """The error for a write or sync that has failed, so that its change may be on the disk or not."""
    return StoreUncertain(error.errno, f"{what}: {error.strerror or error}")
