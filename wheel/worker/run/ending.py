"""Ending: a job that is running when the program ends normally is neither failed nor counted as crashed.

Python's shutdown begins when the main thread has ended. Before the executors of concurrent.futures (and asyncio) refuse
work, all schedulers stop claiming and wait for their jobs. The process may still go on while other threads run. A job
that then fails because an executor refuses work is released. Jobs that are running at the very end are released, too.
"""

from __future__ import annotations

import atexit
import builtins
import os
import threading
import weakref
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ...errors import SchedulerError
from .. import log

if TYPE_CHECKING:
    from ...contract import Store
    from ..ticker import Ticker

App = Any
"""A Scheduler, which this package must not import."""
ALL: Final[weakref.WeakSet[App]] = weakref.WeakSet()
"""Every scheduler of this process."""
_LEFT: Final[set[Ticker]] = set()
"""The tickers of schedulers that were closed while jobs were running."""
GRACE_S: Final = 30.0
"""How long a program that ends without stop() waits for running jobs. Ctrl-C ends the wait."""
_REFUSALS: Final = ("cannot schedule new futures after", "can't register atexit after shutdown")
_REFUSED_BY_PYTHON: Final = ("new thread at interpreter shutdown", "fork at interpreter shutdown")
"""From Python 3.12 on; 3.12.0 to 3.12.2 do so as soon as the main thread has ended, while jobs have their grace."""
_KINDS: Final = {RuntimeError, getattr(builtins, "PythonFinalizationError", RuntimeError)}
"""The second is Python 3.13's."""
_watches = False
_begun = False


def is_scheduler(found: object) -> bool:
    """Whether an object is one of the schedulers of this process."""
    return any(found is one for one in ALL)


def watch() -> None:
    """Notice when the shutdown begins. Called when a scheduler starts.

    Raises:
        SchedulerError: the shutdown has begun.
    """
    global _watches
    if _begun:
        raise SchedulerError(
            "the main thread has ended, so jobs could no longer use executors; let the main thread wait for the others"
        )
    if _watches:
        return
    import_module("concurrent.futures.thread")  # callbacks run in reverse order: ours before those registered by it
    register: Callable[[Callable[[], None]], None] | None = getattr(threading, "_register_atexit", None)
    if register is not None:  # undocumented; without it the end is noticed later, at exit
        register(_at_shutdown)
    _watches = True


def caused(error: BaseException) -> bool:
    """Whether an exception was caused by the shutdown and not by the function that raised it."""
    refusals = _REFUSALS + _REFUSED_BY_PYTHON if _begun else _REFUSED_BY_PYTHON
    return type(error) in _KINDS and any(refusal in str(error) for refusal in refusals)


def leave_open(ticker: Ticker, store: Store) -> bool:
    """Close the store when the last of the ticker's jobs has ended. Return False if none is running."""

    def close() -> None:
        try:
            store.close()
        finally:
            _LEFT.discard(ticker)  # only now: until then the end of the program waits for the ticker

    _LEFT.add(ticker)
    if ticker.late.when_over(close):
        return True
    _LEFT.discard(ticker)
    return False


def _at_shutdown() -> None:
    """When the main thread has ended: stop claiming, and let running jobs end while executors still work."""
    global _begun
    running = [scheduler for scheduler in list(ALL) if scheduler.running]
    if running and any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        log.LOG.error(
            "The main thread has ended while other threads are running. Jobs could no longer use executors, so this "
            "process runs no more jobs. Let the main thread wait for the others"
        )
    for scheduler in running:
        ticker = scheduler.life.ticker
        if ticker is not None:
            ticker.stop_claiming(GRACE_S)
    try:
        for scheduler in running:
            scheduler.stop(GRACE_S)
    except KeyboardInterrupt:  # do not wait any longer
        for scheduler in running:
            scheduler.stop(0.0)
    _begun = True


def _at_exit() -> None:
    """At the exit of the process: release running jobs."""
    _at_shutdown()
    for ticker in {scheduler.life.ticker for scheduler in list(ALL)} | _LEFT:
        if ticker is not None:
            ticker.leave()


os.register_at_fork(after_in_child=_LEFT.clear)
atexit.register(_at_exit)
