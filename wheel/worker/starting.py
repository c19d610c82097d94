"""Start a ticker and its pool: both or neither, even if no thread can be started or Ctrl-C strikes in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..errors import SchedulerError
from .ticker import Ticker

_NO_THREAD: Final = "can't start new thread"
"""CPython's message."""


def start(ticker: Ticker, ready: Callable[[], None]) -> None:
    """Start the workers and, when ``ready`` has returned, the ticker.

    Raises:
        SchedulerError: a thread cannot be started. Those that were started end.
    """
    try:
        ticker.start(ready)
    except BaseException as error:
        ticker.stop_claiming(0.0)  # an exception from outside may strike when it is running already
        ticker.pool.close()
        if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
            raise SchedulerError(
                f"the scheduler cannot be started, because no more threads can be: it needs {ticker.pool.workers} "
                "workers and one more; raise the limit (ulimit -u, the container's pids limit) or use fewer workers"
            ) from error
        raise
