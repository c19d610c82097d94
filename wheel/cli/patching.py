"""Restart the program with a patched standard library, for ``hourwheel worker -P gevent`` and ``-P eventlet``.

These libraries must patch the standard library before other modules are imported, and by now many have been. So the
process replaces itself with a new Python (exec: same pid, terminal and parent), which patches first and then runs
the same command.
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
    """Restart the process, with the same ``words``, if the pool needs a patch that is not applied yet."""
    if pool not in PATCHES or patched(pool):
        return
    if not installed(pool):
        raise CommandError(missing(pool))
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    sys.stdout.flush()
    command = [sys.executable, *flags, "-c", _AGAIN.format(patch=PATCHES[pool]), *words]
    os.execv(sys.executable, command)  # noqa: S606 - restarts this program
