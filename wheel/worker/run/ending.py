"""Ending: the end of the program, in order, is no failure and no crash of a job's.

The shutdown begins when the main thread has ended. Before the executors of concurrent.futures (and with them asyncio's)
refuse work, all schedulers stop claiming, and wait for their jobs. The process may go on living all the same, as long
as another thread does; a job that then asks an executor for something fails by our ending, and goes back. At the very
end what still runs is given back.
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
"""A Scheduler, which stands above this room."""
ALL: Final[weakref.WeakSet[App]] = weakref.WeakSet()
"""Every scheduler of this process."""
_LEFT: Final[set[Ticker]] = set()
"""Of schedulers that were closed while jobs ran."""
GRACE_S: Final = 30.0
"""A program that ends without stop() waits so long for the jobs that run; Ctrl-C ends the wait."""
_REFUSALS: Final = ("cannot schedule new futures after", "can't register atexit after shutdown")
_REFUSED_BY_PYTHON: Final = ("new thread at interpreter shutdown", "fork at interpreter shutdown")
"""From Python 3.12 on; 3.12.0 to 3.12.2 do so as soon as the main thread has ended, while jobs have their grace."""
_KINDS: Final = {RuntimeError, getattr(builtins, "PythonFinalizationError", RuntimeError)}
"""The second is Python 3.13's."""
_watches = False
_begun = False


def is_scheduler(found: object) -> bool:
    """Whether that is one of the schedulers of this process."""
    return any(found is one for one in ALL)


def watch() -> None:
    """A scheduler is about to start: notice when the shutdown begins.

    Raises:
        SchedulerError: it has begun.
    """
    global _watches
    if _begun:
        raise SchedulerError(
            "the program is ending: its main thread has ended, and jobs could not use executors any more; "
            "have the main thread wait for the others"
        )
    if _watches:
        return
    import_module("concurrent.futures.thread")  # what it has registered is called after what is registered after it
    register: Callable[[Callable[[], None]], None] | None = getattr(threading, "_register_atexit", None)
    if register is not None:  # it is not documented; without it the end is noticed a little later, at exit
        register(_at_shutdown)
    _watches = True


def caused(error: BaseException) -> bool:
    """Whether an exception came of the shutdown, and not of the function that raised it."""
    refusals = _REFUSALS + _REFUSED_BY_PYTHON if _begun else _REFUSED_BY_PYTHON
    return type(error) in _KINDS and any(refusal in str(error) for refusal in refusals)


def leave_open(ticker: Ticker, store: Store) -> bool:
    """Close the store when the last of the ticker's jobs has ended; False if none runs."""

    def close() -> None:
        try:
            store.close()
        finally:
            _LEFT.discard(ticker)  # not before: until then the end of the program waits for it

    _LEFT.add(ticker)
    if ticker.late.when_over(close):
        return True
    _LEFT.discard(ticker)
    return False


def _at_shutdown() -> None:
    """The main thread has ended: claim nothing more, and let the running jobs end while executors still work."""
    global _begun
    running = [scheduler for scheduler in list(ALL) if scheduler.running]
    if running and any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        log.LOG.error(
            "The program goes on, but its main thread has ended: jobs could not use executors any more, so that this "
            "process runs none from now on. Have the main thread wait for the others"
        )
    for scheduler in running:
        ticker = scheduler.life.ticker
        if ticker is not None:
            ticker.stop_claiming(GRACE_S)
    try:
        for scheduler in running:
            scheduler.stop(GRACE_S)
    except KeyboardInterrupt:  # once more means now
        for scheduler in running:
            scheduler.stop(0.0)
    _begun = True


def _at_exit() -> None:
    """The last act of the process: what runs is given back."""
    _at_shutdown()
    for ticker in {scheduler.life.ticker for scheduler in list(ALL)} | _LEFT:
        if ticker is not None:
            ticker.leave()


def _after_fork_in_child() -> None:
    _LEFT.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
