"""What a forked child of a busy site may do. Each ends its process; an exception is a violation."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable
from typing import NoReturn

from ..pace import patient
from ..processes import append_line, ended, forked
from .site import Site, open_locks


def run(site: Site, way: str) -> None:
    """Be the child: first what holds for every one of them, then what this one is for."""
    left = open_locks(site.path)
    assert not left, f"descriptors of the parent's locks are open in the child: {left}"
    assert not site.app.running, "a thread does not survive a fork"
    assert site.app.stop(0) == []
    WAYS[way](site)


def _nothing(site: Site) -> None:
    return


def _adds(site: Site) -> None:
    site.add()
    site.add(0.05)


def _starts(site: Site) -> None:
    site.app.start()
    assert site.app.running
    site.app.AsyncResult(site.add()).get(timeout=patient(8))
    site.app.stop(5)
    site.app.store.close()


def _stays_running(site: Site) -> None:
    """Ends without stop(), while its scheduler works: what it has claimed is started by others."""
    site.app.start()
    site.app.AsyncResult(site.add()).get(timeout=patient(8))
    _exits(site)


def _exits(site: Site) -> None:
    """What sys.exit does, but for unwinding the frames of this campaign."""
    site.add()
    atexit._run_exitfuncs()  # type: ignore[attr-defined]
    threading._shutdown()  # type: ignore[attr-defined]


def _closes(site: Site) -> None:
    site.add()
    site.app.store.close()


def _execs(site: Site) -> NoReturn:
    site.add()
    script = f'for fd in /proc/self/fd/*; do case "$(readlink $fd)" in {site.path}*) exit 3;; esac; done; exit 0'
    os.execv("/bin/sh", ["sh", "-c", script])


def _has_child(site: Site) -> None:
    site.app.start()
    site.add()
    assert ended(forked(lambda: run(site, "adds")), 8) == 0, "the grandchild"
    site.app.stop(5)


def _is_killed(site: Site) -> None:
    """Dies with a claim in its hand."""
    store = site.app.store
    claims = store.claim(site.app.owner, site.app.clock.now_ms(), 1)
    for claim in claims:
        append_line(site.deaths, claim.job.id)
    os.kill(os.getpid(), signal.SIGKILL)


WAYS: dict[str, Callable[[Site], object]] = {
    "nothing": _nothing,
    "adds": _adds,
    "starts": _starts,
    "stays running": _stays_running,
    "exits": _exits,
    "closes": _closes,
    "execs": _execs,
    "has a child": _has_child,
    "is killed": _is_killed,
}
