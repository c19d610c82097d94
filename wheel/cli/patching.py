"""Begin anew with a program whose threads are greenlets, for ``hourwheel worker -P gevent`` and ``-P eventlet``.

These libraries must patch the standard library before anything else is imported, and by now much has been. So the
process runs Python once more in its own place (exec: its number, its terminal and its parent stay), which patches and
then comes here again with the same words.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from ..worker.pool.green import PATCHES, installed, missing, patched
from .outcome import CommandError

_AGAIN: Final = "{patch}; import sys; from hourwheel.cli import main; sys.exit(main())"


def patch_for(pool: str, words: Sequence[str]) -> None:
    """Return if the pool needs no patch, or has it; otherwise do not return.

    Args:
        pool: the name of its kind.
        words: those behind ``hourwheel``.

    Raises:
        CommandError: the library is not installed.
    """
    if pool not in PATCHES or patched(pool):
        return
    if not installed(pool):
        raise CommandError(missing(pool))
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    sys.stdout.flush()
    command = [sys.executable, *flags, "-c", _AGAIN.format(patch=PATCHES[pool]), *words]
    os.execv(sys.executable, command)  # noqa: S606 - ourselves
